/**
 * read-build: what a delivery, a reader or a start asks for. Looks at the build upstream, notes in state/unsettled what
 * is missing, and has the jobs mirrored and the build published. Fetches no file itself.
 */
import type { Upstream } from '../src/buildkite/client.ts';
import type { UpstreamRef } from '../src/buildkite/sight.ts';
import { MirrorError, toMirrorError } from '../src/errors.ts';
import {
  type AnnotationFacts,
  type BuildFacts,
  type BuildRef,
  isFinishedBuild,
  isFinishedJob,
  type JobFacts,
  Slug,
  type UpstreamView,
} from '../src/model.ts';
import type { Outcome, TaskContext } from '../src/queue/run.ts';
import type { Payload } from '../src/queue/tasks.ts';
import { forgetDropped, isDropped, readOrder } from '../src/tree/dropping.ts';
import { writtenAt } from '../src/tree/files.ts';
import { labelFacts, writeLabel } from '../src/tree/labels.ts';
import type { Place } from '../src/tree/paths.ts';
import { readOwner } from '../src/tree/pipeline-state.ts';
import { claimFolder, type OnMove, openFolder, slugOf } from '../src/tree/pipelines.ts';
import { readMoved } from '../src/tree/pointers.ts';
import { damaged, orDamaged } from '../src/tree/records.ts';
import { listTombstones, type Redact, redactor, withoutPurgedNames } from '../src/tree/tombstones.ts';
import { clearTornStubs, closeUnsettled, openUnsettled, readUnsettled, writeStub } from '../src/tree/unsettled.ts';
import { readUpstreamView, writeUpstreamView } from '../src/tree/upstream-view.ts';
import type { WorkerContext } from './context.ts';
import { setRecordAside } from './damaged-record.ts';
import { enqueueDerived } from './derived.ts';
import { classFor, enqueueJobs, enqueueRest, pick, resume, type Work } from './enqueue-work.ts';
import { isUpToDate, isWanting, jobsDue, listedJustNow } from './jobs-due.ts';
import { listArtifacts } from './list-artifacts.ts';
import { mayHaveGrown } from './log-growth.ts';
import { markGone, markUnlisted } from './mark-gone.ts';
import { noteUnseen, unseenOf } from './unseen.ts';

/** A build's jobs are read again no sooner than this many ms for each of them: a large build's reads stay linear. */
const restMsPerJob = 2;
const restFromJobs = 200;
/** How soon a build is looked at again of which something is just being removed. */
const afterDropMs = 2000;
/** How often a build that upstream does not yet show as a delivery said is looked at again. */
const behindAttempts = 6;

export async function readBuild(
  worker: WorkerContext,
  task: Payload<'read-build'>,
  context: TaskContext,
): Promise<Outcome> {
  const isConcluded = isMereLook(task) && (await readUnsettled(worker.paths, task.build)) === null;
  // What one tells of a pipeline's name may be older than what another does: no name is tried twice.
  const tried = new Set([task.pipeline]);
  for (let named = task; ; ) {
    const found = await readNamed(worker, named, context);
    if (found === undefined || 'againMs' in found) return found;
    const renamed = found.slug ?? (await nameNow(worker, named));
    if (renamed === null || tried.has(renamed)) {
      if (isConcluded && !found.isGone) return closeAgain(worker, named);
      return end(worker, named, found, context);
    }
    tried.add(renamed);
    named = { ...named, pipeline: renamed };
  }
}

/** Asked for because of an open gap alone: it tells nothing that was not known when the gap was opened. */
function isMereLook({ heardAt, finishedAt, again }: Payload<'read-build'>): boolean {
  return heardAt === null && finishedAt === null && again !== true;
}

/** The gap was closed after this look was asked for: a pipeline that still cannot be seen opens it for no second time. */
async function closeAgain({ paths }: WorkerContext, { build }: Payload<'read-build'>): Promise<undefined> {
  const gap = await readUnsettled(paths, build);
  if (gap !== null) await closeUnsettled(paths, gap);
}

/** Not there under the name that was asked for. `slug`: where it is by what upstream tells. */
interface Absence {
  /** False: upstream shows nothing of the pipeline, and nothing is known. */
  readonly isGone: boolean;
  readonly slug: string | null;
}

async function readNamed(
  worker: WorkerContext,
  task: Payload<'read-build'>,
  context: TaskContext,
): Promise<Outcome | Absence> {
  try {
    return await readSeen(worker, task, context);
  } catch (thrown) {
    const unseen = unseenOf(thrown, context.signal);
    if (unseen === null) throw thrown;
    return { isGone: false, slug: unseen.slug };
  }
}

