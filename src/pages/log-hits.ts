/** What a search in a log found, as a page. */
import { inSmallLetters } from '../letters.ts';
import type { BuildRecord, JobRecord } from '../model.ts';
import { counted } from './format.ts';
import { type Html, html } from './html.ts';
import { renderPage } from './layout.ts';
import { lineHref, logCrumbs, nameOf, searchForm } from './log.ts';
import { nameHtml, nameText } from './names.ts';

export interface Hit {
  readonly line: number;
  readonly text: string;
  readonly before: readonly string[];
  readonly after: readonly string[];
}

export interface LogHitsPage {
  readonly build: Pick<BuildRecord, 'organization' | 'pipeline' | 'number'>;
  readonly job: JobRecord;
  readonly query: string;
  readonly hits: readonly Hit[];
  /** The line from which there is more to look through. */
  readonly next: number | null;
  readonly total: number;
}

export function renderLogHits({ build, job, query, hits, next, total }: LogHitsPage): string {
  return renderPage({
    title: `“${query}” in the log of ${nameText(nameOf(job))} · ${build.pipeline} #${build.number}`,
    wide: true,
    styles: ['log.css'],
    crumbs: logCrumbs(build, job),
    body: html`<h1>Search in the log of ${nameHtml(nameOf(job))}</h1>
<div class="logbar"><span class="facts-line">${counted(hits.length, 'line')}${next !== null && html` in the first ${String(next - 1)} of ${String(total)}`}</span>${searchForm(query)}</div>
${hits.length === 0 ? html`<div class="card empty">No line of it has <bdi>${query}</bdi>.</div>` : html`<ol class="hits">${hits.map((hit) => hitItem(hit, query))}</ol>`}
${next !== null && html`<p class="parts"><a rel="next" href="./?q=${encodeURIComponent(query.toWellFormed())}&from=${next}">Search on from line ${String(next)}</a></p>`}`,
    foot: html`Job ${job.id}`,
  });
}

function hitItem({ line, text, before, after }: Hit, query: string): Html {
  const row = (number: number, content: string, isHit: boolean): Html =>
    html`<a href="${lineHref(number)}">${number}</a>${isHit ? marked(content, query) : content}\n`;
  return html`<li><pre>${before.map((each, at) => row(line - before.length + at, each, false))}${row(line, text, true)}${after.map((each, at) => row(line + at + 1, each, false))}</pre></li>`;
}

function marked(text: string, query: string): Html {
  const at = inSmallLetters(text).indexOf(inSmallLetters(query));
  if (at === -1) return html`${text}`;
  return html`${text.slice(0, at)}<mark>${text.slice(at, at + query.length)}</mark>${text.slice(at + query.length)}`;
}
