/** The page of one artifact: what it is, and its content as far as a page can show it. */
import { shellQuote } from './build-script.ts';
import { formatBytes, shortDigest } from './format.ts';
import { type Html, html, type Value } from './html.ts';
import { type Crumb, renderPage } from './layout.ts';
import { segment } from './links.ts';

/** An artifact, as its page tells of it. */
export interface ViewedFile {
  readonly name: string;
  readonly size: number;
  readonly type: string | null;
  readonly sha256: string | null;
}

export interface ViewPage {
  readonly title: string;
  readonly crumbs: readonly Crumb[];
  readonly file: ViewedFile;
  /** The button that leads to the content origin, where it may run. */
  readonly opens: 'Open report' | 'Open' | null;
  /** The file's own address, absolute. */
  readonly address: string;
  readonly content: Html;
  /** Why it is not shown, or not all of it. */
  readonly notice?: string | null;
  readonly wide?: boolean;
}

export function renderView({ title, crumbs, file, opens, address, content, notice, wide }: ViewPage): string {
  const href = segment(file.name);
  const facts: Value[] = [
    formatBytes(file.size),
    file.type !== null && file.type !== '' && html`<bdi>${file.type}</bdi>`,
    file.sha256 !== null && html`SHA-256 ${shortDigest(file.sha256)}`,
  ];
  const shown = facts.filter((fact) => fact !== false);
  return renderPage({
    title,
    crumbs,
    styles: ['view.css'],
    ...(wide === true && { wide }),
    body: html`<div class="head"><h1 class="mono"><bdi>${file.name}</bdi></h1></div>
<p class="lead">${shown.map((fact, index) => html`${index > 0 && ' · '}${fact}`)}</p>
<div class="actions">${opens !== null && html`<a class="button main" href="${href}?open">${opens}</a>`}<a class="button" href="${href}">Raw file</a><a class="button" href="${href}" download>Download</a><a class="button" href="./?list">Folder</a></div>
${notice !== undefined && notice !== null && html`<p class="notice">${notice}</p>`}
${content}
<pre class="copy"><code>curl -fLO ${shellQuote(address)}</code></pre>`,
  });
}
