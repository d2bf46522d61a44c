/**
 * read-build: what a delivery, a reader or a start asks for. Looks at the build upstream, notes in state/unsettled what
 * is missing, and has the jobs mirrored and the build published. Fetches no file itself.
 */
import type { WorkClass } from '../src/buildkite/budget.ts';
import type { Upstream } from '../src/buildkite/client.ts';
import { MirrorError, toMirrorError } from '../src/errors.ts';
import {
  type AnnotationFacts,
  type ArtifactFacts,
  type BuildFacts,
  type BuildRef,
  type FileState,
  isFinishedBuild,
  isFinishedJob,
  type JobFacts,
  type JobRecord,
  Slug,
} from '../src/model.ts';
import type { EnqueueOptions } from '../src/queue/queue.ts';
import type { Outcome, TaskContext } from '../src/queue/run.ts';
import type { Payload } from '../src/queue/tasks.ts';
import { isDropped } from '../src/tree/dropping.ts';
import { writtenAt } from '../src/tree/files.ts';
import { labelFacts, writeLabel } from '../src/tree/labels.ts';
import type { Place } from '../src/tree/paths.ts';
import { claimFolder, openFolder, slugOf } from '../src/tree/pipelines.ts';
import { readMoved } from '../src/tree/pointers.ts';
import { readBuildRecord, readJobRecord } from '../src/tree/records.ts';
import { listTombstones, redactor } from '../src/tree/tombstones.ts';
import {
  clearTornStubs,
  closeUnsettled,
  listStubs,
  openUnsettled,
  readStub,
  readUnsettled,
  writeStub,
} from '../src/tree/unsettled.ts';
import { readUpstreamView, writeUpstreamView } from '../src/tree/upstream-view.ts';
import type { WorkerContext } from './context.ts';
import { listArtifacts } from './list-artifacts.ts';
import { mayHaveGrown } from './log-growth.ts';
import { markGone } from './mark-gone.ts';

/** A build's jobs are read again no sooner than this many ms for each of them: a large build's reads stay linear. */
const restMsPerJob = 2;
const restFromJobs = 200;
/** A list that is younger than this says what there is. */
const listedAnewMs = 60_000;
/** How often a build that upstream does not yet show as a delivery said is looked at again. */
const behindAttempts = 6;

export async function readBuild(
  worker: WorkerContext,
  task: Payload<'read-build'>,
  context: TaskContext,
): Promise<Outcome> {
  const { signal, log, attempt, workClass } = context;
  const { paths, settings, upstream } = worker;
  if (!settings.includesPipeline(task.pipeline) || (await isDropped(paths, task.build))) {
    const open = await readUnsettled(paths, task.build);
    if (open !== null) await closeUnsettled(paths, open);
    return undefined;
  }
  const rest = await restFor(worker, task);
  if (rest > 0) return { againMs: rest };

  // The gap is on disk before upstream is asked: an upstream that refuses or is away for a day loses nothing.
  const heardOf = task.finishedAt ?? Date.now();
  const gap = {
    version: 1,
    ...pick(task),
    learnedFrom: task.learnedFrom,
    since: new Date(heardOf).toISOString(),
  } as const;
  await openUnsettled(paths, { ...gap, pipelineId: null });
  const seen = await lookAt(upstream, task, signal);
  if (seen === null) {
    const renamed = await nameNow(worker, task);
    if (renamed !== null) return readBuild(worker, { ...task, pipeline: renamed }, context);
    log.warn({ build: task.build, pipeline: task.pipeline, number: task.number }, 'a build is not there upstream');
    await markGone(worker, task);
    await resume(worker, task, workClass);
    return undefined;
  }
  // What was purged from the records is not to come back by way of upstream.
  const redact = redactor(await listTombstones(paths));
  const { build, jobs, at } = redact(seen);
  if (!settings.includesBranch(build.branch)) {
    await closeUnsettled(paths, { ...gap, pipelineId: null });
    return undefined;
  }

  const ref: BuildRef = { ...task, pipeline: build.pipeline.slug };
  const place = await claimPlace(worker, build);
  const finished = isFinishedBuild(build.state, build.finished_at);
  await openUnsettled(paths, { ...gap, ...pick(ref), pipelineId: build.pipeline.id });
  const annotations = redact(finished ? await readAnnotations(upstream, ref, signal) : null);
  await openFolder(paths, build.pipeline.id, place, paths.build(place));
  await writeLabel(paths, place, labelFacts(build));
  await writeUpstreamView(paths, place, { version: 1, read_at: at, build, jobs, annotations });

  const due = await jobsDue(worker, place, {
    jobs,
    finished,
    finishedAt: build.finished_at,
    again: task.again === true,
  });
  const work = { ...pick(ref), pipelineId: build.pipeline.id };
  const listedBefore = task.again === true ? new Set<string>() : await listedJustNow(worker, due, seen);
  const unlisted = due
    .filter(({ job }) => !listedBefore.has(job.id))
    .map(({ job, record }) => ({ job, isNew: record === null }));
  const made = new Set<string>();
  for await (const listed of listArtifacts(worker, ref, unlisted, jobs.length, signal)) {
    const stubs = due.flatMap(({ job, record }) => {
      const artifacts = listed.get(job.id);
      if (artifacts === undefined) return [];
      const logMayHaveGrown = finished && mayHaveGrown(job, record, build.finished_at);
      const isFinal = !finished || writtenAt(paths.finalMarker(place, job.id)) !== null;
      const nothingNew = record !== null && !logMayHaveGrown && isFinal && isUpToDate(record, job, artifacts);
      if (nothingNew && !(task.again === true && isWanting(record))) return [];
      const seenNow = { listedAt: at, jobsInBuild: jobs.length, looks: 0, buildFinished: finished, logMayHaveGrown };
      return [{ version: 1 as const, ...work, job, artifacts: [...artifacts], ...seenNow }];
    });
    await Promise.all(stubs.map((stub) => writeStub(paths, stub)));
    const parts = stubs.map(({ job }) => job);
    for (const { id } of parts) made.add(id);
    await enqueueJobs(worker, work, parts, classFor(build, workClass));
  }
  await clearTornStubs(paths, task.build, made);
  await enqueueRest(worker, work, made, classFor(build, workClass));

  const waited = task.job === null ? null : jobs.find((job) => job.id === task.job);
  const behind =
    task.finishedAt !== null &&
    (task.job === null
      ? !finished
      : waited === undefined ||
        waited === null ||
        (waited.type === 'script' && !isFinishedJob(waited.state, waited.finished_at)));
  if (behind && attempt <= behindAttempts) {
    throw new MirrorError('ERR_UPSTREAM_BEHIND', 'Buildkite does not yet show what its delivery said', {
      build: task.build,
    });
  }
  return undefined;
}

