/** BullMQ as the rest of the house sees it: enqueue, count, and know whether this Redis still is the one we filled. */
import { randomUUID } from 'node:crypto';
import { type JobsOptions, Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { WorkClass } from '../buildkite/budget.ts';
import { MirrorError } from '../errors.ts';
import type { Log } from '../log.ts';
import { readRemaining } from './budgets.ts';
import { connectRedis, producerTimeoutMs, type RedisUrl, refuseEviction } from './redis.ts';
import { classes, identityOf, maxBackoffMs, type QueueName, queueOf, queues, type Task, tasks } from './tasks.ts';

const markKey = 'kitemirror:mark';
const takenUpKey = 'kitemirror:taken-up';
/** Only where it is as it was left. */
const replaceScript = `if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end return 0`;
/** Workers' clocks may differ a little, too. */
const longestWaitMs = 2 * maxBackoffMs;
const startedAtOnce = 1000;
const states = ['waiting', 'active', 'delayed', 'prioritized', 'failed'] as const;

export interface EnqueueOptions {
  /** Who waits for it; `live` unless told. */
  readonly workClass?: WorkClass;
  /** Not before so many ms. A task that already waits keeps its own time, unless this is urgent. */
  readonly delayMs?: number;
  /** Behind tasks of its kind that are not, within its class. */
  readonly later?: boolean;
  /** Someone waits now: a task that is delayed or stands behind others is brought forward. */
  readonly urgent?: boolean;
}

export interface TaskQueue {
  /** @throws MirrorError ERR_QUEUE_UNAVAILABLE within 2 s when Redis is away: it never hangs */
  enqueue(task: Task, options?: EnqueueOptions): Promise<void>;
  /** Whether this Redis is the one that was marked: false after a flush or a restart without its file. */
  hasMark(mark: string): Promise<boolean>;
  setMark(mark: string): Promise<void>;
  /**
   * Whether this Redis was given all gaps not long ago and forgot none of them: false once it was flushed, or restarted
   * (where it tells its runs apart: `run_id`).
   */
  isTakenUp(): Promise<boolean>;
  /** Notes for so long that it was given all gaps, which `work` does; not where Redis lost anything meanwhile. */
  whileTakingUp<T>(forMs: number, work: () => Promise<T>): Promise<T>;
  /**
   * Starts what waits for a time that no task was ever put off to: the clock was set back since. BullMQ would wait until
   * that time comes again. Some at each call. @returns how many
   */
  startStranded(): Promise<number>;
  /** Called each time that the connection is there (again); at once when it is there now. */
  onReady(listener: () => void): void;
  counts(): Promise<{ queue: string; state: string; count: number }[]>;
  budgets(): Promise<{ api: string; scope: string; remaining: number }[]>;
  ping(): Promise<boolean>;
  /** @throws MirrorError ERR_QUEUE_UNSAFE for a Redis that may evict, ERR_QUEUE_UNAVAILABLE where it does not answer */
  refuseEviction(): Promise<void>;
  close(): Promise<void>;
}

export function openQueue(url: RedisUrl, log: Log): TaskQueue {
  return queueOn(connectRedis(url, 'producer', log), log);
}

/** @param redis a producer's connection; closed with the queue */
export function queueOn(redis: Redis, log: Log): TaskQueue {
  const open = (name: QueueName): Queue => {
    const queue = new Queue(queues[name], { connection: redis, skipWaitingForReady: true, skipVersionCheck: true });
    // The connection reports its own faults; without a listener BullMQ's copy of them would end the process.
    queue.on('error', (error) => log.debug({ error: error.message }, 'queue'));
    return queue;
  };
  const all = { live: open('live'), bulk: open('bulk') };

  async function enqueue(task: Task, options: EnqueueOptions = {}): Promise<void> {
    await bounded(place(task, options));
  }

  async function place(task: Task, options: EnqueueOptions): Promise<void> {
    const workClass = options.urgent === true ? 'person' : (options.workClass ?? 'live');
    const identity = identityOf(task);
    // Where it is live already it joins itself there: if it runs this moment, it is to run once more.
    const isLive = queueOf(workClass) === 'live' || (await all.live.getDeduplicationJobId(identity)) !== null;
    if (isLive) await takeOut(all.bulk, identity);
    const name: QueueName = isLive ? 'live' : 'bulk';
    const id = randomUUID();
    const priority = classes[workClass] + tasks[task.name].rank + (options.later === true ? 1 : 0);
    const added = await all[name].add(
      task.name,
      task.payload,
      optionsOf(task, id, identity, priority, options.delayMs ?? 0),
    );
    if (added.id !== id && added.id !== undefined) await raise(all[name], added.id, priority, options.urgent === true);
  }

  return {
    enqueue,
    hasMark: async (mark) => (await bounded(redis.get(markKey))) === mark,
    setMark: async (mark) => void (await bounded(redis.set(markKey, mark))),
    isTakenUp: async () => (await bounded(redis.get(takenUpKey))) === (await runOf(redis)),
    whileTakingUp: async (forMs, work) => {
      const [run, begun] = [await runOf(redis), `begun ${randomUUID()}`];
      await bounded(redis.set(takenUpKey, begun));
      const result = await work();
      // A flush in the middle has taken the first note away, or it is another's by now; a restart makes it an older run's.
      await bounded(redis.eval(replaceScript, 1, takenUpKey, begun, run, forMs));
      return result;
    },
    startStranded: async () => {
      let started = 0;
      for (const queue of Object.values(all)) {
        for (const id of await bounded(strandedIn(redis, queue))) {
          if (await bounded(startNow(redis, queue, id))) started += 1;
        }
      }
      return started;
    },
    onReady: (listener) => {
      redis.on('ready', listener);
      if (redis.status === 'ready') queueMicrotask(listener);
    },
    counts: async () => {
      const names = Object.keys(all) as QueueName[];
      const counts = await bounded(Promise.all(names.map((name) => all[name].getJobCounts(...states))));
      return names.flatMap((queue, at) => states.map((state) => ({ queue, state, count: counts[at]?.[state] ?? 0 })));
    },
    budgets: () => bounded(readRemaining(redis)),
    ping: () =>
      bounded(redis.ping()).then(
        () => true,
        () => false,
      ),
    refuseEviction: () => bounded(refuseEviction(redis)),
    close: async () => {
      await bounded(Promise.all([all.live.close(), all.bulk.close()])).catch((error: unknown) =>
        log.debug({ error: String(error) }, 'queue close'),
      );
      redis.disconnect();
    },
  };
}

/** Some of the tasks that are put off to beyond `longestWaitMs` from now. BullMQ orders them by the time (ms), times 4096. */
function strandedIn(redis: Redis, queue: Queue): Promise<string[]> {
  const beyond = (Date.now() + longestWaitMs) * 0x1000;
  return redis.zrangebyscore(queue.toKey('delayed'), beyond, '+inf', 'LIMIT', 0, startedAtOnce);
}

/** @returns whether it waited until now */
async function startNow(redis: Redis, queue: Queue, id: string): Promise<boolean> {
  const waiting = await queue.getJob(id);
  if (waiting === undefined) {
    // A place in the order without a task: it would be found each time.
    await redis.zrem(queue.toKey('delayed'), id);
    return false;
  }
  try {
    await waiting.promote();
    return true;
  } catch (thrown) {
    // Brought forward by someone else this very moment.
    if (await waiting.isDelayed()) throw thrown;
    return false;
  }
}

/** One run of a Redis from its start to its end: the next one may lack what this one wrote last, file or not. */
async function runOf(redis: Redis): Promise<string> {
  const info = await bounded(redis.info('server'));
  return /^run_id:(\S+)/m.exec(info)?.[1] ?? 'unknown';
}

/** What waits among the work that nobody waits for is taken from there; what runs there ends by itself. */
async function takeOut(bulk: Queue, identity: string): Promise<void> {
  const id = await bulk.getDeduplicationJobId(identity);
  if (id === null) return;
  const waiting = await bulk.getJob(id);
  if (waiting === undefined || (await waiting.isActive())) return;
  try {
    await waiting.remove();
  } catch (thrown) {
    // Taken up this very moment: then it runs, and the task that comes now runs after it.
    if (!(await waiting.isActive())) throw thrown;
  }
}

/** A task that waits already is brought forward by one of a higher class, and started now when it is urgent. */
async function raise(queue: Queue, id: string, priority: number, urgent: boolean): Promise<void> {
  const waiting = await queue.getJob(id);
  if (waiting === undefined) return;
  try {
    if (urgent && (await waiting.isDelayed())) await waiting.promote();
    if (waiting.priority > priority && !(await waiting.isActive())) await waiting.changePriority({ priority });
  } catch (thrown) {
    // Taken up this very moment: then there is nothing to bring forward.
    if (await waiting.isDelayed()) throw thrown;
  }
}

function optionsOf(task: Task, id: string, identity: string, priority: number, delayMs: number): JobsOptions {
  const { attempts, backoffMs } = tasks[task.name];
  return {
    jobId: id,
    deduplication: { id: identity, keepLastIfActive: true },
    attempts,
    backoff: { type: 'custom', delay: backoffMs },
    priority,
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
    if (cause instanceof MirrorError) throw cause;
    throw new MirrorError('ERR_QUEUE_UNAVAILABLE', 'Redis does not answer', {}, cause);
  } finally {
    clearTimeout(timer);
  }
}
