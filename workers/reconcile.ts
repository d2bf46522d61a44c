/**
 * The worker's own round: compare upstream with the tree, take up what was left open. All workers come by, one at a time
 * does the work: its hold is in Redis, the state that tells what is due is in the data folder.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BuildList } from '../src/buildkite/build-list.ts';
import { type Log, logError } from '../src/log.ts';
import type { Hold } from '../src/queue/hold.ts';
import { type Counts, compareStep, type Outcome } from '../src/reconcile/compare.ts';
import { type FileRules, followRoom, followSettings } from '../src/reconcile/loosened.ts';
import { mendGaps } from '../src/reconcile/mend-gaps.ts';
import { takeUpDue, takeUpGaps } from '../src/reconcile/take-up.ts';
import { type ReconcileState, readReconcileState } from '../src/tree/reconcile-state.ts';
import { damaged, orDamaged } from '../src/tree/records.ts';
import { roomOn } from '../src/tree/space.ts';
import type { WorkerContext } from './context.ts';

export interface ReconcileOptions {
  readonly worker: WorkerContext;
  readonly list: BuildList;
  /** Of the webhook. Never throws for what Buildkite answers: the comparison does not depend on it. */
  readonly care: readonly ((signal: AbortSignal) => Promise<void>)[];
  readonly hold: Hold;
  readonly intervalMs: number;
  /** Of the settings that decide what is mirrored. */
  readonly settings: FileRules & { readonly minFreeBytes: number | null };
  readonly log: Log;
  readonly onOutcome: (outcome: Outcome) => void;
}

export interface Reconciling {
  stop(): Promise<void>;
}

/** How soon a Redis that lost its tasks is noticed, and another worker's end. */
const lookEveryMs = 5000;
/** Where gaps could not be taken up: what is in the way may be gone by then. */
const brokenRestMs = 15_000;
/** Between two steps of a long absence: what else waits for the budget gets its turn. */
const betweenStepsMs = 2000;
/** A task that was tried in vain for hours has given up; its gap has not. */
const takeUpEveryMs = 30 * 60_000;

export function startReconciling(options: ReconcileOptions): Reconciling {
  const stopping = new AbortController();
  const running = keepReconciling(options, stopping.signal);
  return {
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}

async function keepReconciling(options: ReconcileOptions, stopping: AbortSignal): Promise<void> {
  const { hold, intervalMs, log } = options;
  const startedAt = new Date().toISOString();
  let isFirst = true;
  // By a clock that nobody sets. What was open is taken up soon also where a comparison broke off, as by a loss of Redis.
  const restUntil = { takeUp: 0, compare: 0 };
  const isRested = (step: keyof typeof restUntil): boolean => performance.now() >= restUntil[step];
  while (!stopping.aborted) {
    const held = await hold.take('reconcile', false).catch(() => null);
    let step: keyof typeof restUntil = 'takeUp';
    try {
      if (held !== null) {
        const signal = AbortSignal.any([stopping, held.yielding]);
        if (isRested(step)) {
          await takeUp(options, isFirst);
          isFirst = false;
        }
        step = 'compare';
        if (isRested(step)) await compareWhenDue(options, startedAt, signal);
      }
    } catch (thrown) {
      // What is on disk is where the next round goes on.
      if (!stopping.aborted) logError(log, thrown, 'a reconciliation broke off');
      restUntil[step] = performance.now() + (step === 'compare' ? intervalMs : Math.min(intervalMs, brokenRestMs));
    } finally {
      await held?.release().catch((thrown: unknown) => log.debug({ error: String(thrown) }, 'a hold was not let go'));
    }
    await sleep(Math.min(lookEveryMs, intervalMs), undefined, { signal: stopping }).catch(() => undefined);
  }
}

async function takeUp({ worker, log }: ReconcileOptions, isFirst: boolean): Promise<void> {
  const { paths, queue, catalog, onDamaged } = worker;
  if (isFirst || !(await queue.isTakenUp())) {
    await mendGaps({ paths, catalog, log, onDamaged });
    const open = await queue.whileTakingUp(takeUpEveryMs, async () => {
      const gaps = await takeUpGaps(paths, queue);
      await takeUpDue(paths, queue, catalog);
      return gaps;
    });
    if (open > 0) log.info({ builds: open }, 'builds with gaps are taken up again');
  }
}

async function compareWhenDue(options: ReconcileOptions, startedAt: string, signal: AbortSignal): Promise<void> {
  // A state that cannot be read is made again by the comparison that follows.
  const state = await orDamaged(readReconcileState(options.worker.paths));
  if (state === damaged || isDue(state, startedAt, options.intervalMs)) await compare(options, signal);
}

/** At the worker's start, and then in intervals; a comparison that was begun is brought to its end. */
function isDue(state: ReconcileState | null, startedAt: string, intervalMs: number): boolean {
  if (state?.comparison !== null || state.completed === null) return true;
  const { beganAt } = state.completed;
  // One that began later than now began before the clock was set back.
  return beganAt < startedAt || Math.abs(Date.now() - Date.parse(beganAt)) >= intervalMs;
}

async function compare(options: ReconcileOptions, signal: AbortSignal): Promise<void> {
  const { worker, list, log, onOutcome } = options;
  const { paths, queue, catalog, settings: rules } = worker;
  const { onDamaged } = worker;
  const { organization } = rules;
  const parts = { paths, queue, catalog, rules, list, log, onOutcome, onDamaged, organization };
  for (let steps = 1; ; steps += 1) {
    const { counts, requests, isComplete } = await compareStep(parts, signal);
    say(log, counts, requests, steps);
    if (isComplete) break;
    await sleep(betweenStepsMs, undefined, { signal });
  }
  for (const care of options.care) await care(signal);
  const { again, looksBack } = await followSettings(parts, options.settings);
  if (again > 0 || looksBack)
    log.info({ builds: again, looksBack }, 'the settings have changed: what they kept out is looked at');
  const larger = await followRoom(parts, roomOn(paths.root, options.settings.minFreeBytes).most);
  if (larger > 0) log.info({ builds: larger }, 'the disk can hold more: what was too large for it is looked at');
}

function say(log: Log, counts: Counts, requests: number, steps: number): void {
  const found = counts.unknown + counts.changed + counts.unsettled;
  log[found > 0 || steps > 1 ? 'info' : 'debug']({ ...counts, requests }, 'compared with Buildkite');
}
