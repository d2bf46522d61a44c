/**
 * state/reconcile.json: up to when every build that upstream calls finished is known to the tree, as mirrored or as a
 * gap; and how far a sweep that is under way has come. On disk before anything rests on it.
 */
import { z } from 'zod';
import { MirrorError } from '../errors.ts';
import { readIfPresent, writeAtomic } from './files.ts';
import type { DataPaths } from './paths.ts';
import { syncGaps } from './unsettled.ts';

/** Where a walk through a list of builds goes on. Instants are ISO 8601. */
export const WalkPlace = z.object({
  /** Only builds that were created between these. */
  createdFrom: z.string().nullable(),
  createdTo: z.string().nullable(),
  page: z.int().min(1),
  /** The list does not mind bounds: pages are counted from its start. */
  isNumbered: z.boolean(),
  /** The uuid of the build that the next page must show once more, if nothing left the list meanwhile. */
  last: z.string().nullable(),
});
export type WalkPlace = z.infer<typeof WalkPlace>;

export const ReconcileState = z.object({
  version: z.literal(1),
  /** Upstream's clock (ISO 8601): builds that finished before it are all known. */
  mark: z.string(),
  /** The mark that was there first: what was before it is for a backfill. */
  first: z.string(),
  sweep: z
    .object({
      /** Builds that finished at or after this. */
      from: z.string(),
      /** Upstream's clock at the first page; null: not asked yet. */
      startedAt: z.string().nullable(),
      place: WalkPlace,
      /** A build left the list while it was walked: others may have been overlooked. */
      hasHole: z.boolean(),
      /** How often it was begun anew for that reason. */
      repeats: z.number(),
    })
    .nullable(),
  /** Our clock (ISO 8601), when the last complete sweep began and ended; null: there was none. */
  completed: z.object({ beganAt: z.string(), endedAt: z.string() }).nullable(),
  /** Digests of the settings that the last complete sweep went by. */
  settings: z.object({ builds: z.string(), files: z.string() }).nullable(),
});
export type ReconcileState = z.infer<typeof ReconcileState>;

/** @throws MirrorError ERR_TREE_CORRUPT for a file that cannot be read: a guess could pass builds over for good */
export async function readReconcileState(paths: DataPaths): Promise<ReconcileState | null> {
  const text = await readIfPresent(paths.reconcileState);
  if (text === null) return null;
  try {
    return ReconcileState.parse(JSON.parse(text));
  } catch (cause) {
    const remedy = 'remove it, and fetch what finished since the last good sweep with `kitemirror backfill --since`';
    throw new MirrorError('ERR_TREE_CORRUPT', `${paths.reconcileState} cannot be read; ${remedy}`, {}, cause);
  }
}

/** A build may become visible a little after the time at which it is said to have finished: marks stay this far behind. */
export const markOverlapMs = 10 * 60_000;

/** Until when (ms since 1970, our clock) all that finished is known by a complete sweep; null: there was none. */
export async function readReconciledUntil(paths: DataPaths): Promise<number | null> {
  const completed = (await readReconcileState(paths))?.completed ?? null;
  return completed === null ? null : Date.parse(completed.beganAt) - markOverlapMs;
}

/** Gaps that were opened before are on disk by their names when this returns, too. */
export async function writeReconcileState(paths: DataPaths, state: ReconcileState): Promise<void> {
  await syncGaps(paths);
  await writeAtomic(paths.reconcileState, `${JSON.stringify(state)}\n`);
}
