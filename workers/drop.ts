/** drop: applies the retention policy. Ends what was broken off, then removes what the policy names, one build at a time. */
import { MirrorError, toMirrorError } from '../src/errors.ts';
import { logError } from '../src/log.ts';
import type { Outcome, TaskContext } from '../src/queue/run.ts';
import { judgeBuilds } from '../src/search/candidates.ts';
import { type DropOrder, listOrders } from '../src/tree/dropping.ts';
import { type OnProgress, running } from '../src/tree/marks.ts';
import type { Drop } from '../src/tree/retention.ts';
import { dropBuild, endDrop } from './drop-build.ts';
import type { Dropped } from './drop-count.ts';
import type { Upkeep } from './upkeep.ts';

/** A worker that starts makes a new catalog whole first: then there is something to judge by. */
const againMs = 10_000;

export async function drop(upkeep: Upkeep, context: TaskContext): Promise<Outcome> {
  if (upkeep.catalog.stage() === 'partial') return { againMs };
  const removed = await running(upkeep.paths, 'drop', (at) => dropAll(upkeep, context, at));
  if (removed.builds > 0) await upkeep.queue.enqueue({ name: 'sweep', payload: { graceMs: 0 } }, { workClass: 'bulk' });
  return undefined;
}

/** What the mark of a run tells. */
interface Result {
  readonly builds: number;
  /** Why no limit of age applied; null: they did. */
  readonly ages_wait: string | null;
}

async function dropAll(upkeep: Upkeep, { signal, log }: TaskContext, at: OnProgress): Promise<Result> {
  const { paths, catalog, policy, compareEveryMs } = upkeep;
  const { orders, unreadable } = await listOrders(paths);
  if (unreadable.length > 0) log.warn({ unreadable }, 'orders in state/dropping cannot be read and are left alone');
  let [removed, seen] = [0, 0];
  let failure: MirrorError | null = null;
  const each = async (orders: readonly DropOrder[], total: number, work: Removing): Promise<void> => {
    for (const order of orders) {
      signal.throwIfAborted();
      at((seen += 1), total);
      const outcome = await dropOne(upkeep, order, () => work(upkeep, order, signal), { signal, log });
      if (outcome instanceof MirrorError) failure ??= outcome;
      else if (outcome) removed += 1;
    }
  };
  // First, so that what a crash broke off is not counted as if it were still there.
  await each(orders, orders.length, endDrop);
  const options = { policy, compareEveryMs, now: Date.now() };
  const { drops, kept, agesWait } = await judgeBuilds(paths, catalog, options, signal);
  if (agesWait !== null) log.warn({ because: agesWait }, 'no limit of age applies');
  for (const [because, of] of Map.groupBy(kept, (each) => each.because)) {
    log.info({ because, builds: of.length }, 'builds that the policy would remove are kept');
  }
  await each(drops.map(orderOf), seen + drops.length, dropBuild);
  if (removed > 0) log.info({ builds: removed }, 'retention has removed');
  // All others are through: what may have gone by is tried again soon, and not with the next run.
  if (failure !== null) throw failure;
  return { builds: removed, ages_wait: agesWait };
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

type Removing = (upkeep: Upkeep, order: DropOrder, signal: AbortSignal) => Promise<Dropped | null>;

/** One build that cannot be removed keeps no other from it. @returns whether anything was; an error that may go by */
async function dropOne(
  upkeep: Upkeep,
  order: DropOrder,
  work: () => Promise<Dropped | null>,
  { signal, log }: Pick<TaskContext, 'signal' | 'log'>,
): Promise<boolean | MirrorError> {
  const { pipeline, number } = order;
  try {
    const outcome = await work();
    if (outcome === null) return false;
    const { kept, artifacts, logs } = outcome;
    if (kept !== null) log.info({ pipeline, number, because: kept }, 'a build that the policy would remove is kept');
    upkeep.onRemoved('artifact', order.reason, artifacts);
    upkeep.onRemoved('log', order.reason, logs);
    if (kept === null && order.parts.includes('build')) upkeep.onRemoved('build', order.reason, 1);
    return kept === null || artifacts + logs > 0;
  } catch (thrown) {
    const error = toMirrorError(thrown);
    const { code } = error;
    if (signal.aborted || code === 'ERR_QUEUE_UNAVAILABLE' || code === 'ERR_TREE_FULL') throw thrown;
    logError(log, thrown, 'a build could not be removed and is kept', { pipeline, number });
    return code === 'ERR_TREE_CORRUPT' ? false : error;
  }
}
