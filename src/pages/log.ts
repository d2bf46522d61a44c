/** `…/jobs/<job-id>/log/`: a job's log, folded and coloured; the beginning of a long one, or a part of it. */
import type { BuildRecord, JobRecord } from '../model.ts';
import { formatBytes, formatCount, instant } from './format.ts';
import { type Html, html, raw } from './html.ts';
import { type Crumb, renderPage } from './layout.ts';
import { nameHtml, nameText } from './names.ts';
import { jobPill } from './parts.ts';

/** The script of the page: its modules, below /-/assets/. */
export interface LogScript {
  readonly entry: string;
  readonly imports: readonly string[];
}

export interface LogPage {
  readonly build: Pick<BuildRecord, 'organization' | 'pipeline' | 'number'>;
  readonly job: JobRecord;
  /** HTML of lines, as src/logs makes it. */
  readonly lines: string;
  /** The first of them, from 1, and how many. */
  readonly from: number;
  readonly shown: number;
  /** Of the whole log. */
  readonly total: number;
  /** Where to look first, from 1. */
  readonly failing: number | null;
  readonly script?: LogScript;
}

/** Lines of a page for who has no script. */
export const linesPerPart = 5000;

export function renderLog(page: LogPage): string {
  const { build, job, lines, from, shown, total, failing, script } = page;
  const isPart = shown < total;
  // Whoever has the script reads on from the beginning; the other parts are asked of the gateway.
  const isFar = isPart && from === 1 && script !== undefined;
  return renderPage({
    title: `Log of ${nameText(nameOf(job))} · ${build.pipeline} #${build.number}`,
    wide: true,
    styles: ['log.css'],
    ...(script !== undefined && {
      scripts: [script.entry],
      head: script.imports.map((each) => html`<link rel="modulepreload" href="/-/assets/${each}">\n`),
    }),
    crumbs: logCrumbs(build, job),
    body: html`<div class="head">${jobPill(job, job.soft_failed)}<h1>Log of ${nameHtml(nameOf(job))}</h1></div>
<div class="logbar" id="logbar"><span class="facts-line">${formatCount(total)} ${total === 1 ? 'line' : 'lines'} · ${formatBytes(job.log?.size ?? 0)}</span>
${failing !== null && html`<a class="button first" id="failing" href="${hrefOf(page, failing)}">Failing line</a>`}
${total > 0 && html`<a class="button" id="last" href="${hrefOf(page, total)}">Last line</a>`}
<a class="button" href="../log.txt">Raw</a>
${total > 0 && searchForm('')}</div>
${total === 0 ? html`<div class="card empty">This log is empty.</div>` : html`<div class="card log" id="log" role="region" aria-label="Log" tabindex="0"${isFar && raw(' data-far="1"')} data-lines="${total}">${raw(lines)}</div>`}
${isPart && parts(page, isFar)}`,
    foot: html`${job.log !== null && html`Fetched ${instant(job.log.fetched_at)}. `}Job ${job.id}`,
  });
}

export function nameOf(job: Pick<JobRecord, 'name' | 'step_key'>): string {
  return job.name ?? job.step_key ?? 'Unnamed job';
}

export function logCrumbs(build: LogPage['build'], job: Pick<JobRecord, 'name' | 'step_key'>): Crumb[] {
  return [
    { name: build.organization, href: '../../../../../../' },
    { name: build.pipeline, href: '../../../../../' },
    { name: 'builds', href: '../../../../' },
    { name: `#${build.number}`, href: '../../../' },
    { name: nameText(nameOf(job)), href: '../' },
    { name: 'log', href: './' },
  ];
}

export function searchForm(query: string): Html {
  return html`<form id="search" role="search" aria-label="This log" method="get" action="./"><input name="q" type="search" value="${query}" maxlength="200" required placeholder="Search this log" aria-label="Search this log" autocomplete="off" spellcheck="false"><button>Search</button></form>`;
}

/** A line of this page, or of the page that has it: where there is a script, it has all of them here. */
function hrefOf({ from, shown }: LogPage, line: number): string {
  const isHere = line >= from && line < from + shown;
  return isHere ? `#L${line}` : lineHref(line);
}

/** In a part that has it: which lines these are depends on how long they are. */
export function lineHref(line: number): string {
  return `./?line=${line}#L${line}`;
}

/** The way to the other lines; shown by the far log's script as little as by who has none. */
function parts({ from, shown, total, failing }: LogPage, isFar: boolean): Html {
  const before = from === 1 ? null : Math.max(1, from - linesPerPart);
  const after = from + shown > total ? null : from + shown;
  const last = total - ((total - 1) % linesPerPart);
  const links = isFar
    ? html`<a href="./?from=1">Read it in parts of ${formatCount(linesPerPart)} lines</a>`
    : html`<span>Lines ${formatCount(from)} to ${formatCount(from + shown - 1)} of ${formatCount(total)}</span>
${before !== null && html`<a href="./?from=1">First</a> <a rel="prev" href="./?from=${before}">Previous</a>`}
${after !== null && html`<a rel="next" href="./?from=${after}">Next</a> <a href="./?from=${last}">Last</a>`}
<a href="./">Whole log</a>`;
  const nav = html`<nav class="parts" aria-label="Parts of the log">${links}${
    isFar && failing !== null && html` <a href="${lineHref(failing)}">The failing line</a>`
  }</nav>`;
  return isFar ? html`<noscript>${nav}</noscript>` : nav;
}
