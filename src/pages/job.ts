/** `…/jobs/<job-id>/`: one job, with every artifact that it ever had. */
import type { ArtifactRecord, BuildRecord, JobRecord, JobSummary } from '../model.ts';
import { groupAttempts } from './attempts.ts';
import { failingLines } from './build-jobs.ts';
import { renderJobScript, type Whereabouts } from './build-script.ts';
import { type DecisiveLine, variantOf } from './details.ts';
import { counted, formatBytes, formatCount, instant, shortDigest } from './format.ts';
import { type Html, html, raw, type Value } from './html.ts';
import { renderPage } from './layout.ts';
import { outwardHref } from './links.ts';
import { nameHtml, nameText } from './names.ts';
import { openingsOf } from './openings.ts';
import { durationOf, factList, jobPill, mirroredBar, mirroredText, pill, stateMeaning } from './parts.ts';

export interface JobPage {
  readonly build: BuildRecord;
  readonly job: JobRecord;
  /** What its log says of why it failed. */
  readonly failing?: readonly DecisiveLine[];
  readonly at: Whereabouts;
}

/** A browser lays out more of them slowly; the filter and the listing have them all. */
const shownArtifacts = 500;

export function renderJob({ build, job, failing = [], at }: JobPage): string {
  const name = job.name ?? job.step_key ?? 'Unnamed job';
  return renderPage({
    title: `${nameText(name)} · ${build.pipeline} #${build.number}`,
    crumbs: [
      { name: build.organization, href: '../../../../../' },
      { name: build.pipeline, href: '../../../../' },
      { name: 'builds', href: '../../../' },
      { name: `#${build.number}`, href: '../../' },
      { name: nameText(name), href: './' },
    ],
    body: html`<div class="head">${jobPill(job, job.soft_failed)}<h1>${nameHtml(name)}</h1></div>
${actions(job)}
${facts(build, job)}
${failing.length > 0 && html`<section class="card why" aria-label="Why it failed">${failingLines(failing, 'log/')}</section>`}
<section class="card mirror" aria-label="Mirrored files"><strong>${mirroredText(job)}</strong>${mirroredBar(job)}
${logLine(job)}</section>
${attempts(build, job)}
${artifacts(job)}
${renderJobScript(build, job, at)}`,
    foot: html`Mirrored ${instant(job.mirrored_at)}. Job ${job.id}`,
  });
}

function actions(job: JobRecord): Html {
  const upstream = outwardHref(job.web_url);
  return html`<div class="actions">${job.log?.state === 'present' && html`<a class="button" href="log/">Log</a>`}${
    job.artifacts.some(({ state }) => state === 'present') &&
    html`<a class="button" href="artifacts/?list">Folder</a><a class="button" href="artifacts/?archive" download>Download all</a>`
  }${upstream !== null && html`<a class="button" rel="noreferrer" href="${upstream}">View on Buildkite</a>`}</div>`;
}

function facts(build: BuildRecord, job: JobRecord): Html {
  const variant = variantOf(job);
  const rows: [string, Value][] = [
    ['Exit status', job.exit_status],
    ['Duration', durationOf(job)],
    ['Started', instant(job.started_at)],
    ['Finished', instant(job.finished_at)],
    ['Variant', variant !== null && html`<bdi>${variant}</bdi>`],
    ['Step', job.step_key !== null && html`<bdi class="mono">${job.step_key}</bdi>`],
    ['Group', job.group_key !== null && html`<bdi class="mono">${job.group_key}</bdi>`],
    ['Agent', job.agent !== null && html`<bdi>${job.agent}</bdi>`],
  ];
  return html`<div class="card">${factList(rows)}</div>`;
}

/** Side by side: what another attempt did differently is what one wants to see. */
function attempts(build: BuildRecord, job: JobRecord): Html | null {
  const group = groupAttempts(build.jobs).find(
    ({ last, earlier }) => last.id === job.id || earlier.some(({ id }) => id === job.id),
  );
  if (group === undefined || group.earlier.length === 0) return null;
  const all = [...group.earlier, group.last];
  const row = (label: string, cell: (attempt: JobSummary) => Value): Html =>
    html`<tr><th scope="row">${label}</th>${all.map((attempt) => html`<td>${cell(attempt)}</td>`)}</tr>`;
  return html`<h2>Attempts <small>${all.length}</small></h2>
<div class="card scroll"><table><thead><tr><td></td>${all.map((attempt, index) => {
    const text = `${index + 1} of ${all.length}`;
    return attempt.id === job.id || attempt.url === null
      ? html`<th scope="col">${text}${attempt.id === job.id && ', this one'}</th>`
      : html`<th scope="col"><a href="../${attempt.id}/">${text}</a></th>`;
  })}</tr></thead><tbody>${row('State', (attempt) => jobPill(attempt, false))}${row('Exit', ({ exit_status: exit }) => exit)}${row(
    'Duration',
    durationOf,
  )}${row('Finished', ({ finished_at: at }) => instant(at))}${row('Mirrored', mirroredCount)}${row(
    'Log',
    (attempt) => hasLog(attempt) && html`<a href="../${attempt.id}/log/">log</a>`,
  )}</tbody></table></div>`;
}

