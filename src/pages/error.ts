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
<p class="lead">${sentence(message)}</p>
<div class="actions"><a class="button" href="/">All pipelines</a></div>`,
    foot: html`Request <code>${id}</code>`,
  });
}

/** Messages are written to stand in a line of JSON or of a log. */
function sentence(message: string): string {
  const text = message.slice(0, 1).toUpperCase() + message.slice(1);
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}