function pick({ organization, pipeline, number, build }: BuildRef): BuildRef {
  return { organization, pipeline, number, build };
}

/** How long a large build that was just read is left alone, so that its next reading serves many jobs. */
async function restFor({ paths }: WorkerContext, task: Payload<'read-build'>): Promise<number> {
  const place = { organization: task.organization, folder: task.pipeline, number: task.number };
  const view = await readUpstreamView(paths, place);
  if (view === null || view.jobs.length < restFromJobs || (await readUnsettled(paths, task.build)) === null) return 0;
  const restMs = view.jobs.length * restMsPerJob;
  // Upstream's clock may be ahead of ours.
  return Math.min(restMs, Date.parse(view.read_at) + restMs - Date.now());
}

/** @returns null when there is no such build any more, or another one has its address now */
async function lookAt(upstream: Upstream, ref: BuildRef, signal: AbortSignal) {
  try {
    const seen = await upstream.readBuild(ref, signal);
    return seen.build.id === ref.build ? seen : null;
  } catch (thrown) {
    if (toMirrorError(thrown).code === 'ERR_UPSTREAM_GONE') return null;
    throw thrown;
  }
}

async function claimPlace(worker: WorkerContext, build: BuildFacts): Promise<Place> {
  const { paths, lock, catalog, queue, settings } = worker;
  const { organization } = settings;
  const claim = { organization, slug: build.pipeline.slug, pipelineId: build.pipeline.id };
  const folder = await claimFolder(paths, lock, claim, async ({ from, to }) => {
    catalog.moveFolder(organization, from, to);
    await queue.enqueue({ name: 'publish-pipeline', payload: { organization, folder: to, number: null } });
  });
  return { organization, folder, number: build.number };
}

/** Annotations are an extra: a token that may not read them must not keep the files from being mirrored. */
async function readAnnotations(
  upstream: Upstream,
  ref: BuildRef,
  signal: AbortSignal,
): Promise<AnnotationFacts[] | null> {
  try {
    return await upstream.listAnnotations(ref, signal);
  } catch (thrown) {
    const { code } = toMirrorError(thrown);
    if (code === 'ERR_UPSTREAM_DENIED' || code === 'ERR_UPSTREAM_GONE' || code === 'ERR_UPSTREAM_MALFORMED')
      return null;
    throw thrown;
  }
}

interface DueInput {
  readonly jobs: readonly JobFacts[];
  /** Of the build. */
  readonly finished: boolean;
  readonly finishedAt: string | null;
  readonly again: boolean;
}

interface Due {
  readonly job: JobFacts;
  readonly record: JobRecord | null;
}

/** Script jobs that have ended and are not in the tree as upstream has them; at a build's end, all are looked at once more. */
async function jobsDue(
  { paths }: WorkerContext,
  place: Place,
  { jobs, finished, finishedAt, again }: DueInput,
): Promise<Due[]> {
  const build = finished ? await readBuildRecord(paths, place) : null;
  const closed = build !== null && build.settled && build.finished_at === finishedAt;
  const due: Due[] = [];
  for (const job of jobs) {
    if (job.type !== 'script' || job.started_at === null || !isFinishedJob(job.state, job.finished_at)) continue;
    const record = await readJobRecord(paths, place, job.id);
    if (record === null || !record.settled || !sameFacts(record, job) || (finished && !closed) || again)
      due.push({ job, record });
  }
  return due;
}

