/**
 * Runs tasks: parses what they carry, bounds their time, turns an error's code into what BullMQ does about it. The one
 * place that does.
 */
import { DelayedError, type Job as QueueJob, UnrecoverableError, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { MirrorError, policyOf, toMirrorError } from '../errors.ts';
import { type Log, logError } from '../log.ts';
import { queueName } from './queue.ts';
import { maxBackoffMs, type Payload, type TaskName, tasks } from './tasks.ts';

/** `againMs`: the task is to run again after so long, without an attempt being spent. */
export type Outcome = { readonly againMs: number } | undefined;

export interface TaskContext {
  readonly signal: AbortSignal;
  readonly log: Log;
  /** From 1. */
  readonly attempt: number;
}

export type Processors = {
  readonly [Name in TaskName]: (payload: Payload<Name>, context: TaskContext) => Promise<Outcome>;
};

export interface RunOptions {
  readonly redis: Redis;
  readonly processors: Processors;
  readonly log: Log;
  /** Tasks at once in this process. */
  readonly concurrency: number;
  readonly onDone: (task: TaskName, outcome: 'done' | 'again' | 'failed', seconds: number) => void;
  readonly onFailure: (task: TaskName, code: string) => void;
}

export interface Runner {
  /** Takes no more tasks, gives those that run `graceMs` to end and then tells them to stop. */
  stop(graceMs: number): Promise<void>;
}

/** A worker that dies is noticed after this long, and its tasks go to another. */
const lockMs = 15_000;
/** No disk or upstream is full for less than this. */
const waitMs = 10_000;

export function runTasks(options: RunOptions): Runner {
  const { redis, log } = options;
  const stopping = new AbortController();
  const worker = new Worker(queueName, (job, token) => perform(job, token, options, stopping.signal), {
    connection: redis,
    concurrency: options.concurrency,
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
  return {
    stop: async (graceMs) => {
      const timer = setTimeout(() => stopping.abort(new MirrorError('ERR_STOPPING', 'the worker stops')), graceMs);
      await worker.close();
      clearTimeout(timer);
    },
  };
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
  { processors, log, onDone, onFailure }: RunOptions,
  stopping: AbortSignal,
): Promise<void> {
  const { name } = job;
  if (!isTaskName(name)) throw new UnrecoverableError(`no task is called ${name}`);
  const parsed = tasks[name].payload.safeParse(job.data);
  if (!parsed.success) throw unrecoverable(new MirrorError('ERR_TASK_MALFORMED', `a ${name} task cannot be read`));
  const run = processors[name] as (payload: unknown, context: TaskContext) => Promise<Outcome>;
  const signal = AbortSignal.any([stopping, AbortSignal.timeout(tasks[name].timeoutMs)]);
  const since = performance.now();
  const done = (outcome: 'done' | 'again' | 'failed'): void =>
    onDone(name, outcome, (performance.now() - since) / 1000);
  let againMs: number | undefined;
  try {
    const outcome = await run(parsed.data, { signal, log, attempt: job.attemptsMade + 1 });
    againMs = outcome?.againMs;
  } catch (thrown) {
    const error = stopping.aborted ? toMirrorError(stopping.reason) : toMirrorError(thrown);
    onFailure(name, error.code);
    const { task } = policyOf(error.code);
    if (task === 'never') {
      done('failed');
      throw unrecoverable(error);
    }
    if (task !== 'wait' && error.code !== 'ERR_STOPPING') {
      done('failed');
      log.debug({ task: name, code: error.code, error: error.message, attempt: job.attemptsMade + 1 }, 'task failed');
      throw error;
    }
    // A worker that stops hands its task back at once, and no attempt is spent.
    againMs = task === 'wait' ? waitMs * (0.75 + Math.random() / 2) : 1;
  }
  done(againMs === undefined ? 'done' : 'again');
  if (againMs === undefined) return;
  await job.moveToDelayed(Date.now() + Math.max(1, Math.round(againMs)), token);
  throw new DelayedError();
}

function unrecoverable(cause: MirrorError): UnrecoverableError {
  const error = new UnrecoverableError(cause.message);
  error.cause = cause;
  return error;
}
