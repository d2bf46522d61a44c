/**
 * A comparison: asks upstream for the builds that finished since the mark, compares them with the catalog, and records every
 * difference as a gap. The mark moves when all differences are on disk, not when they are fetched. A long absence is
 * caught up in steps: each notes how far it came, and the next one goes on there, after a restart too.
 */
import type { BuildList } from '../buildkite/build-list.ts';
import { MirrorError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Catalog } from '../search/catalog.ts';
import { isDropped } from '../tree/dropping.ts';
import {
  markOverlapMs,
  mendReconcileState,
  type ReconcileState,
  readReconcileState,
  writeReconcileState,
} from '../tree/reconcile-state.ts';
import type { DamagedRecord } from '../tree/salvaged.ts';
import { unseenPipelines } from '../tree/unsettled.ts';
import { type BuildRules, endOf, isDifference, judgeBuild } from './judge.ts';
import { type Difference, type GapParts, recordGaps } from './record-gaps.ts';
import { type WalkedPage, walkBuilds, walkStart } from './walk.ts';

export const outcomes = ['unchanged', 'unknown', 'changed', 'unsettled', 'excluded', 'dropped', 'unreadable'] as const;
export type Outcome = (typeof outcomes)[number];
export type Counts = Record<Outcome, number>;

export interface CompareParts extends GapParts {
  readonly list: BuildList;
  readonly catalog: Pick<Catalog, 'known'>;
  readonly rules: BuildRules;
  readonly log: Log;
  readonly onOutcome?: (outcome: Outcome) => void;
  readonly onDamaged?: (of: DamagedRecord) => void;
  /** After each page. */
  readonly onPage?: (counts: Counts) => void;
}

export interface StepResult {
  readonly counts: Counts;
  readonly requests: number;
  /** False: there is more, and another step goes on where this one ended. */
  readonly isComplete: boolean;
}

/** Where nothing was mirrored before, a comparison looks back this far; what is older is for a backfill. */
const firstLookMs = 3_600_000;
/** Upstream's clock is believed unless it is this far ahead of ours: a mark in the future would pass builds over. */
const clockSlackMs = 3_600_000;
/** Who waits for a build that finished longer ago than this has stopped waiting. */
const recentMs = 3_600_000;
/** 2,000 builds. */
const pagesAStep = 20;
/** A list that builds keep leaving is believed after so many walks. */
const repeatsAtMost = 3;
/** Builds that cannot be read are looked for again after so long: whoever mends what lists them need not tell. */
const partialEveryMs = 6 * 3_600_000;

/** @throws MirrorError ERR_UPSTREAM_…, ERR_QUEUE_UNAVAILABLE, with the mark where it was */
export async function compareStep(parts: CompareParts, signal: AbortSignal): Promise<StepResult> {
  const stepBeganAt = Date.now();
  await mendState(parts);
  const before = (await readReconcileState(parts.paths)) ?? firstState(stepBeganAt);
  const comparison = before.comparison ?? newComparison(await beginOf(parts, before, stepBeganAt));
  const counts = emptyCounts();
  const query = { organization: parts.organization, finishedFrom: comparison.from };
  let { beganAt, startedAt, hasHole, isCounted, isPartial } = comparison;
  let requests = 0;
  for await (const page of walkBuilds(parts.list, query, comparison.place, signal)) {
    requests += 1;
    if (startedAt === null) beganAt = new Date(stepBeganAt).toISOString();
    startedAt ??= new Date(Math.min(page.at, Date.now() + clockSlackMs)).toISOString();
    hasHole ||= page.hasHole;
    isCounted ||= page.isCounted;
    isPartial ||= page.unreadable > 0;
    await takePage(parts, page, counts);
    parts.onPage?.(counts);
    if (page.next === null || requests < pagesAStep) continue;
    await writeReconcileState(parts.paths, {
      ...before,
      comparison: { ...comparison, beganAt, startedAt, hasHole, isCounted, isPartial, place: page.next },
    });
    return { counts, requests, isComplete: false };
  }
  if (startedAt === null) throw new MirrorError('ERR_INTERNAL', 'a comparison saw no page');
  // Two walks by number do not pass the same build over.
  if (comparison.repeats < (hasHole ? repeatsAtMost : isCounted ? 1 : 0)) {
    parts.log.info(
      { repeats: comparison.repeats + 1 },
      'a build left the list during the comparison, or may have, and it is repeated',
    );
    const again = { ...newComparison(comparison.from), repeats: comparison.repeats + 1 };
    await writeReconcileState(parts.paths, { ...before, comparison: again });
    return { counts, requests, isComplete: false };
  }
  const mark = new Date(Date.parse(startedAt) - markOverlapMs).toISOString();
  // One that a version began which did not note it began no earlier than the one before.
  const completed = {
    beganAt: beganAt ?? before.completed?.beganAt ?? comparison.from,
    endedAt: new Date().toISOString(),
  };
  const lookedAt = new Date(stepBeganAt).toISOString();
  const unseen = await unseenPipelines(parts.paths);
  const partial = partialAfter(before.partial, { from: comparison.from, isPartial, lookedAt, unseen });
  await writeReconcileState(parts.paths, { ...before, mark, comparison: null, completed, partial });
  return { counts, requests, isComplete: true };
}

