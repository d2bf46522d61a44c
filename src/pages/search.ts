/** `/-/search`: builds by what they are about, what they made, and why they failed. */

import type { BuildSummary } from '../model.ts';
import { instant, shortCommit } from './format.ts';
import { type Html, html } from './html.ts';
import { renderPage } from './layout.ts';
import { segment } from './links.ts';
import { nameHtml } from './names.ts';
import { buildPill, titleOf } from './parts.ts';

export interface SearchHit {
  readonly folder: string;
  readonly summary: BuildSummary;
  readonly matches: readonly { readonly field: string; readonly text: string }[];
  readonly isPartial: boolean;
}

export interface SearchResultsPage {
  readonly text: string;
  readonly hits: readonly SearchHit[];
  /** The address of the next page's, or null. */
  readonly next: string | null;
  readonly milliseconds: number;
}

const labels: Readonly<Record<string, string>> = { jobs: 'job', paths: 'file', tests: 'failing test', lines: 'log' };

export function renderSearch({ text, hits, next, milliseconds }: SearchResultsPage): string {
  const isEmpty = text.trim() === '';
  return renderPage({
    title: isEmpty ? 'Search' : `${text} · Search`,
    crumbs: [{ name: 'search', href: '/-/search' }],
    search: text,
    body: html`<h1>Search</h1>
${isEmpty || hits.length === 0 ? hint(text, isEmpty) : html`<p class="lead">The newest first, found in ${Math.max(1, Math.round(milliseconds))} ms</p><ol class="card rows listing">${hits.map(hitRow)}</ol>`}
${next !== null && html`<div class="actions"><a class="button" rel="next" href="${next}">Older</a></div>`}`,
  });
}

function hint(text: string, isEmpty: boolean): Html {
  return html`<div class="card empty listing">${!isEmpty && html`Nothing has <bdi class="mono">${text}</bdi>.<br>`}Words of messages, authors, branches, commits, jobs, files, failing tests and failed logs; all of them must be there, and the beginning of one is enough. Of a very large build some thousand files are searched, failed jobs’ first.<br><code>path:junit.xml</code> <code>test:checkout</code> <code>log:"out of memory"</code> <code>job:lint</code> <code>state:failed</code> <code>pipeline:web</code></div>`;
}

function hitRow({ folder, summary, matches, isPartial }: SearchHit): Html {
  const href = `/${segment(summary.organization)}/${segment(folder)}/builds/${summary.number}/`;
  const told = matches.filter(({ field }) => field in labels);
  return html`<li>
<div>${buildPill(summary)}</div>
<div class="what"><div class="title"><a href="${href}">${nameHtml(titleOf(summary))}</a></div>
<div class="under"><span><bdi>${folder}</bdi> #${summary.number}</span><span><bdi class="mono">${summary.branch}</bdi></span>${
    summary.commit !== '' && html`<span>${shortCommit(summary.commit)}</span>`
  }${summary.author !== null && html`<span><bdi>${summary.author}</bdi></span>`}${isPartial && html`<span>not all of its files and lines are searched</span>`}</div>
${told.length > 0 && html`<ul class="matches">${told.map(({ field, text }) => html`<li><span class="quiet">${labels[field]}</span> <bdi class="mono">${marked(text)}</bdi></li>`)}</ul>`}</div>
<div class="when">${instant(summary.finished_at ?? summary.created_at)}</div>
</li>`;
}

/** What was found stands between \u0001 and \u0002: upstream's own are gone from there, as no word holds one. */
function marked(text: string): Html[] {
  return text.split('\u0001').map((part, index) => {
    if (index === 0) return html`${plain(part)}`;
    const cut = part.indexOf('\u0002');
    return cut === -1
      ? html`${plain(part)}`
      : html`<mark>${plain(part.slice(0, cut))}</mark>${plain(part.slice(cut + 1))}`;
  });
}

function plain(text: string): string {
  return text.replaceAll(/[\u0000-\u001f]+/g, ' ');
}
