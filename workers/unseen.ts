/**
 * Builds whose pipeline upstream shows nothing of. It may be deleted, and as well be renamed or hidden from the token for an
 * hour: so nothing is concluded, the gap says since when, and the build is looked at again at growing intervals. Only after so
 * long that nothing would be left to fetch is a 404 believed, by upstream's clock: ours may jump.
 */
import { type MirrorError, toMirrorError } from '../src/errors.ts';
import type { Log } from '../src/log.ts';
import type { BuildRef } from '../src/model.ts';
import { maxBackoffMs } from '../src/queue/tasks.ts';
import { readComparedAt } from '../src/tree/reconcile-state.ts';
import { damaged, orDamaged } from '../src/tree/records.ts';
import { openUnsettled, readUnsettled } from '../src/tree/unsettled.ts';
import type { WorkerContext } from './context.ts';

const dayMs = 86_400_000;
/** It is looked at again after a quarter of the time that there has been nothing to see, and no sooner than this. */
const soonestMs = 5000;

export interface Unseen {
  /** The name that the pipeline has now; null where nothing tells of one. */
  readonly slug: string | null;
}

/** @returns null for anything else than a pipeline that cannot be seen */
export function unseenOf(thrown: unknown, signal: AbortSignal): Unseen | null {
  const error: MirrorError = toMirrorError(thrown);
  if (signal.aborted || error.code !== 'ERR_UPSTREAM_UNSEEN') return null;
  const { slug } = error.details;
  return { slug: typeof slug === 'string' ? slug : null };
}

/** Notes it in the build's gap. @returns after how many ms it is to be looked at again; null: it is to be taken as gone */
export async function noteUnseen(
  {
    paths,
    settings,
  }: Pick<WorkerContext, 'paths'> & { readonly settings: Pick<WorkerContext['settings'], 'unseenDays'> },
  ref: BuildRef,
  log: Log,
): Promise<number | null> {
  const gap = await readUnsettled(paths, ref.build);
  if (gap === null) return soonestMs;
  // Upstream's clock when all was compared last. Where it cannot be told, there is nothing to count by.
  const told = await orDamaged(readComparedAt(paths));
  const comparedAt = told === damaged ? null : told;
  const { build, pipeline, number } = gap;
  if (gap.unseenSince == null) {
    const since = new Date(Math.max(Date.now(), comparedAt ?? 0));
    await openUnsettled(paths, { ...gap, unseenSince: since.toISOString() });
    log.warn(
      { build, pipeline, number },
      'upstream shows nothing of a pipeline: nothing is concluded for its build, which is looked at again',
    );
    return soonestMs;
  }
  const since = Date.parse(gap.unseenSince);
  if (comparedAt !== null && Math.min(comparedAt, Date.now()) - since >= settings.unseenDays * dayMs) return null;
  return Math.min(maxBackoffMs, Math.max(soonestMs, (Date.now() - since) / 4));
}
