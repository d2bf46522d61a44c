/** Small pieces that several pages share: states, counts, a build's line in a list. */

import { formatDuration } from '../durations.ts';
import type { BuildSummary, Counts, FileState } from '../model.ts';
import { counted, elapsed, formatBytes, formatCount, instant, shortCommit } from './format.ts';
import { type Html, html, raw, type Value } from './html.ts';
import { nameHtml } from './names.ts';

export type Tone = 'good' | 'bad' | 'busy' | 'idle';

/** Of the states that are known to be good, bad or under way; every other is neither. */
const tones = new Map<string, Tone>([
  ...tone('good', 'passed present finished unblocked'),
  ...tone('bad', 'failed failing timed_out expired lost refused'),
  ...tone('busy', 'running scheduled creating assigned accepted canceling timing_out pending'),
]);

function tone(of: Tone, states: string): [string, Tone][] {
  return states.split(' ').map((state) => [state, of]);
}

const longestLabel = 32;

export function pillTone(state: string): Tone {
  return tones.get(state) ?? 'idle';
}

/** A state as a word on its colour. `label` where the word differs from the state. */
export function pill(state: string, label: string = state.replaceAll('_', ' ')): Html {
  const isLong = label.length > longestLabel;
  const shown = isLong ? `${label.slice(0, longestLabel)}…` : label;
  return html`<span class="pill ${pillTone(state)}"${isLong && html` title="${label}"`}>${shown}</span>`;
}

export function buildPill(build: Pick<BuildSummary, 'state' | 'blocked'>): Html {
  return html`${pill(build.state)}${build.blocked && build.state !== 'blocked' && html` ${pill('blocked')}`}`;
}

const failedStates: ReadonlySet<string> = new Set(['failed', 'timed_out', 'expired']);

/** Whether it is a job's own fault that its build failed: one that never ran because another failed is not meant. */
export function isFailedJob(job: { state: string; exit_status: number | null }): boolean {
  return failedStates.has(job.state) || (job.state === 'finished' && job.exit_status !== null && job.exit_status !== 0);
}

export function jobPill(job: { state: string; exit_status: number | null }, softFailed: boolean): Html {
  if (!isFailedJob(job)) return pill(job.state);
  if (softFailed) return pill('running', 'soft failed');
  return job.state === 'finished' ? pill('failed') : pill(job.state);
}

/** What each state of a file means to a reader. */
export const stateMeaning: Readonly<Record<FileState, string>> = {
  present: 'mirrored',
  pending: 'still to be fetched',
  failed: 'could not be fetched yet and will be tried again',
  lost: 'gone from Buildkite before it could be mirrored',
  refused: 'refused by a rule of the mirror',
  errored: 'never fully uploaded to Buildkite',
  excluded: 'left out by the mirror’s settings',
  superseded: 'uploaded again under the same path in the same job',
  dropped: 'removed by the mirror’s retention',
  purged: 'removed by an operator',
};

export function mirroredText({ expected, present, settled, complete }: Counts): string {
  if (expected === 0) return complete ? 'No files to mirror' : settled ? 'No file could be mirrored' : 'Not listed yet';
  return `${formatCount(present)} of ${formatCount(expected)} mirrored`;
}

/** The bar is a drawing; the text beside it says the same. */
export function mirroredBar({ expected, present, complete }: Counts): Html {
  const percent = expected === 0 ? 100 : Math.floor((100 * present) / expected);
  const width = raw(`style="width:${percent}%"`);
  return html`<span class="bar${!complete && raw(' some')}" aria-hidden="true"><i ${width}></i></span>`;
}

/** The first line of a commit's message. */
export function titleOf(build: Pick<BuildSummary, 'message' | 'number'>): string {
  const [first] = (build.message ?? '').trim().split(/\r\n|[\n\r]/, 1);
  return first === undefined || first === '' ? `Build #${build.number}` : first;
}

export function durationOf(part: { started_at: string | null; finished_at: string | null }): string | null {
  const milliseconds = elapsed(part.started_at, part.finished_at);
  return milliseconds === null ? null : formatDuration(milliseconds);
}

/**
 * @param href where the build's page is, from the page that lists it
 * @param pipeline where builds of several are listed
 */
export function buildRow(build: BuildSummary, href: string, pipeline?: string): Html {
  return html`<li>
<div>${buildPill(build)}</div>
<div class="what">
<div class="title"><a href="${href}">${nameHtml(titleOf(build))}</a></div>
<div class="under"><span>${pipeline !== undefined && html`<bdi>${pipeline}</bdi> `}#${build.number}</span><span><bdi class="mono">${build.branch}</bdi></span>${
    build.commit !== '' && html`<span>${shortCommit(build.commit)}</span>`
  }${build.author !== null && html`<span><bdi>${build.author}</bdi></span>`}<span${
    !build.complete && raw(' class="some-missing"')
  }>${mirroredText(build)}${build.bytes > 0 && `, ${formatBytes(build.bytes)}`}</span></div>
</div>
<div class="when">${instant(build.finished_at ?? build.started_at ?? build.created_at)}<br>${durationOf(build)}</div>
</li>`;
}

/** The list of builds, or what to say when there is none. */
export function buildList(builds: readonly BuildSummary[], href: (build: BuildSummary) => string, none: string): Html {
  if (builds.length === 0) return html`<div class="card empty">${none}</div>`;
  return html`<ol class="card rows">${builds.map((build) => buildRow(build, href(build)))}</ol>`;
}

export function filesText(count: number, bytes: number): string {
  return `${counted(count, 'file')}, ${formatBytes(bytes)}`;
}

/** Names and what they are; those without a value are left out. */
export function factList(facts: readonly (readonly [string, Value])[]): Html {
  const shown = facts.filter(([, value]) => value !== null && value !== undefined && value !== false);
  return html`<dl class="facts">${shown.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}
