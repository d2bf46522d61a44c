/**
 * repair: mends what damaged blobs leave behind. Walks the records once for all of them; a file whose bytes were damaged is
 * `failed` from then on, loses its names, and is fetched again from upstream, where that still has it.
 */
import { countFiles, isFinishedBuild, JobFacts, type JobRecord } from '../src/model.ts';
import type { Outcome, TaskContext } from '../src/queue/run.ts';
import { unlinkFile } from '../src/tree/blobs.ts';
import { type OnProgress, running } from '../src/tree/marks.ts';
import { fileOf, type Place } from '../src/tree/paths.ts';
import { type DamageOrder, listDamaged, strikeDamaged } from '../src/tree/quarantine.ts';
import { damaged, orDamaged, readJobRecord } from '../src/tree/records.ts';
import { unlinkFiles } from '../src/tree/remove.ts';
import { openUnsettled, writeStub } from '../src/tree/unsettled.ts';
import { readUpstreamView } from '../src/tree/upstream-view.ts';
import { readJobs, walkBuilds } from '../src/tree/walk.ts';
import { askForLook, workAt } from './damaged-record.ts';
import type { Work } from './enqueue-work.ts';
import { saveJob } from './save-job.ts';
import type { Upkeep } from './upkeep.ts';

/** A file that was shown and is not any more. */
interface Struck {
  readonly sha256: string;
  readonly pipeline: string;
  readonly number: number;
  readonly job: string;
  readonly path: string;
}

export async function repair(upkeep: Upkeep, context: TaskContext): Promise<Outcome> {
  await running(upkeep.paths, 'repair', (at) => repairAll(upkeep, context, at));
  return undefined;
}

async function repairAll(
  upkeep: Upkeep,
  { signal, log }: TaskContext,
  at: OnProgress,
): Promise<{ files: readonly Struck[] }> {
  const orders = await listDamaged(upkeep.paths);
  const rotten = new Map(orders.map((order) => [order.sha256, order]));
  const files: Struck[] = [];
  if (rotten.size === 0) return { files };
  const total = upkeep.catalog.totals().builds;
  let seen = 0;
  for await (const place of walkBuilds(upkeep.paths)) {
    signal.throwIfAborted();
    at((seen += 1), Math.max(seen, total));
    const { records, unreadable } = await readJobs(upkeep.paths, place);
    for (const record of records) {
      if (!holdsAny(record, rotten)) continue;
      for (const struck of await repairJob(upkeep, place, record, rotten, signal)) files.push(struck);
    }
    // What such a record showed is judged by its bytes when it is made again.
    const work = unreadable.length === 0 ? null : await workAt(upkeep, place);
    if (work !== null) await askForLook(upkeep, work);
  }
  for (const order of orders) strikeDamaged(upkeep.paths, order);
  log.warn({ blobs: orders.length, files: files.length }, 'damaged files were taken out and are fetched again');
  return { files };
}

function holdsAny({ artifacts, log }: JobRecord, rotten: ReadonlyMap<string, DamageOrder>): boolean {
  return [...artifacts, ...(log === null ? [] : [log])].some(
    ({ state, sha256 }) => state === 'present' && sha256 !== null && rotten.has(sha256),
  );
}

async function repairJob(
  upkeep: Upkeep,
  place: Place,
  { id, build_id: build }: JobRecord,
  rotten: ReadonlyMap<string, DamageOrder>,
  signal: AbortSignal,
): Promise<Struck[]> {
  const { paths, queue } = upkeep;
  const work = await workAt(upkeep, place);
  if (work === null || work.build !== build) return [];
  const take = async (): Promise<readonly Lost[]> => {
    const before = await readJobRecord(paths, place, id);
    if (before === null) return [];
    const { after, lost } = strike(before, rotten);
    await leaveWork(upkeep, work, place, after);
    // The same bytes may be back before the views are looked at, where they show what is hidden: the next publish is to
    // believe the folders alone.
    unlinkFile(paths.views(place));
    await saveJob(upkeep, place, after, [], false);
    unlinkFiles(
      paths.job(place, id),
      lost.flatMap((file) => fileOf(file) ?? []),
    );
    return lost;
  };
  // A publish that has read the record as it was would write its views behind this. The wait for it may be long: whoever
  // has lost the job meanwhile must not write its record.
  const lost = await upkeep.holding(`mirror-job/${build}/${id}`, signal, (holding) =>
    upkeep.holding(`publish-build/${build}`, holding, take),
  );
  await queue.enqueue({ name: 'mirror-job', payload: { ...work, job: id } }, { workClass: 'reconcile' });
  await queue.enqueue({ name: 'publish-build', payload: work }, { urgent: true });
  return lost.map(({ sha256, path }) => ({ sha256, pipeline: place.folder, number: place.number, job: id, path }));
}

interface Lost {
  readonly sha256: string;
  readonly path: string;
  readonly url: string | null;
}

function strike(
  record: JobRecord,
  rotten: ReadonlyMap<string, DamageOrder>,
): { after: JobRecord; lost: readonly Lost[] } {
  const lost: Lost[] = [];
  const changed = <T extends JobRecord['artifacts'][number] | NonNullable<JobRecord['log']>>(
    file: T,
    path: string,
  ): T => {
    const order = file.state === 'present' && file.sha256 !== null ? rotten.get(file.sha256) : undefined;
    if (order === undefined) return file;
    lost.push({ sha256: order.sha256, path, url: file.url });
    return { ...file, state: 'failed', reason: `its stored bytes were damaged (${order.found}); it is fetched again` };
  };
  const artifacts = record.artifacts.map((artifact) => changed(artifact, artifact.path));
  const log = record.log === null ? null : changed(record.log, 'log.txt');
  const states = [...artifacts, ...(log === null ? [] : [log])].map(({ state }) => state);
  return { after: { ...record, ...countFiles(states), artifacts, log }, lost };
}

/** The gap and what is to be fetched are on disk before the record says that something is missing. */
export async function leaveWork({ paths }: Upkeep, work: Work, place: Place, record: JobRecord): Promise<void> {
  const view = await orDamaged(readUpstreamView(paths, place));
  const build = view === damaged ? null : view?.build;
  const now = new Date().toISOString();
  await openUnsettled(paths, { version: 1, ...work, since: now, learnedFrom: 'reconcile' });
  await writeStub(paths, {
    version: 1,
    ...work,
    job: JobFacts.parse(record),
    artifacts: record.artifacts.map(({ id: artifact, path, upstream_state, mime_type, size, sha1, sha256 }) => ({
      ...{ id: artifact, job_id: record.id, path, state: upstream_state, mime_type, size, sha1, sha256 },
    })),
    listedAt: now,
    jobsInBuild: view === damaged ? 1 : (view?.jobs.length ?? 1),
    looks: 0,
    buildFinished: build == null || isFinishedBuild(build.state, build.finished_at),
    logMayHaveGrown: false,
  });
}