/**
 * Jobs that were listed a moment ago, after their end, and are still at work on that: a build that two tell of (a delivery
 * and a comparison, two deliveries) pays for its lists and links once.
 */
async function listedJustNow(
  { paths }: WorkerContext,
  due: readonly Due[],
  { build, at }: { readonly build: BuildFacts; readonly at: string },
): Promise<Set<string>> {
  const listed = new Set<string>();
  const waiting = new Set(await listStubs(paths, build.id));
  const finished = isFinishedBuild(build.state, build.finished_at);
  for (const { job, record } of due) {
    if (!waiting.has(job.id) || record?.settled) continue;
    const stub = (await readStub(paths, build.id, job.id))?.stub;
    if (stub === undefined || !sameFacts(stub.job, job) || stub.buildFinished !== finished) continue;
    if (record !== null && record.listed_at !== stub.listedAt) continue;
    if (stub.logMayHaveGrown !== (finished && mayHaveGrown(job, record, build.finished_at))) continue;
    const listedAt = Date.parse(stub.listedAt);
    const isYoung = Date.parse(at) - listedAt < listedAnewMs && listedAt > Date.parse(job.finished_at ?? at);
    if (isYoung && stub.artifacts.every(({ state }) => state === 'finished')) listed.add(job.id);
  }
  return listed;
}

function sameFacts(record: Pick<JobFacts, 'state' | 'retried' | 'finished_at'>, job: JobFacts): boolean {
  return record.state === job.state && record.retried === job.retried && record.finished_at === job.finished_at;
}

function isUpToDate(record: JobRecord, job: JobFacts, artifacts: readonly ArtifactFacts[]): boolean {
  if (!record.settled || !sameFacts(record, job) || record.artifacts.length !== artifacts.length) return false;
  const known = new Map(record.artifacts.map((artifact) => [artifact.id, artifact.upstream_state]));
  return artifacts.every((artifact) => known.get(artifact.id) === artifact.state);
}

const wanting: ReadonlySet<FileState> = new Set(['lost', 'refused', 'excluded']);

/** Something of it is not here that another look may bring: it is there again, or the settings let it in by now. */
function isWanting({ log, artifacts }: JobRecord): boolean {
  return artifacts.some(({ state }) => wanting.has(state)) || (log !== null && wanting.has(log.state));
}

/** Builds of the default branch are what most people look for. */
function classFor(build: BuildFacts, workClass: WorkClass): WorkClass {
  const isMain = build.branch === build.pipeline.default_branch && build.pull_request === null;
  return workClass === 'live' && isMain ? 'main' : workClass;
}

type Work = BuildRef & { readonly pipelineId: string };

/** Jobs that failed go first: they are what someone will look at. */
async function enqueueJobs(
  { queue }: WorkerContext,
  work: Work,
  jobs: readonly Pick<JobFacts, 'id' | 'state' | 'soft_failed'>[],
  workClass: WorkClass,
): Promise<void> {
  await Promise.all(
    jobs.map((job) =>
      queue.enqueue(
        { name: 'mirror-job', payload: { ...work, job: job.id } },
        { ...askedOf(workClass), later: job.state === 'passed' || job.soft_failed },
      ),
    ),
  );
}

/** Where someone waits, what rests after a failure is tried now. */
function askedOf(workClass: WorkClass): EnqueueOptions {
  return workClass === 'person' ? { urgent: true } : { workClass };
}

/** All that has a stub of an earlier reading is to be mirrored, and then the build is published. */
async function enqueueRest(
  worker: WorkerContext,
  work: Work,
  made: ReadonlySet<string>,
  workClass: WorkClass,
): Promise<void> {
  const stubs = await listStubs(worker.paths, work.build);
  await Promise.all(
    stubs
      .filter((job) => !made.has(job))
      .map((job) => worker.queue.enqueue({ name: 'mirror-job', payload: { ...work, job } }, askedOf(workClass))),
  );
  if (stubs.length === 0) await worker.queue.enqueue({ name: 'publish-build', payload: work }, { urgent: true });
}

/** The slug that the build's pipeline has been renamed to since the task was made. */
async function nameNow({ paths }: WorkerContext, task: Payload<'read-build'>): Promise<string | null> {
  const pipelineId = (await readUnsettled(paths, task.build))?.pipelineId ?? null;
  const slug =
    pipelineId === null ? await readMoved(paths, task.organization, task.pipeline) : await slugOf(paths, pipelineId);
  return slug === task.pipeline || !Slug.safeParse(slug).success ? null : slug;
}

/** A build that is gone upstream: what was begun is brought to its end, each file with its reason. */
async function resume(worker: WorkerContext, ref: BuildRef, workClass: WorkClass): Promise<void> {
  const entry = await readUnsettled(worker.paths, ref.build);
  await clearTornStubs(worker.paths, ref.build, new Set());
  if (entry?.pipelineId === null) await closeUnsettled(worker.paths, entry);
  else if (entry !== null)
    await enqueueRest(worker, { ...pick(entry), pipelineId: entry.pipelineId }, new Set(), workClass);
}