/** Usually the mark; where builds could not be read, now and then an earlier time, and once a pipeline is seen again. */
async function beginOf({ paths }: Pick<CompareParts, 'paths'>, state: ReconcileState, now: number): Promise<string> {
  const { mark, partial } = state;
  if (partial === null || partial.from >= mark) return mark;
  if (partial.unreadable && Math.abs(now - Date.parse(partial.lookedAt)) >= partialEveryMs) return partial.from;
  if (partial.hidden.length === 0) return mark;
  const unseen = await unseenPipelines(paths);
  return partial.hidden.every((slug) => unseen.has(slug)) ? mark : partial.from;
}

interface Looked {
  readonly from: string;
  /** It was shown builds that cannot be read. */
  readonly isPartial: boolean;
  readonly lookedAt: string;
  /** What else these have is not listed either. */
  readonly unseen: ReadonlyMap<string, string>;
}

function partialAfter(known: ReconcileState['partial'], looked: Looked): ReconcileState['partial'] {
  const { from, isPartial, lookedAt, unseen } = looked;
  const before = known === null || from <= known.from ? null : known;
  const unreadable = isPartial || before?.unreadable === true;
  const hidden = [...new Set([...(before?.hidden ?? []), ...unseen.keys()])];
  if (!unreadable && hidden.length === 0) return null;
  const [earliest = from] = [before?.from ?? from, ...unseen.values()].toSorted();
  return { from: earliest, lookedAt: before?.lookedAt ?? lookedAt, unreadable, hidden };
}

/** Whole comparisons by people: `kitemirror reconcile`. @param since looks back to there, whatever the mark says (ISO 8601) */
export async function lookBack(parts: Pick<CompareParts, 'paths' | 'log' | 'onDamaged'>, since: string): Promise<void> {
  await mendState(parts);
  const state = (await readReconcileState(parts.paths)) ?? firstState(Date.now());
  // A comparison that is under way may be looking back further than that.
  const [from = since] = [since, state.mark, state.comparison?.from ?? since].toSorted();
  await writeReconcileState(parts.paths, { ...state, comparison: newComparison(from) });
}

/** A mark that cannot be read would pass builds over: the comparison goes on from an earlier one. */
async function mendState({ paths, log, onDamaged }: Pick<CompareParts, 'paths' | 'log' | 'onDamaged'>): Promise<void> {
  const mark = await mendReconcileState(paths, firstLookMs);
  if (mark === null) return;
  onDamaged?.({ record: 'mark' });
  log.warn(
    { from: mark },
    'up to when all builds are known could not be read: builds are compared from an earlier time on',
  );
}

function firstState(now: number): ReconcileState {
  const mark = new Date(now - firstLookMs).toISOString();
  return { version: 1, mark, first: mark, comparison: null, completed: null, partial: null, settings: null };
}

export function newComparison(from: string): NonNullable<ReconcileState['comparison']> {
  const fresh = { hasHole: false, isCounted: false, repeats: 0, isPartial: false };
  return { from, beganAt: null, startedAt: null, place: walkStart, ...fresh };
}

async function takePage(parts: CompareParts, page: WalkedPage, counts: Counts): Promise<void> {
  const differences: Difference[] = [];
  const known = parts.catalog.known(page.builds.map(({ id }) => id));
  for (const build of page.builds) {
    const verdict = judgeBuild(build, known.get(build.id) ?? null, parts.rules);
    // What our own retention removed is not brought back.
    const isGone = verdict === 'unknown' && (await isDropped(parts.paths, build.id, endOf(build)));
    count(parts, counts, isGone ? 'dropped' : verdict);
    if (isGone || !isDifference(verdict)) continue;
    const since = build.finished_at ?? new Date(page.at).toISOString();
    const isRecent = page.at - Date.parse(since) < recentMs;
    differences.push({ build, learnedFrom: 'reconcile', since, workClass: isRecent ? 'live' : 'reconcile' });
  }
  for (let item = 0; item < page.unreadable; item += 1) count(parts, counts, 'unreadable');
  if (page.unreadable > 0) parts.log.error({ builds: page.unreadable }, 'upstream lists builds that cannot be read');
  await recordGaps(parts, differences);
}

function count({ onOutcome }: CompareParts, counts: Counts, outcome: Outcome): void {
  counts[outcome] += 1;
  onOutcome?.(outcome);
}

export function emptyCounts(): Counts {
  return { unchanged: 0, unknown: 0, changed: 0, unsettled: 0, excluded: 0, dropped: 0, unreadable: 0 };
}
