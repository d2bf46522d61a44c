/** BullMQ as the rest of the house sees it: enqueue, count, and know whether this Redis still is the one we filled. */
import { randomUUID } from 'node:crypto';
import { type JobsOptions, Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { MirrorError } from '../errors.ts';
import type { Log } from '../log.ts';
import { readRemaining } from './budgets.ts';
import { connectRedis, producerTimeoutMs } from './redis.ts';
import { classes, identityOf, type Task, type TaskClass, tasks } from './tasks.ts';

export const queueName = 'kitemirror';
const markKey = 'kitemirror:mark';
const states = ['waiting', 'active', 'delayed', 'prioritized', 'failed'] as const;

export interface EnqueueOptions {
  readonly class?: TaskClass;
  /** Not before so many ms. A task that already waits keeps its own time, unless this is urgent. */
  readonly delayMs?: number;
  /** Someone waits now: a task that is delayed or stands behind others is brought forward. */
  readonly urgent?: boolean;
}

export interface TaskQueue {
  /** @throws MirrorError ERR_QUEUE_UNAVAILABLE within 2 s when Redis is away: it never hangs */
  enqueue(task: Task, options?: EnqueueOptions): Promise<void>;
  /** Whether this Redis is the one that was marked: false after a flush or a restart without its file. */
  hasMark(mark: string): Promise<boolean>;
  setMark(mark: string): Promise<void>;
  /** Called each time that the connection is there (again); at once when it is there now. */
  onReady(listener: () => void): void;
  counts(): Promise<{ queue: string; state: string; count: number }[]>;
  budgets(): Promise<{ api: string; scope: string; remaining: number }[]>;
  ping(): Promise<boolean>;
  close(): Promise<void>;
}

export interface RedisSource {
  readonly url: string;
}

export function openQueue({ url }: RedisSource, log: Log): TaskQueue {
  return queueOn(connectRedis(url, 'producer', log), log);
}

/** @param redis a producer's connection; closed with the queue */
export function queueOn(redis: Redis, log: Log): TaskQueue {
  const queue = new Queue(queueName, { connection: redis, skipWaitingForReady: true, skipVersionCheck: true });
  // The connection reports its own faults; without a listener BullMQ's copy of them would end the process.
  queue.on('error', (error) => log.debug({ error: error.message }, 'queue'));

  async function enqueue(task: Task, options: EnqueueOptions = {}): Promise<void> {
    const id = randomUUID();
    const added = await bounded(queue.add(task.name, task.payload, optionsOf(task, id, options)));
    if (added.id !== id && added.id !== undefined && options.urgent === true) await bounded(raise(added.id, task));
  }

  async function raise(id: string, task: Task): Promise<void> {
    const waiting = await queue.getJob(id);
    if (waiting === undefined) return;
    const state = await waiting.getState();
    if (state === 'delayed') await waiting.promote();
    if (state !== 'active') await waiting.changePriority({ priority: classes.person + tasks[task.name].rank });
  }

  return {
    enqueue,
    hasMark: async (mark) => (await bounded(redis.get(markKey))) === mark,
    setMark: async (mark) => void (await bounded(redis.set(markKey, mark))),
    onReady: (listener) => {
      redis.on('ready', listener);
      if (redis.status === 'ready') queueMicrotask(listener);
    },
    counts: async () => {
      const counts = await bounded(queue.getJobCounts(...states));
      return states.map((state) => ({ queue: 'live', state, count: counts[state] ?? 0 }));
    },
    budgets: () => bounded(readRemaining(redis)),
    ping: () =>
      bounded(redis.ping()).then(
        () => true,
        () => false,
      ),
    close: async () => {
      await bounded(queue.close()).catch((error: unknown) => log.debug({ error: String(error) }, 'queue close'));
      redis.disconnect();
    },
  };
}

function optionsOf(
  task: Task,
  id: string,
  { class: taskClass = 'live', delayMs = 0, urgent }: EnqueueOptions,
): JobsOptions {
  const { attempts, backoffMs, rank } = tasks[task.name];
  return {
    jobId: id,
    deduplication: {
      id: identityOf(task),
      keepLastIfActive: true,
    },
    attempts,
    backoff: { type: 'custom', delay: backoffMs },
    priority: classes[urgent === true ? 'person' : taskClass] + rank,
    ...(delayMs > 0 ? { delay: Math.round(delayMs) } : {}),
  };
}

async function bounded<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${producerTimeoutMs} ms`)), producerTimeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } catch (cause) {
    throw new MirrorError('ERR_QUEUE_UNAVAILABLE', 'Redis does not answer', {}, cause);
  } finally {
    clearTimeout(timer);
  }
}
