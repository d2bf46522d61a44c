/**
 * tail-log: the end of a running job's log as it is now. Asked for while somebody watches; costs a request, and a second
 * one where nothing new is in it. What goes wrong is written where the watchers see it, and they ask again.
 */
import { MirrorError } from '../src/errors.ts';
import { isFinishedJob, type JobSummary } from '../src/model.ts';
import type { Outcome, TaskContext } from '../src/queue/run.ts';
import type { Payload } from '../src/queue/tasks.ts';
import { isTailDue, type LogTail, readLogTail, writeLogTail } from '../src/tree/log-tail.ts';
import type { Place } from '../src/tree/paths.ts';
import { placeOf } from '../src/tree/pipelines.ts';
import { readBuildRecord, readJobRecord } from '../src/tree/records.ts';
import { listTombstones, redactor } from '../src/tree/tombstones.ts';
import type { WorkerContext } from './context.ts';
import { readLogEnd } from './log-end.ts';

/** It holds one of the worker's places no longer, also where the request limit is spent. */
const patienceMs = 10_000;

export async function tailLog(
  worker: WorkerContext,
  task: Payload<'tail-log'>,
  { signal }: TaskContext,
): Promise<Outcome> {
  const { paths, queue } = worker;
  const place = await placeOf(paths, task.pipelineId, task.number);
  const job = await runningJob(worker, place, task);
  const before = await readLogTail(paths, place, task.job);
  if (job === null || !isTailDue(before, Date.now())) return undefined;
  const { tail, finishedAt } = await readTail(worker, task, before ?? nothingYet(job), signal);
  await writeLogTail(paths, place, task.job, tail);
  if (!tail.ended) return undefined;
  const { organization, pipeline, number, build } = task;
  const told = { job: task.job, finishedAt, heardAt: null, learnedFrom: 'reader' } as const;
  await queue.enqueue({ name: 'read-build', payload: { organization, pipeline, number, build, ...told } });
  return undefined;
}

/** @returns null unless the build's own record lists it, it has not ended there, and the settings let its log in */
async function runningJob(
  { paths, settings }: WorkerContext,
  place: Place,
  task: Payload<'tail-log'>,
): Promise<JobSummary | null> {
  const build = await readBuildRecord(paths, place);
  if (build?.id !== task.build || (await readJobRecord(paths, place, task.job)) !== null) return null;
  const isWanted = settings.logs && settings.includesPipeline(build.pipeline) && settings.includesBranch(build.branch);
  const job = build.jobs.find(({ id, type }) => id === task.job && type === 'script');
  return job === undefined || !isWanted || isFinishedJob(job.state, job.finished_at) ? null : job;
}

function nothingYet({ state }: JobSummary): LogTail {
  const now = new Date().toISOString();
  return {
    version: 1,
    read_at: now,
    grown_at: now,
    state,
    ended: false,
    size: 0,
    start: 0,
    content: '',
    trouble: null,
  };
}

async function readTail(
  { upstream, paths }: WorkerContext,
  task: Payload<'tail-log'>,
  before: LogTail,
  signal: AbortSignal,
): Promise<{ tail: LogTail; finishedAt: number | null }> {
  const patience = AbortSignal.timeout(patienceMs);
  const within = AbortSignal.any([signal, patience]);
  const read_at = new Date().toISOString();
  try {
    const end = await readLogEnd(upstream, task, task.job, within);
    const content = redactor(await listTombstones(paths))(end.content);
    const tail = { ...before, ...end, content, read_at, trouble: null };
    if (end.size !== before.size) return { tail: { ...tail, grown_at: read_at }, finishedAt: null };
    const { state, finished_at } = await upstream.readJob(task, task.job, within);
    const ended = isFinishedJob(state, finished_at);
    return { tail: { ...tail, state, ended }, finishedAt: finished_at === null ? null : Date.parse(finished_at) };
  } catch (thrown) {
    if (signal.aborted) throw thrown;
    const trouble = patience.aborted ? 'Buildkite takes long to answer, or its request limit is spent' : null;
    if (trouble === null && !(thrown instanceof MirrorError)) throw thrown;
    return { tail: { ...before, read_at, trouble: trouble ?? (thrown as MirrorError).message }, finishedAt: null };
  }
}
