/** drop: applies the retention policy. Ends what was broken off, then removes what the policy names, one build at a time. */
import { comparePolicies, type PolicyWords, wordsOfPolicy } from '../src/config/retention.ts';
import { MirrorError, toMirrorError } from '../src/errors.ts';
import { logError } from '../src/log.ts';
import type { Outcome, TaskContext } from '../src/queue/run.ts';
import type { Payload } from '../src/queue/tasks.ts';
import { judgeBuilds } from '../src/search/candidates.ts';
import { type DropOrder, listOrders } from '../src/tree/dropping.ts';
import { dueSince } from '../src/tree/due.ts';
import { type OnProgress, running } from '../src/tree/marks.ts';
import type { Drop, DropResult } from '../src/tree/retention.ts';
import { sweepNow } from './derived.ts';
import { dropBuild, endDrop } from './drop-build.ts';
import type { Dropped } from './drop-count.ts';
import type { Upkeep } from './upkeep.ts';

/** A worker that starts makes a new catalog whole first: then there is something to judge by. */
const againMs = 10_000;
/** A policy that changed while it was applied is applied anew. */
const changedMs = 1000;

/** @param asked `policy`: nothing is removed by another than that; without one this worker's own counts */
export async function drop(upkeep: Upkeep, asked: Payload<'drop'>, context: TaskContext): Promise<Outcome> {
  if (upkeep.catalog.stage() === 'partial') return { againMs };
  const { paths, queue } = upkeep;
  try {
    const removed = await running(paths, 'drop', (at) => dropAll(upkeep, asked, context, at));
    return removed.refused !== null && asked.policy === undefined ? { againMs: changedMs } : undefined;
  } finally {
    // Also where one build could not be removed, or the disk is full; and of what an earlier run did not come to here with.
    if (dueSince(paths, sweepNow) !== null)
      await queue
        .enqueue({ name: 'sweep', payload: { graceMs: 0 } }, { workClass: 'bulk' })
        .catch((thrown: unknown) => logError(context.log, thrown, 'a sweep could not be asked for; it stays due'));
  }
}

async function dropAll(
  upkeep: Upkeep,
  asked: Payload<'drop'>,
  { signal, log }: TaskContext,
  at: OnProgress,
): Promise<DropResult> {
  const { paths, catalog, compareEveryMs } = upkeep;
  const policy = upkeep.policy();
  const tally = newTally(wordsOfPolicy(policy));
  const differs = asked.policy === undefined ? [] : comparePolicies(asked.policy, tally.policy);
  if (differs.length > 0) {
    log.warn({ differs }, 'retention was asked for by another policy than this worker goes by: nothing is removed');
    return { ...tally, refused: differs };
  }
  const { orders, unreadable } = await listOrders(paths);
  if (unreadable.length > 0) log.warn({ unreadable }, 'orders in state/dropping cannot be read and are left alone');
  let seen = 0;
  let failure: MirrorError | null = null;
  const each = async (orders: readonly DropOrder[], total: number, work: Removing): Promise<void> => {
    for (const order of orders) {
      signal.throwIfAborted();
      if (upkeep.policy() !== policy) return;
      at((seen += 1), total);
      const outcome = await dropOne(upkeep, order, () => work(upkeep, order, signal), { signal, log });
      if (outcome instanceof MirrorError) failure ??= outcome;
      else if (outcome !== null) countIn(tally, order, outcome);
    }
  };
  // First, so that what a crash broke off is not counted as if it were still there.
  await each(orders, orders.length, endDrop);
  const options = { policy, compareEveryMs, now: Date.now() };
  const { drops, kept, agesWait } = await judgeBuilds(paths, catalog, options, signal);
  tally.ages_wait = agesWait;
  if (agesWait !== null) log.warn({ because: agesWait }, 'no limit of age applies');
  for (const [because, of] of Map.groupBy(kept, (each) => each.because)) {
    tally.kept[because] = of.length;
    log.info({ because, builds: of.length }, 'builds that the policy would remove are kept');
  }
  await each(drops.map(orderOf), seen + drops.length, dropBuild);
  if (tally.builds > 0) log.info({ builds: tally.builds }, 'retention has removed');
  // All others are through: what may have gone by is tried again soon, and not with the next run.
  if (failure !== null) throw failure;
  const now = upkeep.policy();
  return now === policy ? tally : { ...tally, refused: comparePolicies(tally.policy, wordsOfPolicy(now)) };
}

function newTally(policy: PolicyWords): Tally {
  return { builds: 0, ages_wait: null, kept: {}, unreadable: [], policy, refused: null };
}

function countIn(tally: Tally, order: DropOrder, { kept, artifacts, logs }: Dropped | Unreadable): void {
  if (kept === null || artifacts + logs > 0) tally.builds += 1;
  if (kept === null) return;
  if (kept.kind === 'unreadable') {
    const { pipeline, number, build } = order;
    // An order of an earlier run may be for it as well.
    if (!tally.unreadable.some((each) => each.build === build)) tally.unreadable.push({ pipeline, number, build });
  } else tally.kept[kept.kind] = (tally.kept[kept.kind] ?? 0) + 1;
}

function orderOf({ candidate, parts, reason, text }: Drop): DropOrder {
  const { organization, pipeline, pipeline_id: pipelineId, number, id: build, finished_at } = candidate.summary;
  const askedAt = new Date().toISOString();
  return {
    version: 1,
    organization,
    pipeline,
    pipelineId,
    number,
    build,
    parts: [...parts],
    reason,
    text,
    finished_at,
    asked_at: askedAt,
  };
}

/** A result in the making. */
interface Tally extends DropResult {
  builds: number;
  ages_wait: string | null;
  readonly kept: Record<string, number>;
  readonly unreadable: DropResult['unreadable'][number][];
}

type Removing = (upkeep: Upkeep, order: DropOrder, signal: AbortSignal) => Promise<Dropped | null>;

type Unreadable = Omit<Dropped, 'bytes'>;
const cannotRead: Unreadable = {
  kept: { kind: 'unreadable', text: 'a record of it cannot be read' },
  artifacts: 0,
  logs: 0,
};

/** One build that cannot be removed keeps no other from it. @returns null where there was nothing to do; an error that may go by */
async function dropOne(
  upkeep: Upkeep,
  order: DropOrder,
  work: () => Promise<Dropped | null>,
  { signal, log }: Pick<TaskContext, 'signal' | 'log'>,
): Promise<Dropped | Unreadable | null | MirrorError> {
  const { pipeline, number } = order;
  try {
    const outcome = await work();
    if (outcome === null) return null;
    const { kept, artifacts, logs } = outcome;
    if (kept !== null)
      log.info({ pipeline, number, because: kept.text }, 'a build that the policy would remove is kept');
    upkeep.onRemoved('artifact', order.reason, artifacts);
    upkeep.onRemoved('log', order.reason, logs);
    if (kept === null && order.parts.includes('build')) upkeep.onRemoved('build', order.reason, 1);
    return outcome;
  } catch (thrown) {
    const error = toMirrorError(thrown);
    const { code } = error;
    if (signal.aborted || code === 'ERR_QUEUE_UNAVAILABLE' || code === 'ERR_TREE_FULL') throw thrown;
    logError(log, thrown, 'a build could not be removed and is kept', { pipeline, number });
    return code === 'ERR_TREE_CORRUPT' ? cannotRead : error;
  }
}
