/** `…/jobs/<job-id>/log/`: a job's log as plain lines that can be linked to. */
import type { BuildRecord, JobRecord } from '../model.ts';
import { formatBytes, formatCount, instant } from './format.ts';
import { type Html, html, raw } from './html.ts';
import { renderPage } from './layout.ts';
import { jobPill } from './parts.ts';

export interface LogPage {
  readonly build: Pick<BuildRecord, 'organization' | 'pipeline' | 'number'>;
  readonly job: JobRecord;
  /** Cleaned: no escape sequences, lines by \n. */
  readonly text: string;
  /** Whether the text is only the log's end. */
  readonly truncated: boolean;
  /** The number that the text's first line has in the whole log. */
  readonly firstLine?: number;
}

export function renderLog({ build, job, text, truncated, firstLine = 1 }: LogPage): string {
  const name = job.name ?? job.step_key ?? 'Unnamed job';
  const lines = text === '' ? [] : text.replace(/\n$/, '').split('\n');
  const size = job.log?.size ?? 0;
  return renderPage({
    title: `Log of ${name} · ${build.pipeline} #${build.number}`,
    wide: true,
    crumbs: [
      { name: build.organization, href: '../../../../../../' },
      { name: build.pipeline, href: '../../../../../' },
      { name: 'builds', href: '../../../../' },
      { name: `#${build.number}`, href: '../../../' },
      { name, href: '../' },
      { name: 'log', href: './' },
    ],
    body: html`<div class="head">${jobPill(job, job.soft_failed)}<h1>Log of <bdi>${name}</bdi></h1></div>
<p class="lead">${formatBytes(size)} · <a href="../log.txt">raw log</a>${
      lines.length > 0 && html` · <a href="#L${firstLine + lines.length - 1}">last line</a>`
    }</p>
${truncated && html`<p>The last ${formatCount(lines.length)} lines are shown here. The <a href="../log.txt">raw log</a> has everything.</p>`}
${lines.length === 0 ? html`<div class="card empty">This log is empty.</div>` : html`<div class="card log" role="region" aria-label="Log" tabindex="0">${raw(lines.map((line, index) => lineHtml(line, firstLine + index).text).join('\n'))}</div>`}`,
    foot: html`${job.log !== null && html`Fetched ${instant(job.log.fetched_at)}. `}Job ${job.id}`,
  });
}

/** Buildkite's group headers stand out; the rest is as it was printed. */
function lineHtml(line: string, number: number): Html {
  const isGroup = /^(---|\+\+\+|~~~) /.test(line);
  return html`<div class="line${isGroup && raw(' group')}" id="L${number}"><a href="#L${number}">${number}</a><span>${line}</span></div>`;
}
