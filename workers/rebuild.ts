/**
 * rebuild: makes again from the records alone all that is derived from them: names of files, blobs' own names, sums, markers,
 * merged and step views, pages, `latest` and its kin, the catalog. Can be repeated; what is right stays as it is.
 */
import { type MirrorError, toMirrorError } from '../src/errors.ts';
import { type Log, logError } from '../src/log.ts';
import type { Outcome, TaskContext } from '../src/queue/run.ts';
import { identityOf } from '../src/queue/tasks.ts';
import { unlinkFile } from '../src/tree/blobs.ts';
import { writtenAt } from '../src/tree/files.ts';
import { type OnProgress, running } from '../src/tree/marks.ts';
import type { Place } from '../src/tree/paths.ts';
import { removeStalePointers } from '../src/tree/pointers.ts';
import { damaged, orDamaged } from '../src/tree/records.ts';
import { measureBlobs } from '../src/tree/sweep.ts';
import { addressOf, holdSweep, readSweepHold } from '../src/tree/sweep-hold.ts';
import { walkBuilds, walkPipelines } from '../src/tree/walk.ts';
import { enqueueDerived } from './derived.ts';
import { followPointers } from './note-in-catalog.ts';
import { rebuildBuild } from './rebuild-build.ts';
import type { Upkeep } from './upkeep.ts';

export interface Rebuilt {
  readonly builds: number;
  /** Files that got their names back. */
  readonly linked: number;
  /** Files of which nothing has the bytes any more: they are fetched again. */
  readonly gone: number;
  /** Builds of which a record could not be read: it is made again. */
  readonly salvaged: readonly string[];
  /** Places of which nothing tells what they held: left as they are. */
  readonly unreadable: readonly string[];
}

export async function rebuild(upkeep: Upkeep, context: TaskContext): Promise<Outcome> {
  const { gone } = await running(upkeep.paths, 'rebuild', (at) => rebuildAll(upkeep, context, at));
  unlinkFile(upkeep.paths.rebuildDue);
  if (gone > 0) await upkeep.queue.enqueue({ name: 'repair', payload: {} });
  return undefined;
}

async function rebuildAll(upkeep: Upkeep, { signal, log }: TaskContext, at: OnProgress): Promise<Rebuilt> {
  const { paths, catalog } = upkeep;
  const places: Place[] = [];
  for await (const place of walkBuilds(paths)) places.push(place);
  const total = { builds: 0, linked: 0, gone: 0, salvaged: [] as string[], unreadable: [] as string[] };
  const found = new Set<string>();
  const inDoubt: Place[] = [];
  let failure: MirrorError | null = null;
  for (const [index, place] of places.entries()) {
    signal.throwIfAborted();
    at(index, places.length);
    try {
      const done = await rebuildBuild(upkeep, place, signal);
      if (done === null) continue;
      found.add(done.build);
      total.builds += 1;
      total.linked += done.linked;
      total.gone += done.gone;
      if (done.isSalvaged) total.salvaged.push(done.build);
      if (done.isOpen) inDoubt.push(place);
    } catch (thrown) {
      const error = toMirrorError(thrown);
      if (signal.aborted || error.code === 'ERR_QUEUE_UNAVAILABLE' || error.code === 'ERR_TREE_FULL') throw thrown;
      if (error.code !== 'ERR_TREE_CORRUPT') failure ??= error;
      logError(log, thrown, 'a build cannot be made again from its records', {
        folder: place.folder,
        number: place.number,
      });
      total.unreadable.push(`${place.folder}/${place.number}`);
      inDoubt.push(place);
    }
  }
  // What may go by is tried again. Until then it is not called done, and no blob is swept that waits for its name.
  if (failure !== null) throw failure;
  const held = await orDamaged(readSweepHold(paths));
  await holdSweep(paths, inDoubt, held === damaged ? null : (held?.since ?? null));
  // A build whose records cannot be read keeps its entry: in doubt nothing is forgotten.
  if (total.unreadable.length === 0) forgetAbsent(upkeep, found);
  catalog.recount((await measureBlobs(paths, signal)).bytes);
  for await (const { organization, folder } of walkPipelines(paths)) {
    if (total.unreadable.length === 0) {
      const ours = places.filter((place) => place.organization === organization && place.folder === folder);
      await removeStalePointers(paths, organization, folder, new Set(ours.map(({ number }) => number)));
    }
    await enqueueDerived(upkeep, { name: 'publish-pipeline', payload: { organization, folder, number: null } });
  }
  log.info(
    { ...total, salvaged: total.salvaged.length, unreadable: total.unreadable.length },
    'all was made again from the records',
  );
  return total;
}

function forgetAbsent(upkeep: Upkeep, found: ReadonlySet<string>): void {
  const absent = Array.from(upkeep.catalog.entries()).filter(({ summary }) => !found.has(summary.id));
  for (const { folder, summary } of absent) {
    const place = { organization: summary.organization, folder, number: summary.number };
    upkeep.catalog.remove(summary.id, (changes) => followPointers(upkeep, place, changes));
  }
}

/**
 * Looks again at the builds that hold the sweep: what was made again since is rebuilt, and what somebody has removed is no
 * matter any more. A place that stays in doubt holds it until someone decides: what its record named may be all there is.
 * @returns whether nothing holds it any more
 */
export async function releaseSweep(upkeep: Upkeep, { signal, log }: TaskContext): Promise<boolean> {
  if (writtenAt(upkeep.paths.sweepHeld) === null) return true;
  return upkeep.holding(identityOf({ name: 'rebuild', payload: {} }), signal, async (holding) => {
    const hold = await readSweepHold(upkeep.paths);
    const inDoubt: Place[] = [];
    for (const place of hold?.places ?? []) {
      holding.throwIfAborted();
      if (!(await isMended(upkeep, place, holding, log))) inDoubt.push(place);
    }
    await holdSweep(upkeep.paths, inDoubt, hold?.since ?? null);
    if (inDoubt.length === 0) return true;
    log.warn(
      { since: hold?.since, builds: inDoubt.length, first: inDoubt.slice(0, 10).map(addressOf) },
      'nothing is swept until the records of these builds are whole: restore those that cannot be read, or remove what is damaged',
    );
    return false;
  });
}

async function isMended(upkeep: Upkeep, place: Place, signal: AbortSignal, log: Log): Promise<boolean> {
  if (writtenAt(upkeep.paths.build(place)) === null) return true;
  try {
    const done = await rebuildBuild(upkeep, place, signal);
    if (done !== null && done.gone > 0) await upkeep.queue.enqueue({ name: 'repair', payload: {} });
    return done?.isOpen !== true;
  } catch (thrown) {
    if (toMirrorError(thrown).code !== 'ERR_TREE_CORRUPT') throw thrown;
    logError(log, thrown, 'a build cannot be made again from its records', { ...place });
    return false;
  }
}
