/**
 * mirror-job: makes a job's folder hold what upstream has of that job. The only writer of its job.json. What the record
 * already has is not fetched again; what fails is recorded with its reason and tried again.
 */
import { join } from 'node:path';
import { type MirrorError, toMirrorError } from '../src/errors.ts';
import { logError } from '../src/log.ts';
import { countFiles, type JobRecord } from '../src/model.ts';
import { isFailedJob } from '../src/pages/parts.ts';
import type { Outcome, TaskContext } from '../src/queue/run.ts';
import { identityOf, type Payload } from '../src/queue/tasks.ts';
import { hasBlob } from '../src/tree/blobs.ts';
import { noteDue } from '../src/tree/due.ts';
import type { Place } from '../src/tree/paths.ts';
import { openFolder, placeOf, slugOf } from '../src/tree/pipelines.ts';
import { damaged, orDamaged, readJobRecord, readViews } from '../src/tree/records.ts';
import { redactorOf, withoutPurgedNames } from '../src/tree/tombstones.ts';
import {
  countStubs,
  hasStubs,
  isTornStub,
  type JobStub,
  readStub,
  readUnsettled,
  removeStub,
  writeStub,
} from '../src/tree/unsettled.ts';
import type { WorkerContext } from './context.ts';
import { askForLook, enqueueLook, setRecordAside } from './damaged-record.ts';
import { pick } from './enqueue-work.ts';
import { planLog } from './fetch-log.ts';
import { fetchMissing, type JobWork } from './fetch-missing.ts';
import { withKnownSum } from './list-artifacts.ts';
import { logSettlesMs } from './log-growth.ts';
import { forgetLogPage, wantsLogPage } from './log-pages.ts';
import { looksInVain } from './mark-gone.ts';
import { markMerged } from './merged-flags.ts';
import { notUploaded, type PlannedArtifact, planJob } from './plan-job.ts';
import { relocate } from './relocate.ts';
import { adopted, salvageJob } from './salvage-job.ts';
import { saveJob } from './save-job.ts';
import { noteUnseen, unseenOf } from './unseen.ts';

/** An upload or a log that has not come when its job has ended is looked at again after these, then it never will. */
const looksAfterMs = [1000, 3000, 10_000, 30_000];
/** A job's record is written in between, so that a long job shows how far it is; first when it turns out to be long. */
const [firstSaveMs, saveEveryMs] = [500, 5000];
/** How many jobs there still are does not matter any more beyond this. */
const jobsCounted = 500;

export async function mirrorJob(
  worker: WorkerContext,
  task: Payload<'mirror-job'>,
  context: TaskContext,
): Promise<Outcome> {
  try {
    return await mirrorWhereSeen(worker, task, context);
  } catch (thrown) {
    const unseen = unseenOf(thrown, context.signal);
    if (unseen === null) throw thrown;
    // What has been concluded meanwhile is not to be opened again.
    const gap = await readUnsettled(worker.paths, task.build);
    if (gap === null) return undefined;
    const againMs = unseen.slug === null ? await noteUnseen(worker, task, context.log) : 0;
    if (againMs === null) return mirrorWhereSeen({ ...worker, upstream: worker.upstream.atItsWord() }, task, context);
    // One task a build looks whether its pipeline is back, and has all that has a stub mirrored then.
    await enqueueLook(worker, { ...gap, pipeline: unseen.slug ?? task.pipeline }, againMs);
    return undefined;
  }
}

