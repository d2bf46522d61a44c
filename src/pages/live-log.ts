/** `…/jobs/<job-id>/log/` while the job runs: the end of its log, which src/pages/assets/live.js keeps up to date. */
import type { BuildRecord, JobSummary } from '../model.ts';
import { formatBytes } from './format.ts';
import { html, raw } from './html.ts';
import { renderPage } from './layout.ts';
import { logCrumbs, nameOf } from './log.ts';
import { nameHtml, nameText } from './names.ts';
import { pill } from './parts.ts';

/** What is known of the log; see src/tree/log-tail.ts. */
interface Tail {
  readonly read_at: string;
  readonly size: number;
  readonly start: number;
  readonly trouble: string | null;
}

export interface LiveLogPage {
  readonly build: Pick<BuildRecord, 'organization' | 'pipeline' | 'number'>;
  readonly job: JobSummary;
  readonly ended: boolean;
  /** null: nothing was read yet. */
  readonly tail: Tail | null;
  /** HTML of lines, as src/logs makes it. */
  readonly lines: string;
}

/** How often who has no script asks again: seconds. */
const refreshSeconds = 10;

export function renderLiveLog({ build, job, ended, tail, lines }: LiveLogPage): string {
  const crumbs = logCrumbs(build, job).map((crumb) =>
    // Its page comes with its files; until then it is a line of its build's.
    crumb.href === '../' ? { ...crumb, href: `../../../#${job.id}` } : crumb,
  );
  return renderPage({
    title: `Live log of ${nameText(nameOf(job))} · ${build.pipeline} #${build.number}`,
    wide: true,
    styles: ['log.css'],
    scripts: ['live.js'],
    head: html`<noscript><meta http-equiv="refresh" content="${refreshSeconds}"></noscript>\n`,
    crumbs,
    body: html`<div class="head"><h1>Log of ${nameHtml(nameOf(job))}</h1></div>
<div class="logbar" id="logbar"><span id="live" role="status">${ended ? pill('ended') : pill('running', 'live')}</span>
<span class="facts-line" id="told">${tellTail(job, tail)}</span>
<a class="button" id="whole" href="./" hidden>Read the whole log</a>
<a class="button" id="last" href="#end">Last line</a></div>
<div class="card log" id="log" role="region" aria-label="Log" tabindex="0"${tail !== null && html` data-read="${tail.read_at}"`}>${raw(lines)}</div>
<div id="end"></div>`,
    foot: html`Job ${job.id}`,
  });
}

/** One line of plain text: what is shown, of when, and what keeps it from being newer. */
export function tellTail({ state }: Pick<JobSummary, 'state'>, tail: Tail | null): string {
  const said = [tellState(state)];
  if (tail === null) said.push('its log has not been read yet');
  else {
    if (tail.size === 0) said.push('nothing printed yet');
    else said.push(tail.start === 0 ? formatBytes(tail.size) : `the end of ${formatBytes(tail.size)}`);
    said.push(`read at ${tail.read_at.slice(11, 19)} UTC`);
    if (tail.trouble !== null) said.push(tail.trouble);
  }
  return said.join(' · ');
}

/** The same once the log is mirrored. @param isReady its page is there, too */
export function tellWhole({ state }: Pick<JobSummary, 'state'>, isReady: boolean): string {
  return `${tellState(state)} · ${isReady ? 'its whole log is mirrored' : 'its log’s page is being made'}`;
}

function tellState(state: string): string {
  return `job ${state.replaceAll('_', ' ')}`;
}
