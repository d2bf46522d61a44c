/**
 * state/reconcile.json: up to when every build that upstream calls finished is known to the tree, as mirrored or as a
 * gap; and how far a comparison that is under way has come. On disk before anything rests on it.
 */
import { z } from 'zod';
import { MirrorError } from '../errors.ts';
import { writeAtomic, writtenAt } from './files.ts';
import type { DataPaths } from './paths.ts';
import { damaged, orDamaged, readRecord } from './records.ts';
import { keepDamaged } from './salvaged.ts';
import { sealed } from './sealed.ts';
import { throughStaging } from './temporary.ts';
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
  /** null also where none is told of: it then begins at the mark. */
  comparison: z
    .object({
      /** Builds that finished at or after this. */
      from: z.string(),
      /** Our clock when the first page was asked for (ISO 8601); null: not asked yet. */
      beganAt: z.string().nullable().default(null),
      /** Upstream's clock at the first page; null: not asked yet. */
      startedAt: z.string().nullable(),
      place: WalkPlace,
      /** A build left the list while it was walked: others may have been overlooked. */
      hasHole: z.boolean(),
      /** Pages were found by their number alone: see `WalkedPage`. */
      isCounted: z.boolean().default(false),
      /** How often it was begun anew for that reason, or the one before. */
      repeats: z.number(),
      /** It was shown builds that cannot be read. */
      isPartial: z.boolean().default(false),
    })
    .nullable()
    .default(null),
  /** Our clock (ISO 8601), when the last complete comparison began and ended; null: there was none. */
  completed: z.object({ beganAt: z.string(), endedAt: z.string() }).nullable(),
  /**
   * Builds that finished at or after `from` cannot all be read, as a comparison saw that began `lookedAt` (ISO 8601, our
   * clock): the mark has gone on, and some comparisons look back to there. `unreadable`: the list held what cannot be read,
   * until it does not; `hidden`: upstream showed nothing of these pipelines (slugs), which may have builds that nobody told
   * of, until they are seen. null: all could be read.
   */
  partial: z
    .object({
      from: z.string(),
      lookedAt: z.string(),
      unreadable: z.boolean().default(true),
      hidden: z.array(z.string()).catch([]),
    })
    .nullable()
    .default(null),
  /** Digests of the settings that the last complete comparison went by. */
  settings: z.object({ builds: z.string(), files: z.string() }).nullable(),
});
export type ReconcileState = z.infer<typeof ReconcileState>;

/**
 * Where the state cannot be read, the copy that was made after the last complete comparison: its mark is older, and comparing from
 * there passes nothing over. @returns null where there was no comparison yet @throws MirrorError ERR_TREE_CORRUPT without a copy
 */
export async function readReconcileState(paths: DataPaths): Promise<ReconcileState | null> {
  const state = await orDamaged(readOne(paths.reconcileState));
  if (state !== damaged && state !== null) return state;
  const copy = await orDamaged(readOne(paths.reconcileCopy));
  if (copy !== damaged && (copy !== null || state === null)) return copy;
  throw new MirrorError('ERR_TREE_CORRUPT', `${paths.reconcileState} and its copy cannot be read`);
}

function readOne(file: string): Promise<ReconcileState | null> {
  return readRecord(file, (value) => ReconcileState.parse(value));
}

/**
 * Writes a state that cannot be read anew, with a mark that is early enough in any case: that of the copy, else the time at
 * which this data folder was begun.
 * @param firstLookMs so long before its beginning a mirror's first comparison looks
 * @returns where the comparison goes on from (ISO 8601); null: nothing was wrong
 */
export async function mendReconcileState(paths: DataPaths, firstLookMs: number): Promise<string | null> {
  if ((await orDamaged(readOne(paths.reconcileState))) !== damaged) return null;
  await keepDamaged(paths, paths.reconcileState, { record: 'mark' });
  const known = await orDamaged(readReconcileState(paths));
  const began = new Date((writtenAt(paths.format) ?? 0) - firstLookMs).toISOString();
  const fresh = {
    version: 1,
    mark: began,
    first: began,
    comparison: null,
    completed: null,
    partial: null,
    settings: null,
  } as const;
  const state = known === damaged || known === null ? fresh : known;
  await writeReconcileState(paths, state);
  return state.mark;
}

/** A build may become visible a little after the time at which it is said to have finished: marks stay this far behind. */
export const markOverlapMs = 10 * 60_000;

/** Until when (ms since 1970, our clock) all that finished is known by a complete comparison; null: there was none. */
export async function readReconciledUntil(paths: DataPaths): Promise<number | null> {
  const state = await orDamaged(readReconcileState(paths));
  const completed = state === damaged ? null : (state?.completed ?? null);
  return completed === null ? null : Date.parse(completed.beganAt) - markOverlapMs;
}

/**
 * Upstream's clock when the last complete comparison began (ms since 1970); null: there was none.
 * @throws MirrorError ERR_TREE_CORRUPT where nothing of the state can be read
 */
export async function readComparedAt(paths: DataPaths): Promise<number | null> {
  const state = await readReconcileState(paths);
  return state === null || state.completed === null ? null : Date.parse(state.mark) + markOverlapMs;
}

/** Gaps that were opened before are on disk by their names when this returns, too. */
export async function writeReconcileState(paths: DataPaths, state: ReconcileState): Promise<void> {
  await syncGaps(paths);
  await writeAtomic(paths.reconcileState, sealed(state), throughStaging(paths));
  if (state.comparison === null) await writeAtomic(paths.reconcileCopy, sealed(state), throughStaging(paths));
}