function hasLog({ log_state: log, present }: JobSummary): boolean {
  return log === undefined ? present > 0 : log === 'present';
}

function mirroredCount({ present, expected }: JobSummary): string {
  return `${formatCount(present)} of ${formatCount(expected)}`;
}

function logLine({ log }: JobRecord): Html {
  if (log === null) return html`<p class="quiet">This job has no log.</p>`;
  if (log.state === 'present') {
    return html`<p class="quiet"><a href="log/">Log</a>, ${formatBytes(log.size)} · <a href="log.txt">raw</a>${
      log.sha256 !== null && html` · SHA-256 ${shortDigest(log.sha256)}`
    }</p>`;
  }
  return html`<p>Log ${pill(log.state)} <span class="quiet"><bdi>${log.reason ?? stateMeaning[log.state]}</bdi></span></p>`;
}

function artifacts(job: JobRecord): Html {
  if (job.artifacts.length === 0)
    return html`<h2>Artifacts</h2><div class="card empty">This job uploaded no artifacts.</div>`;
  const shown = job.artifacts.toSorted(missingFirst).slice(0, shownArtifacts);
  const rows = shown.map((artifact) => artifactRow(artifact, job.retried));
  const bytes = job.artifacts.reduce((sum, { state, size }) => sum + (state === 'present' ? size : 0), 0);
  const isWhole = shown.length === job.artifacts.length;
  return html`<h2>Artifacts <small>${counted(job.artifacts.length, 'file')}, ${formatBytes(bytes)}</small></h2>
<div class="card"><form class="tree-tools" role="search" method="get" action="artifacts/"${!isWhole && raw(' data-more')}><input type="hidden" name="list" value=""><input name="match" placeholder="Filter by path" aria-label="Filter artifacts by path" maxlength="200" autocomplete="off" spellcheck="false" data-filter="files"><button type="submit">Find</button></form>
<div class="scroll tree-or-table"><table class="stack" id="files"><thead><tr><th scope="col">Path</th><th scope="col" class="n">Size</th><th scope="col">Type</th><th scope="col">SHA-256</th><th scope="col">State</th></tr></thead>
<tbody>${rows}</tbody></table></div></div>
${!isWhole && html`<p class="quiet">${formatCount(shown.length)} of ${formatCount(job.artifacts.length)}; the <a href="artifacts/?list">folder</a> and <a href="job.json">job.json</a> have them all.</p>`}`;
}

function missingFirst(a: ArtifactRecord, b: ArtifactRecord): number {
  const order = Number(a.state === 'present') - Number(b.state === 'present');
  return order === 0 ? (a.path < b.path ? -1 : Number(a.path > b.path)) : order;
}

function artifactRow(artifact: ArtifactRecord, isRetried: boolean): Html {
  const isPresent = artifact.state === 'present';
  const name = html`<bdi class="mono">${artifact.path}</bdi>`;
  const href = artifact.url === null ? null : `../../${artifact.url}`;
  const openings = isPresent && href !== null ? openingsOf({ path: artifact.path, href }) : [];
  return html`<tr><td class="whole">${isPresent && href !== null ? html`<a href="${href}">${name}</a>` : name}${openings.map(
    ({ label, href: at }) => html` <a href="${at}">${label}</a>`,
  )}${
    isPresent &&
    !artifact.merged &&
    !isRetried &&
    html` <span class="tag" title="The merged view shows another job’s file under this path">not in the merged view</span>`
  }</td><td class="n">${formatBytes(artifact.size)}</td><td>${artifact.mime_type}</td><td>${
    artifact.sha256 !== null && shortDigest(artifact.sha256)
  }</td><td>${isPresent ? html`<span class="quiet">mirrored</span>` : html`${pill(artifact.state)} <span class="quiet"><bdi>${artifact.reason ?? stateMeaning[artifact.state]}</bdi></span>`}</td></tr>`;
}