/** @throws MirrorError ERR_UPSTREAM_UNSEEN with the record as it was, but for what came in before */
async function mirrorWhereSeen(
  worker: WorkerContext,
  task: Payload<'mirror-job'>,
  { signal, attempt, log }: TaskContext,
): Promise<Outcome> {
  const { paths } = worker;
  const place = await placeOf(paths, task.pipelineId, task.number);
  const known = await orDamaged(readJobRecord(paths, place, task.job));
  const found = await readStub(paths, task.build, task.job);
  if (found === null) {
    if (known === damaged || (await isTornStub(paths, task.build, task.job)))
      await askForLook(worker, { ...pick(task), pipelineId: task.pipelineId });
    else if (known !== null) await updateFlags(worker, task, place, known);
    return undefined;
  }
  const before = known === damaged ? await madeAgain(worker, task, place, found.stub, signal) : known;
  const base = paths.job(place, task.job);
  await openFolder(paths, task.pipelineId, place, base);

  // The pipeline may have been renamed since the stub was written: upstream is asked under the name that it has now.
  const pipeline = (await slugOf(paths, task.pipelineId)) ?? task.pipeline;
  const named = { ...found, stub: { ...found.stub, pipeline } };
  const { stub, name } = await lookAgain(worker, named, before, signal);
  const { work, planned } = begin(worker, stub, before, base);
  const relocation = relocate(paths, base, before, planned, work.folders);
  const save = oneAtATime(() => saveNow(worker, place, work));
  if (relocation !== null || known === damaged) await save();
  relocation?.removeOld();
  const saveProgress = (): void => {
    save().catch((error: unknown) =>
      logError(log, error, 'the progress of a job could not be written', { job: task.job }),
    );
  };
  const first = setTimeout(saveProgress, firstSaveMs);
  const progress = setInterval(saveProgress, saveEveryMs);
  let failure: MirrorError | null;
  try {
    failure = await fetchMissing(worker, work, signal);
  } finally {
    clearTimeout(first);
    clearInterval(progress);
  }
  // A page of what was there before would now be called immutable with the log.
  if (work.log?.sha256 !== before?.log?.sha256) await forgetLogPage(paths, place, task.job);
  await save();

  const record = recordOf(work);
  if (record.settled) {
    await removeStub(paths, task.build, task.job, name);
    const isNew = before === null || !before.settled;
    if (isNew && record.finished_at !== null) worker.onVisible((Date.now() - Date.parse(record.finished_at)) / 1000);
  }
  const derivedAfterMs = derivedAfter(worker, task, stub.jobsInBuild * record.artifacts.length);
  if (wantsLogPage(paths, place, record)) {
    // What failed is looked at first; the others' pages must not hold up the files of the jobs behind them.
    const delayMs = isFailedJob(record) ? 0 : derivedAfterMs;
    await worker.queue.enqueue({ name: 'index-log', payload: task }, { delayMs });
  }
  await requestPublish(worker, task, derivedAfterMs);
  if (failure !== null) {
    log.info(
      { build: task.build, job: task.job, attempt, code: failure.code, reason: failure.message },
      'a job is not complete yet',
    );
    throw failure;
  }
  return record.settled ? undefined : { againMs: looksAfterMs[stub.looks] ?? looksAfterMs.at(-1) ?? 0 };
}

/** The record as far as upstream's list and the job's folder tell it. The one that cannot be read is kept aside. */
async function madeAgain(
  worker: WorkerContext,
  { build, organization, pipeline, number, job }: Payload<'mirror-job'>,
  place: Place,
  stub: JobStub,
  signal: AbortSignal,
): Promise<JobRecord> {
  const remains = { build, job: stub.job, listed: stub.artifacts, isGone: stub.looks >= looksInVain };
  const record = await salvageJob(worker, place, remains, signal);
  const where = { organization, pipeline, number, build };
  await setRecordAside(worker, worker.paths.jobFile(place, job, 'job.json'), { record: 'job', ...where });
  return record;
}

/** Only what the merged view shows of this job has changed. */
async function updateFlags(
  worker: WorkerContext,
  task: Payload<'mirror-job'>,
  place: Place,
  record: JobRecord,
): Promise<void> {
  const views = await readViews(worker.paths, place);
  const next = markMerged(record, views?.merged ?? []);
  if (next === record) return;
  // No gap may be open that would have it asked for once more.
  const { job: _, ...payload } = task;
  noteDue(worker.paths, identityOf({ name: 'publish-build', payload }));
  await saveJob(worker, place, next, [], null);
  await requestPublish(worker, task, derivedAfter(worker, task, 0));
}

/** Derived things are made the less often the larger the build is (`files`); when nothing waits any more, at once (0). */
function derivedAfter({ paths }: WorkerContext, { build }: Payload<'mirror-job'>, files: number): number {
  return hasStubs(paths, build) ? Math.min(30_000, 100 + files) : 0;
}

async function requestPublish({ queue }: WorkerContext, task: Payload<'mirror-job'>, delayMs: number): Promise<void> {
  const { job: _, ...payload } = task;
  await queue.enqueue({ name: 'publish-build', payload }, delayMs === 0 ? { urgent: true } : { delayMs });
}

