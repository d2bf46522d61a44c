/** What of a build is not mirrored, and why. */
import { type BuildRecord, type FileState, isFinishedBuild } from '../model.ts';
import type { Gap, JobDetails } from './details.ts';
import { counted, formatCount } from './format.ts';
import { type Html, html } from './html.ts';
import { nameHtml } from './names.ts';
import { pill, stateMeaning } from './parts.ts';

const shownGaps = 50;
/** In the order of what a reader can do about it. */
const order: readonly FileState[] = [
  'failed',
  'pending',
  'lost',
  'refused',
  'errored',
  'excluded',
  'superseded',
  'dropped',
  'purged',
];
/** These do not count as expected: they are named, but nothing is missing for them. */
const ordinary: ReadonlySet<FileState> = new Set(['excluded', 'superseded']);

export function renderGaps(build: BuildRecord, details: ReadonlyMap<string, JobDetails>): Html | null {
  const counts = new Map<FileState, number>();
  for (const { states } of details.values()) {
    for (const state of order) counts.set(state, (counts.get(state) ?? 0) + (states[state] ?? 0));
  }
  const present = order.filter((state) => (counts.get(state) ?? 0) > 0);
  if (present.length === 0) return build.complete ? null : html`<p class="quiet">${plainReason(build)}</p>`;
  const summary = present.map(
    (state) => html`<li>${pill(state)} ${formatCount(counts.get(state) ?? 0)} ${stateMeaning[state]}</li>`,
  );
  return html`<ul class="gaps">${summary}</ul>${gapList(build, details)}`;
}

function plainReason(build: BuildRecord): string {
  const missing = build.expected - build.present;
  if (!build.settled)
    return isFinishedBuild(build.state, build.finished_at)
      ? 'The rest is being fetched.'
      : 'The build still runs: each job’s files come when it has ended.';
  return missing > 0 ? `${counted(missing, 'file')} could not be mirrored; job.json of each job says why.` : '';
}

function gapList(build: BuildRecord, details: ReadonlyMap<string, JobDetails>): Html | null {
  const all: { job: BuildRecord['jobs'][number]; gap: Gap }[] = [];
  for (const job of build.jobs) {
    for (const gap of details.get(job.id)?.gaps ?? []) {
      if (!ordinary.has(gap.state)) all.push({ job, gap });
    }
  }
  if (all.length === 0) return null;
  const items = all
    .slice(0, shownGaps)
    .map(
      ({ job, gap }) =>
        html`<li><a href="jobs/${job.id}/">${nameHtml(job.name ?? job.type)}</a> <bdi class="mono">${gap.path ?? 'log'}</bdi> <span class="quiet"><bdi>${
          gap.reason ?? stateMeaning[gap.state]
        }</bdi></span></li>`,
    );
  return html`<details${all.length <= 5 && html` open`}><summary>Which and why</summary><ul class="gaps">${items}</ul>
${all.length > shownGaps && html`<p class="quiet">More are listed on the jobs’ own pages.</p>`}</details>`;
}
