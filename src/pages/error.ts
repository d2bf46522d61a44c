/** What a person sees in place of a page. */
import { html } from './html.ts';
import { renderPage } from './layout.ts';

export interface ErrorPage {
  readonly status: number;
  readonly message: string;
  /** Under which the mirror's log has more. */
  readonly id: string;
}

export function renderError({ status, message, id }: ErrorPage): string {
  const title = status === 404 ? 'Not found' : `Error ${status}`;
  return renderPage({
    title,
    crumbs: [],
    body: html`<h1>${title}</h1>
<p class="lead">${message}</p>
<p class="actions"><a class="button" href="/">All pipelines</a></p>`,
    foot: html`Request <code>${id}</code>`,
  });
}
