/**
 * The catalog from the records: at the start of a worker that finds one which may not have all builds, because its file
 * is new, of another version, or because who filled it was ended before. What is in it stays; the rest is added.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { BuildRecord } from '../src/model.ts';
import { writtenAt } from '../src/tree/files.ts';
import type { Place } from '../src/tree/paths.ts';
import { damaged, orDamaged, readBuildRecord } from '../src/tree/records.ts';
import { measureBlobs } from '../src/tree/sweep.ts';
import { readUpstreamView } from '../src/tree/upstream-view.ts';
import { readJobs, walkBuilds, walkPipelines } from '../src/tree/walk.ts';
import { buildRecord, summaryOf } from './build-record.ts';
import type { WorkerContext } from './context.ts';
import { type Asking, askForPublish, workAt } from './damaged-record.ts';
import { enqueueDerived } from './derived.ts';
import { followPointers, noteInCatalog } from './note-in-catalog.ts';

/** Builds in one transaction: others that write wait for no more than these. */
const atOnce = 100;

/** @returns how many builds were added */
export async function restoreCatalog(worker: Restoring, signal: AbortSignal): Promise<number> {
  const { catalog, paths } = worker;
  let added = 0;
  if (catalog.stage() === 'partial') {
    added = await addBuilds(worker, signal);
    catalog.noteStage('filled');
  }
  if (catalog.stage() === 'filled') {
    await pointAgain(worker, signal);
    catalog.recount((await measureBlobs(paths, signal)).bytes);
    await publishPipelines(worker);
    catalog.noteStage('whole');
  }
  return added;
}

type Found = readonly [Place, BuildRecord];
type Restoring = Asking & Pick<WorkerContext, 'catalog'>;

/** A tree that others move builds in is read again, but not for ever: what is published then is noted in any case. */
const walksAtMost = 5;

async function addBuilds(worker: Restoring, signal: AbortSignal): Promise<number> {
  let added = 0;
  for (let walks = 1; ; walks += 1) {
    const before = await foldersNow(worker);
    const walk = await addOnce(worker, signal);
    added += walk.added;
    // What was moved meanwhile may have come to a place that had been passed.
    const isSteady = !walk.hasMoved && isDeepStrictEqual(before, await foldersNow(worker));
    if (isSteady || walks >= walksAtMost) return added;
  }
}

async function foldersNow({ paths }: Restoring): Promise<string[]> {
  const folders: string[] = [];
  for await (const { organization, folder } of walkPipelines(paths)) folders.push(`${organization}/${folder}`);
  return folders;
}

async function addOnce(worker: Restoring, signal: AbortSignal): Promise<{ added: number; hasMoved: boolean }> {
  const total = { added: 0, hasMoved: false };
  let batch: Found[] = [];
  const add = (): void => {
    worker.catalog.together(() => {
      const { added, hasMoved } = noteUnknown(worker, batch);
      total.added += added;
      total.hasMoved ||= hasMoved;
    });
    batch = [];
  };
  for await (const place of walkBuilds(worker.paths)) {
    signal.throwIfAborted();
    const read = await orDamaged(readBuildRecord(worker.paths, place));
    const record = read === damaged ? await madeAgain(worker, place) : read;
    if (record !== null && batch.push([place, record]) >= atOnce) add();
  }
  add();
  return total;
}

/** What build.json would say, so that nothing is missing from lists until it is written again. */
async function madeAgain(worker: Restoring, place: Place): Promise<BuildRecord | null> {
  const { paths } = worker;
  const view = await orDamaged(readUpstreamView(paths, place));
  const work = await workAt(worker, place);
  if (work !== null) await askForPublish(worker, work);
  if (view === damaged || view === null) return null;
  const { records } = await readJobs(paths, place);
  const ours = new Map(records.filter((job) => job.build_id === view.build.id).map((job) => [job.id, job]));
  const { organization } = place;
  return buildRecord({ organization, view, records: ours, learnedFrom: 'reconcile', mirroredAt: view.read_at });
}

/**
 * Runs in the catalog's transaction, so that who removes or moves a build comes to the catalog before or after it: before,
 * the tree shows that already and nothing is noted; after, what is noted here is removed or moved too.
 */
function noteUnknown(worker: Restoring, builds: readonly Found[]): { added: number; hasMoved: boolean } {
  const known = worker.catalog.known(builds.map(([, { id }]) => id));
  // Published meanwhile: that is newer than what was read here.
  const unknown = builds.filter(([, { id }]) => !known.has(id));
  const { paths } = worker;
  const kept = unknown.filter(([, { id }]) => writtenAt(paths.droppedBuild(id)) === null);
  const there = kept.filter(([place]) => writtenAt(paths.build(place)) !== null);
  for (const [place, record] of there) {
    // What is missing of a settled build is lost, refused or dropped; its next publish counts it exactly.
    // Whether other settings would let more of it in is not known until then, so it may be.
    const lost = record.settled ? record.expected - record.present : 0;
    noteInCatalog(worker, place, summaryOf(record), { lost, withheld: 1 });
  }
  return { added: there.length, hasMoved: there.length < kept.length };
}

async function pointAgain(worker: Restoring, signal: AbortSignal): Promise<void> {
  const { catalog } = worker;
  for (let after: string | null = null; ; ) {
    const builds = catalog.page({ after, limit: atOnce });
    catalog.together(() => {
      for (const { folder, summary } of builds) {
        const { organization, number } = summary;
        followPointers(worker, { organization, folder, number }, catalog.pointers({ folder, summary }));
      }
    });
    after = builds.at(-1)?.summary.id ?? null;
    if (after === null) return;
    await nextTurn();
    signal.throwIfAborted();
  }
}

async function publishPipelines(worker: Restoring): Promise<void> {
  for await (const place of walkPipelines(worker.paths)) {
    await enqueueDerived(worker, { name: 'publish-pipeline', payload: { ...place, number: null } });
  }
}
