/**
 * rebuild: makes again from the records alone all that is derived from them: names of files, blobs' own names, sums, markers,
 * merged and step views, pages, `latest` and its kin, the catalog. Can be repeated; what is right stays as it is.
 */
import { MirrorError, toMirrorError } from '../src/errors.ts';
import { logError } from '../src/log.ts';
import { isFinishedBuild } from '../src/model.ts';
import type { Outcome, TaskContext } from '../src/queue/run.ts';
import { unlinkFile } from '../src/tree/blobs.ts';
import { type OnProgress, running } from '../src/tree/marks.ts';
import type { Place } from '../src/tree/paths.ts';
import { adoptFolder } from '../src/tree/pipelines.ts';
import { removeStalePointers } from '../src/tree/pointers.ts';
import { damaged, orDamaged, readJobRecord } from '../src/tree/records.ts';
import { measureBlobs } from '../src/tree/sweep.ts';
import { readUpstreamView } from '../src/tree/upstream-view.ts';
import { readJobs, walkBuilds, walkPipelines } from '../src/tree/walk.ts';
import { askForLook, workAt } from './damaged-record.ts';
import { wantsLogPage } from './log-pages.ts';
import { mendJob } from './mend-job.ts';
import { followPointers } from './note-in-catalog.ts';
import { publishBuild } from './publish-build.ts';
import { saveJob } from './save-job.ts';
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
  const { paths, catalog, queue } = upkeep;
  const places: Place[] = [];
  for await (const place of walkBuilds(paths)) places.push(place);
  const total = { builds: 0, linked: 0, gone: 0, salvaged: [] as string[], unreadable: [] as string[] };
  const found = new Set<string>();
  let failure: MirrorError | null = null;
  for (const [index, place] of places.entries()) {
    signal.throwIfAborted();
    at(index, places.length);
    try {
      const done = await rebuildOne(upkeep, place, signal);
      if (done === null) continue;
      found.add(done.build);
      total.builds += 1;
      total.linked += done.linked;
      total.gone += done.gone;
      if (done.isSalvaged) total.salvaged.push(done.build);
    } catch (thrown) {
      const error = toMirrorError(thrown);
      if (signal.aborted || error.code === 'ERR_QUEUE_UNAVAILABLE' || error.code === 'ERR_TREE_FULL') throw thrown;
      if (error.code !== 'ERR_TREE_CORRUPT') failure ??= error;
      logError(log, thrown, 'a build cannot be made again from its records', {
        folder: place.folder,
        number: place.number,
      });
      total.unreadable.push(`${place.folder}/${place.number}`);
    }
  }
  // What may go by is tried again. Until then it is not called done, and no blob is swept that waits for its name.
  if (failure !== null) throw failure;
  // A build whose records cannot be read keeps its entry: in doubt nothing is forgotten.
  if (total.unreadable.length === 0) forgetAbsent(upkeep, found);
  catalog.recount((await measureBlobs(paths, signal)).bytes);
  for await (const { organization, folder } of walkPipelines(paths)) {
    if (total.unreadable.length === 0) {
      const ours = places.filter((place) => place.organization === organization && place.folder === folder);
      await removeStalePointers(paths, organization, folder, new Set(ours.map(({ number }) => number)));
    }
    await queue.enqueue({ name: 'publish-pipeline', payload: { organization, folder, number: null } });
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

/** @returns null where the folder holds no build that was ever read to its end */
async function rebuildOne(
  upkeep: Upkeep,
  place: Place,
  signal: AbortSignal,
): Promise<{ build: string; linked: number; gone: number; isSalvaged: boolean } | null> {
  const { paths } = upkeep;
  const view = await orDamaged(readUpstreamView(paths, place));
  const { records, unreadable } = await readJobs(paths, place);
  const work = await workAt(upkeep, place);
  if (view === damaged || (view === null && work !== null) || unreadable.length > 0) {
    if (work === null) throw new MirrorError('ERR_TREE_CORRUPT', 'nothing tells which build this was');
    await askForLook(upkeep, work);
    return { build: work.build, linked: 0, gone: 0, isSalvaged: true };
  }
  if (view === null) return null;
  const { id: build, pipeline, state, finished_at: end } = view.build;
  await adoptFolder(paths, { ...place, slug: pipeline.slug, pipelineId: pipeline.id });
  const { organization, number } = place;
  const task = { organization, pipeline: pipeline.slug, number, build, pipelineId: pipeline.id };
  const done = { build, linked: 0, gone: 0, isSalvaged: false };
  for (const { id, build_id } of records) {
    if (build_id !== build) continue;
    await upkeep.holding(`mirror-job/${build}/${id}`, signal, async () => {
      const record = await readJobRecord(paths, place, id);
      if (record === null) return;
      const { linked, gone } = await mendJob(upkeep, place, record);
      done.linked += linked;
      done.gone += gone;
      await saveJob(upkeep, place, record, [], isFinishedBuild(state, end));
      if (wantsLogPage(paths, place, record)) {
        await upkeep.queue.enqueue({ name: 'index-log', payload: { ...task, job: id } }, { workClass: 'bulk' });
      }
    });
  }
  await upkeep.holding(`publish-build/${build}`, signal, async () => {
    // Without it the views' folders are looked at themselves.
    unlinkFile(paths.views(place));
    // What is gone cannot be shown: the repair strikes it from the records and has the build published.
    if (done.gone === 0) await publishBuild(upkeep, task);
  });
  return done;
}