interface FoundStub {
  readonly stub: JobStub;
  readonly name: string;
}

/** A stub that was worked on before and left something open is listed anew: what upstream has may be another by now. */
async function lookAgain(
  { upstream, paths, purgedValues }: WorkerContext,
  found: FoundStub,
  before: JobRecord | null,
  signal: AbortSignal,
): Promise<FoundStub> {
  const { stub } = found;
  if (before === null || before.settled || before.listed_at !== stub.listedAt) return found;
  const known = new Map(stub.artifacts.map((artifact) => [artifact.id, artifact]));
  const artifacts = new Map<string, JobStub['artifacts'][number]>();
  try {
    for await (const { items } of upstream.listArtifacts(stub, stub.job.id, signal)) {
      for (const item of items) artifacts.set(item.id, withKnownSum(item, known.get(item.id)));
    }
  } catch (thrown) {
    // The build is gone upstream: what we do not have of it is lost, and the plan says so.
    if (toMirrorError(thrown).code !== 'ERR_UPSTREAM_GONE') throw thrown;
  }
  const failed = before.artifacts.some((artifact) => artifact.state === 'failed');
  const next: JobStub = {
    ...stub,
    artifacts: withoutPurgedNames([...artifacts.values()], before.artifacts, redactorOf(purgedValues())),
    listedAt: new Date().toISOString(),
    looks: stub.looks + (failed ? 0 : 1),
  };
  return { stub: next, name: await writeStub(paths, next) };
}

interface Begun {
  readonly work: JobWork;
  readonly planned: readonly PlannedArtifact[];
}

function begin(worker: WorkerContext, stub: JobStub, before: JobRecord | null, base: string): Begun {
  const { settings } = worker;
  const uploadsGivenUp = stub.looks >= looksAfterMs.length;
  const known = adopted(before?.artifacts ?? [], stub.artifacts);
  const isStored = (sha256: string): boolean => hasBlob(worker.paths, sha256) && !worker.isPurged(sha256);
  // The stub may be older than a purge.
  const listed = withoutPurgedNames(stub.artifacts, known, redactorOf(worker.purgedValues()));
  const planned = planJob({ job: stub.job, listed, known, uploadsGivenUp, isStored }, settings);
  const log = planLog(stub.job, before?.log ?? null, settings.logs);
  const missing = planned.filter(({ record }) => record.state === 'pending' && record.reason !== notUploaded);
  const artifacts = planned.map(({ record }) => record);
  // What the other jobs lack is not known here: as much each, more or less.
  const missingInBuild = missing.length * countStubs(worker.paths, stub.build, jobsCounted);
  const folders = new Set<string>();
  const salvagedAt = before?.salvaged_at ?? null;
  const logGivenUp = uploadsGivenUp;
  const work = { stub, base, artifacts, missing, missingInBuild, log, logGivenUp, folders, salvagedAt };
  return { work, planned };
}

async function saveNow(worker: WorkerContext, place: Place, work: JobWork): Promise<void> {
  const record = recordOf(work);
  const { log, finished_at: end } = record;
  const isWhole =
    log?.state !== 'present' || end === null || Date.parse(log.fetched_at ?? end) - Date.parse(end) >= logSettlesMs;
  await saveJob(worker, place, record, foldersOf(work), work.stub.buildFinished || isWhole);
}

function foldersOf({ base, folders }: JobWork): string[] {
  return [base, ...Array.from(folders, (folder) => join(base, folder))];
}

/** Runs calls in their order; a failed one does not keep the next back. */
function oneAtATime(work: () => Promise<void>): () => Promise<void> {
  let last = Promise.resolve();
  return () => {
    last = last.catch(() => undefined).then(work);
    return last;
  };
}

function recordOf({ stub, artifacts, log, salvagedAt }: JobWork): JobRecord {
  const states = artifacts.map(({ state }) => state);
  const counts = countFiles(log === null ? states : [...states, log.state]);
  return {
    version: 1,
    build_id: stub.build,
    ...stub.job,
    ...counts,
    log,
    artifacts,
    listed_at: stub.listedAt,
    mirrored_at: new Date().toISOString(),
    ...(salvagedAt === null ? {} : { salvaged_at: salvagedAt }),
  };
}
