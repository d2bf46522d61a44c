/**
 * Runs tasks: parses what they carry, bounds their time, turns an error's code into what BullMQ does about it. The one
 * place that does.
 */
import { DelayedError, type Job as QueueJob, UnrecoverableError, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import type { WorkClass } from '../buildkite/budget.ts';
import { type ErrorCode, MirrorError, policyOf, toMirrorError } from '../errors.ts';
import { type Log, logError } from '../log.ts';
import { createHold, type Hold } from './hold.ts';
import {
  classOf,
  identityOf,
  maxBackoffMs,
  type Payload,
  type QueueName,
  queues,
  type Task,
  type TaskName,
  tasks,
} from './tasks.ts';

/** `againMs`: the task is to run again after so long, without an attempt being spent. */
export type Outcome = { readonly againMs: number } | undefined;

export interface TaskContext {
  readonly signal: AbortSignal;
  readonly log: Log;
  /** From 1. */
  readonly attempt: number;
  /** Who waits for it: what its requests to upstream are counted as. */
  readonly workClass: WorkClass;
}

export type Processors = {
  readonly [Name in TaskName]: (payload: Payload<Name>, context: TaskContext) => Promise<Outcome>;
};

export interface RunOptions {
  readonly redis: Redis;
  readonly processors: Processors;
  readonly log: Log;
  /** Tasks at once in this process, of each queue. */
  readonly concurrency: Readonly<Record<QueueName, number>>;
  readonly onDone: (task: TaskName, outcome: 'done' | 'again' | 'failed', seconds: number) => void;
  readonly onFailure: (task: TaskName, code: string) => void;
}

export interface Runner {
  /** Takes no more tasks, gives those that run `graceMs` to end and then tells them to stop. Waits for no Redis that is away then. */
  stop(graceMs: number): Promise<void>;
}

/** A worker that dies is noticed after this long, and its tasks go to another. */
const lockMs = 15_000;
/** No disk is full for less than this, and no token is exchanged in less than that. */
const waitMs = 10_000;
const deniedMs = 60_000;

/** A task that meets itself at work in the other queue comes back after this. */
const busyMs = 100;
/** Work that nobody waits for and that made way for the same work of a higher class comes back after this. */
const yieldMs = 5000;

export function runTasks(options: RunOptions): Runner {
  const stopping = new AbortController();
  const hold = createHold(options.redis);
  const workers = (Object.keys(queues) as QueueName[]).map((name) => startWorker(name, options, hold, stopping.signal));
  return {
    stop: async (graceMs) => {
      const timer = setTimeout(() => {
        stopping.abort(new MirrorError('ERR_STOPPING', 'the worker stops'));
        // A Redis that is away takes nothing back, and would be waited for: another worker notices what was left here.
        if (options.redis.status !== 'ready') options.redis.disconnect();
      }, graceMs);
      await Promise.all(workers.map((worker) => worker.close()));
      clearTimeout(timer);
    },
  };
}

function startWorker(name: QueueName, options: RunOptions, hold: Hold, stopping: AbortSignal): Worker {
  const { redis, log } = options;
  const worker = new Worker(queues[name], (job, token) => perform(job, token, name, options, hold, stopping), {
    connection: redis,
    concurrency: options.concurrency[name],
    lockDuration: lockMs,
    stalledInterval: lockMs / 3,
    // A machine that is switched off again and again must not fail its tasks.
    maxStalledCount: 100,
    removeOnComplete: { count: 0 },
    removeOnFail: { count: 5000, age: 30 * 86_400 },
    skipVersionCheck: true,
    settings: { backoffStrategy: (attempt, _type, _error, job) => backoffMs(attempt, job?.name) },
  });
  worker.on('error', (error) => log.debug({ error: error.message }, 'worker'));
  worker.on('failed', (job, error) => {
    const last =
      job === undefined || error instanceof UnrecoverableError || job.attemptsMade >= (job.opts.attempts ?? 1);
    if (last) logError(log, error.cause ?? error, 'a task has failed for good', { task: job?.name, id: job?.id });
  });
  return worker;
}

function backoffMs(attempt: number, name: string | undefined): number {
  const base = isTaskName(name) ? tasks[name].backoffMs : 1000;
  return Math.min(base * 2 ** (attempt - 1), maxBackoffMs) * (0.5 + Math.random() / 2);
}

function isTaskName(name: string | undefined): name is TaskName {
  return name !== undefined && Object.hasOwn(tasks, name);
}

async function perform(
  job: QueueJob,
  token: string | undefined,
  queue: QueueName,
  options: RunOptions,
  hold: Hold,
  stopping: AbortSignal,
): Promise<void> {
  const { name } = job;
  if (!isTaskName(name)) throw new UnrecoverableError(`no task is called ${name}`);
  const parsed = tasks[name].payload.safeParse(job.data);
  if (!parsed.success) throw unrecoverable(new MirrorError('ERR_TASK_MALFORMED', `a ${name} task cannot be read`));
  const task = { name, payload: parsed.data } as Task;
  const held = await hold.take(identityOf(task), queue === 'bulk');
  if (held === null) return putOff(job, token, busyMs);
  try {
    await attempt(job, token, task, options, AbortSignal.any([stopping, held.yielding]));
  } finally {
    await held.release();
  }
}

async function attempt(
  job: QueueJob,
  token: string | undefined,
  { name, payload }: Task,
  { processors, log, onDone, onFailure }: RunOptions,
  leave: AbortSignal,
): Promise<void> {
  const run = processors[name] as (payload: unknown, context: TaskContext) => Promise<Outcome>;
  const signal = AbortSignal.any([leave, AbortSignal.timeout(tasks[name].timeoutMs)]);
  const since = performance.now();
  const done = (outcome: 'done' | 'again' | 'failed'): void =>
    onDone(name, outcome, (performance.now() - since) / 1000);
  const context = { signal, log, attempt: job.attemptsMade + 1, workClass: classOf(job.priority) };
  let againMs: number | undefined;
  try {
    againMs = (await run(payload, context))?.againMs;
  } catch (thrown) {
    const error = toMirrorError(leave.aborted ? leave.reason : thrown);
    if (error.code !== 'ERR_STOPPING') onFailure(name, error.code);
    const policy = policyOf(error.code).task;
    if (policy === 'never') {
      done('failed');
      throw unrecoverable(error);
    }
    if (policy === 'retry') {
      done('failed');
      log.debug({ task: name, code: error.code, error: error.message, attempt: context.attempt }, 'task failed');
      throw error;
    }
    if (error.code !== 'ERR_STOPPING' && error.code !== 'ERR_YIELDED') sayOnce(log, error, name);
    // A worker that stops hands its task back at once; one that yields or waits comes back later. No attempt is spent.
    againMs = putOffFor(error.code);
  }
  done(againMs === undefined ? 'done' : 'again');
  if (againMs !== undefined) await putOff(job, token, againMs);
}

function putOffFor(code: ErrorCode): number {
  if (code === 'ERR_STOPPING') return 1;
  if (code === 'ERR_YIELDED') return yieldMs;
  return (code === 'ERR_UPSTREAM_DENIED' ? deniedMs : waitMs) * (0.75 + Math.random() / 2);
}

const saidAt = new Map<string, number>();
const sayEveryMs = 60_000;

/** What is waited for has no last attempt: it is said once a minute for all tasks together. */
function sayOnce(log: Log, error: MirrorError, task: TaskName): void {
  if (Date.now() - (saidAt.get(error.code) ?? 0) < sayEveryMs) return;
  saidAt.set(error.code, Date.now());
  logError(log, error, 'tasks wait', { task });
}

async function putOff(job: QueueJob, token: string | undefined, ms: number): Promise<never> {
  await job.moveToDelayed(Date.now() + Math.max(1, Math.round(ms)), token);
  throw new DelayedError();
}

function unrecoverable(cause: MirrorError): UnrecoverableError {
  const error = new UnrecoverableError(cause.message);
  error.cause = cause;
  return error;
}