async function end(
  worker: WorkerContext,
  task: Payload<'read-build'>,
  { isGone }: Absence,
  { log, workClass }: TaskContext,
): Promise<Outcome> {
  const againMs = isGone ? null : await noteUnseen(worker, task, log);
  if (againMs !== null) return { againMs };
  const { build, pipeline, number } = task;
  log.warn({ build, pipeline, number, isPipelineSeen: isGone }, 'a build is not there upstream');
  await markGone(worker, task);
  await resume(worker, task, workClass);
  return undefined;
}

/** @throws MirrorError ERR_UPSTREAM_UNSEEN with the gap on disk */
async function readSeen(
  worker: WorkerContext,
  task: Payload<'read-build'>,
  context: TaskContext,
): Promise<Outcome | Absence> {
  const { signal, attempt } = context;
  const { paths, settings, upstream } = worker;
  const open = await readUnsettled(paths, task.build);
  // A gap that is taken up again tells since when there is something to see, where its task does not.
  const endedAt = task.finishedAt ?? (open === null ? null : Date.parse(open.since));
  if (!settings.includesPipeline(task.pipeline) || (await isDropped(paths, task.build, endedAt))) {
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
  const opened = await openUnsettled(paths, { ...gap, pipelineId: null });
  // A removal that has begun comes to its end first: what is mirrored meanwhile would go with it. Its own look at the gap
  // comes after its order, as this one after the gap: one of the two sees the other.
  if ((await readOrder(paths, task.build)) !== null) {
    await worker.queue.enqueue({ name: 'drop', payload: {} }, { workClass: 'bulk' });
    return { againMs: afterDropMs };
  }
  forgetDropped(paths, task.build);
  const pipelineId = opened.pipelineId ?? (await ownerOf(worker, task));
  const seen = await lookAt(upstream, { ...pick(task), pipelineId }, signal);
  if (seen === null) return { isGone: true, slug: null };
  // What was purged from the records is not to come back by way of upstream.
  const redact = redactor(await listTombstones(paths));
  const { build, jobs, at } = redact(seen);
  if (!settings.includesBranch(build.branch)) {
    await closeUnsettled(paths, opened);
    return undefined;
  }

  const ref: BuildRef = { ...task, pipeline: build.pipeline.slug };
  const place = await claimPlace(worker, build);
  const finished = isFinishedBuild(build.state, build.finished_at);
  await openUnsettled(paths, { ...gap, ...pick(ref), pipelineId: build.pipeline.id, unseenSince: null });
  const annotations = redact(
    finished ? await readAnnotations(upstream, { ...ref, pipelineId: build.pipeline.id }, signal) : null,
  );
  await openFolder(paths, build.pipeline.id, place, paths.build(place));
  await writeLabel(paths, place, labelFacts(build));
  if ((await orDamaged(readUpstreamView(paths, place))) === damaged)
    await setRecordAside(worker, paths.buildFile(place, 'upstream.json'), { record: 'upstream', ...pick(ref) });
  await writeUpstreamView(paths, place, { version: 1, read_at: at, build, jobs, annotations });

  const work = { ...pick(ref), pipelineId: build.pipeline.id };
  await leaveStubs(worker, { work, place, seen: { build, jobs, at }, redact }, task.again === true, context);
  if (isBehind(task, jobs, finished) && attempt <= behindAttempts) {
    throw new MirrorError('ERR_UPSTREAM_BEHIND', 'Buildkite does not yet show what its delivery said', {
      build: task.build,
    });
  }
  return undefined;
}

interface Look {
  readonly work: Work;
  readonly place: Place;
  readonly seen: Pick<UpstreamView, 'build' | 'jobs'> & { readonly at: string };
  readonly redact: Redact;
}

/** Lists what the jobs that need work have upstream, leaves a stub for each of them, and has all stubs worked on. */
async function leaveStubs(
  worker: WorkerContext,
  { work, place, seen, redact }: Look,
  again: boolean,
  { signal, workClass }: TaskContext,
): Promise<void> {
  const { paths } = worker;
  const { build, jobs, at } = seen;
  const finished = isFinishedBuild(build.state, build.finished_at);
  const due = await jobsDue(worker, place, { jobs, finished, finishedAt: build.finished_at, again });
  const listedBefore = again ? new Set<string>() : await listedJustNow(worker, due, seen);
  const unlisted = due
    .filter(({ job }) => !listedBefore.has(job.id))
    .map(({ job, record }) => ({ job, isNew: record === null }));
  const made = new Set<string>();
  for await (const listed of listArtifacts(worker, work, unlisted, jobs.length, signal)) {
    const stubs = due.flatMap(({ job, record }) => {
      const found = listed.get(job.id);
      if (found === undefined) return [];
      const artifacts = withoutPurgedNames(found, record?.artifacts ?? [], redact);
      const logMayHaveGrown = finished && mayHaveGrown(job, record, build.finished_at);
      const isFinal = !finished || writtenAt(paths.finalMarker(place, job.id)) !== null;
      const nothingNew = record !== null && !logMayHaveGrown && isFinal && isUpToDate(record, job, artifacts);
      if (nothingNew && !(again && isWanting(record))) return [];
      const seenNow = { listedAt: at, jobsInBuild: jobs.length, looks: 0, buildFinished: finished, logMayHaveGrown };
      return [{ version: 1 as const, ...work, job, artifacts, ...seenNow }];
    });
    await Promise.all(stubs.map((stub) => writeStub(paths, stub)));
    const parts = stubs.map(({ job }) => job);
    for (const { id } of parts) made.add(id);
    await enqueueJobs(worker, work, parts, classFor(build, workClass));
  }
  await markUnlisted(worker, work, place, jobs);
  await clearTornStubs(paths, build.id, made);
  await enqueueRest(worker, work, made, classFor(build, workClass));
}

/** Whether upstream does not show yet what the delivery has told of. */
function isBehind(task: Payload<'read-build'>, jobs: readonly JobFacts[], finished: boolean): boolean {
  if (task.finishedAt === null) return false;
  if (task.job === null) return !finished;
  const waited = jobs.find((job) => job.id === task.job);
  return waited === undefined || (waited.type === 'script' && !isFinishedJob(waited.state, waited.finished_at));
}

/** How long a large build that was just read is left alone, so that its next reading serves many jobs. */
async function restFor({ paths }: WorkerContext, task: Payload<'read-build'>): Promise<number> {
  const place = { organization: task.organization, folder: task.pipeline, number: task.number };
  const view = await orDamaged(readUpstreamView(paths, place));
  if (
    view === damaged ||
    view === null ||
    view.jobs.length < restFromJobs ||
    (await readUnsettled(paths, task.build)) === null
  )
    return 0;
  const restMs = view.jobs.length * restMsPerJob;
  // Upstream's clock may be ahead of ours.
  return Math.min(restMs, Date.parse(view.read_at) + restMs - Date.now());
}

/** @returns null when there is no such build any more, or another one has its address now */
async function lookAt(upstream: Upstream, ref: UpstreamRef, signal: AbortSignal) {
  try {
    return await upstream.readBuild(ref, signal);
  } catch (thrown) {
    if (toMirrorError(thrown).code === 'ERR_UPSTREAM_GONE') return null;
    throw thrown;
  }
}

async function claimPlace(worker: WorkerContext, build: BuildFacts): Promise<Place> {
  const { paths, lock, catalog, settings } = worker;
  const { organization } = settings;
  const claim = { organization, slug: build.pipeline.slug, pipelineId: build.pipeline.id };
  const onMove: OnMove = async ({ from, to }) => {
    catalog.moveFolder(organization, from, to);
    await enqueueDerived(worker, { name: 'publish-pipeline', payload: { organization, folder: to, number: null } });
  };
  const onMend = (): void => worker.onDamaged({ record: 'pipeline', organization, pipeline: claim.slug });
  const folder = await claimFolder(paths, lock, claim, onMove, onMend);
  return { organization, folder, number: build.number };
}

/** Annotations are an extra: a token that may not read them must not keep the files from being mirrored. */
async function readAnnotations(
  upstream: Upstream,
  ref: UpstreamRef,
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

/** Whose build it is, where it was not seen yet: as far as the mirror knows, of the pipeline whose builds it keeps under that name. */
async function ownerOf({ paths, catalog }: WorkerContext, task: Payload<'read-build'>): Promise<string | null> {
  const known = catalog.find(task.build)?.summary.pipeline_id;
  return known ?? (await readOwner(paths, task.organization, task.pipeline));
}

/** The slug that the build's pipeline has been renamed to since the task was made. */
async function nameNow({ paths }: WorkerContext, task: Payload<'read-build'>): Promise<string | null> {
  const pipelineId = (await readUnsettled(paths, task.build))?.pipelineId ?? null;
  const slug =
    pipelineId === null ? await readMoved(paths, task.organization, task.pipeline) : await slugOf(paths, pipelineId);
  return slug === task.pipeline || !Slug.safeParse(slug).success ? null : slug;
}
