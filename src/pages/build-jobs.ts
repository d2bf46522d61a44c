/** The jobs of a build: retried ones beside their replacements, steps without files as thin lines between. */
import { isFinishedJob, type JobSummary } from '../model.ts';
import { type AttemptGroup, groupAttempts } from './attempts.ts';
import type { DecisiveLine, JobDetails } from './details.ts';
import { counted, formatBytes, formatCount } from './format.ts';
import { type Html, html, raw } from './html.ts';
import { nameHtml } from './names.ts';
import { durationOf, isFailedJob, jobPill } from './parts.ts';

type Details = ReadonlyMap<string, JobDetails>;

const shownFailed = 20;
const gateNames = new Map([
  ['waiter', 'wait'],
  ['manual', 'block'],
]);

/** What one comes for when a build is red: the jobs that count and failed, with their logs. */
export function renderFailed(jobs: readonly JobSummary[], details: Details): Html | null {
  const failed = jobs.filter(
    (job) => job.type === 'script' && !job.retried && isFailedJob(job) && details.get(job.id)?.softFailed !== true,
  );
  if (failed.length === 0) return null;
  const items = failed.slice(0, shownFailed).map((job) => {
    const known = details.get(job.id);
    return html`<li><div>${jobPill(job, false)}</div><div class="what"><div class="title">${jobName(job)} ${known?.variant != null && html`<span class="tag"><bdi>${known.variant}</bdi></span>`}</div>${failingLines(known?.failing ?? [], `jobs/${job.id}/log/`)}</div><div class="when">${durationOf(job)}<br>${logLink(job, known)}</div></li>`;
  });
  return html`<h2>${counted(failed.length, 'failed job')}</h2><ul class="card rows">${items}</ul>${
    failed.length > shownFailed && html`<p class="quiet">All are in the table below.</p>`
  }`;
}

/** What the log says of it, each line a link to its place. */
export function failingLines(lines: readonly DecisiveLine[], log: string): Html | null {
  if (lines.length === 0) return null;
  return html`<ol class="failing">${lines.map(
    ({ line, text }) => html`<li><a href="${log}#L${line}"><bdi>${text.trim()}</bdi></a></li>`,
  )}</ol>`;
}

export function renderJobs(jobs: readonly JobSummary[], details: Details): Html {
  if (jobs.length === 0) return html`<h2>Jobs</h2><div class="card empty">This build has no jobs.</div>`;
  const groups = groupAttempts(jobs);
  const bands = bandsOf(groups, details);
  const rows = groups.map(({ last, earlier }) => {
    if (last.type !== 'script') return gateRow(last);
    const total = earlier.length + 1;
    const older = earlier.map((job, index) => jobRow(job, details.get(job.id), { attempt: index + 1, total }));
    return [bands.get(last.id), jobRow(last, details.get(last.id), { attempt: total, total }), ...older];
  });
  const scripts = jobs.filter((job) => job.type === 'script' && !job.retried).length;
  return html`<h2>Jobs <small>${formatCount(scripts)}</small></h2>
<div class="card scroll"><table class="stack"><thead><tr><th scope="col">State</th><th scope="col">Job</th><th scope="col" class="n">Exit</th><th scope="col" class="n">Duration</th><th scope="col" class="n">Mirrored</th><th scope="col">Log and files</th></tr></thead>
<tbody>${rows}</tbody></table></div>`;
}

function jobRow(
  job: JobSummary,
  details: JobDetails | undefined,
  { attempt, total }: { attempt: number; total: number },
): Html {
  const isEarlier = attempt < total;
  return html`<tr id="${job.id}"${isEarlier && raw(' class="earlier"')}><td class="fit">${jobPill(job, details?.softFailed === true)}</td><td class="whole">${jobName(job)} ${
    total > 1 && html`<span class="tag">attempt ${attempt} of ${total}</span> `
  }${job.retried && total === 1 && html`<span class="tag">retried</span> `}${
    details?.variant !== null &&
    details?.variant !== undefined &&
    html`<span class="tag"><bdi>${details.variant}</bdi></span> `
  }${job.step_key !== null && html`<span class="tag mono"><bdi>${job.step_key}</bdi></span>`}</td><td class="n" data-label="exit">${
    job.exit_status ?? ''
  }</td><td class="n">${durationOf(job)}</td><td class="n${job.present < job.expected && raw(' some-missing')}">${
    job.expected > 0 && html`${formatCount(job.present)} of ${formatCount(job.expected)}`
  }${job.bytes > 0 && html` <span class="quiet">${formatBytes(job.bytes)}</span>`}</td><td class="fit">${jobLinks(job, details)}</td></tr>`;
}

/** A heading before the first of jobs that belong together: a group's, or the jobs of one matrix or parallel step. */
function bandsOf(groups: readonly AttemptGroup<JobSummary>[], details: Details): Map<string, Html> {
  const bands = new Map<string, Html>();
  let current: string | null = null;
  for (const [index, { last }] of groups.entries()) {
    const key = bandKey(last, details);
    if (key !== current && key !== null) {
      const run = groups.slice(index).map((group) => group.last);
      const end = run.findIndex((job) => bandKey(job, details) !== key);
      const members = end === -1 ? run : run.slice(0, end);
      const isGroup = details.get(last.id)?.group !== null;
      if (isGroup || members.length > 1) bands.set(last.id, band(key, members, details));
    }
    current = key;
  }
  return bands;
}

function bandKey(job: JobSummary, details: Details): string | null {
  const known = details.get(job.id);
  if (known === undefined || job.type !== 'script') return null;
  return known.group ?? known.step;
}

function band(key: string, members: readonly JobSummary[], details: Details): Html {
  const failed = members.filter((job) => isFailedJob(job) && details.get(job.id)?.softFailed !== true).length;
  return html`<tr class="band"><th colspan="6" scope="colgroup">${nameHtml(key)} <span class="quiet">${counted(members.length, 'job')}${
    failed > 0 && html`, ${formatCount(failed)} failed`
  }</span></th></tr>`;
}

function gateRow(job: JobSummary): Html {
  const what = job.name ?? gateNames.get(job.type) ?? job.type;
  return html`<tr class="gate" id="${job.id}"><td>${job.state.replaceAll('_', ' ')}</td><td colspan="5" class="whole">${nameHtml(what)}</td></tr>`;
}

function jobName(job: JobSummary): Html {
  const name = nameHtml(job.name ?? job.step_key ?? 'Unnamed job');
  return job.url === null
    ? html`<span class="name">${name}</span>`
    : html`<a class="name" href="jobs/${job.id}/">${name}</a>`;
}

function logLink(job: JobSummary, details: JobDetails | undefined): Html | null {
  return details?.log?.state === 'present' ? html`<a href="jobs/${job.id}/log/">log</a>` : null;
}

function runs({ type, state, started_at, finished_at }: JobSummary): boolean {
  return type === 'script' && started_at !== null && !isFinishedJob(state, finished_at);
}

function jobLinks(job: JobSummary, details: JobDetails | undefined): Html | null {
  if (job.url === null) return runs(job) ? html`<a href="jobs/${job.id}/log/">live log</a>` : null;
  const files = details === undefined ? null : details.artifacts;
  const links = [
    logLink(job, details),
    files !== 0 && html`<a href="jobs/${job.id}/artifacts/">${files === null ? 'files' : counted(files, 'file')}</a>`,
    job.present > 0 && html`<a href="jobs/${job.id}/SHA256SUMS">sums</a>`,
  ].filter((link) => link instanceof Object);
  return html`${links.map((link, index) => html`${index > 0 && raw('&ensp;')}${link}`)}`;
}
