import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { pino } from 'pino';
import { MirrorError } from '../../src/errors.ts';
import type { Hint } from '../../src/model.ts';
import { openQueue, type TaskQueue } from '../../src/queue/queue.ts';
import type { Task } from '../../src/queue/tasks.ts';
import { type Journal, openJournal } from '../../src/tree/journal.ts';
import { Pump, type PumpOptions } from '../../src/webhooks/pump.ts';
import { hintOf } from '../tree/hints.ts';
import { createRedisServer, type RedisServer } from './redis-server.ts';
import { until } from './until.ts';

const log = pino({ level: 'silent' });
let spool: string;
let redis: RedisServer;
let journal: Journal;
let queue: TaskQueue;
let pump: Pump;
/** Builds in the order in which tasks were asked for them, since the last receiver started. */
let enqueued: string[];

beforeEach(() => {
  spool = mkdtempSync(join(tmpdir(), 'kitemirror-pump-'));
});

afterEach(async () => {
  await stopReceiver();
  await redis.remove();
  rmSync(spool, { recursive: true });
});

async function startReceiver(options: Partial<PumpOptions> = {}): Promise<void> {
  journal = await openJournal(spool, { log });
  queue = openQueue(() => redis.url, log);
  enqueued = [];
  const enqueue = async (task: Task): Promise<void> => {
    await queue.enqueue(task);
    if (task.name === 'read-build') enqueued.push(task.payload.build);
  };
  pump = new Pump({
    journal,
    queue: { ...queue, enqueue },
    log,
    checkEveryMs: 50,
    overlapMs: 100,
    isDone: async () => false,
    reconciledUntil: async () => Date.now(),
    ...options,
  });
  await pump.start();
}

async function stopReceiver(): Promise<void> {
  await pump.stop();
  await queue.close();
  await journal.close();
}

async function start(options: { appendOnly: boolean } & Partial<PumpOptions> = { appendOnly: true }): Promise<void> {
  redis = createRedisServer(options);
  await redis.start();
  await startReceiver(options);
}

async function append(count: number): Promise<string[]> {
  const hints = Array.from({ length: count }, () => hintOf());
  await Promise.all(hints.map((hint) => journal.append(hint)));
  return hints.map(({ build }) => build);
}

async function isQueued(builds: string[]): Promise<void> {
  const expected = builds.toSorted();
  await until('all builds are queued', async () => {
    const found = new Set(await redis.queuedBuilds());
    return expected.every((build) => found.has(build));
  });
}

/** Exactly these were asked for, in this order. */
async function isEnqueued(builds: string[]): Promise<void> {
  await until('as many are enqueued', () => enqueued.length >= builds.length);
  assert.deepEqual(enqueued, builds);
}

async function checkpointReached(): Promise<void> {
  const { end } = journal;
  await until('the checkpoint is at the end', async () => {
    const position = (await journal.readCheckpoint())?.position;
    return position?.segment === end.segment && position.offset === end.offset;
  });
}

describe('an accepted hint', () => {
  it('is enqueued at once', async () => {
    await start();
    await until('the pump has begun', () => pump.trouble === null);
    await isQueued(await append(3));
  });

  it('that came while there was no Redis is enqueued when there is one', async () => {
    redis = createRedisServer({ appendOnly: false });
    await startReceiver();
    const builds = await append(20);
    await until('the trouble is known', () => pump.trouble?.error?.code === 'ERR_QUEUE_UNAVAILABLE');
    await redis.start();
    await isQueued(builds);
    await until('all is well', () => pump.trouble === null);
  });

  it('is appended without delay while Redis hangs, and enqueued when it answers again', async () => {
    await start();
    await isQueued(await append(1));
    redis.hang();
    const begunAt = performance.now();
    const builds = await append(50);
    assert.ok(performance.now() - begunAt < 1500);
    await until('the trouble is known', () => pump.trouble !== null);
    redis.resume();
    await isQueued(builds);
  });

  it('is enqueued once for all that is heard of one build at a time', async () => {
    redis = createRedisServer({ appendOnly: false });
    await startReceiver();
    const [build, other] = [randomUUID(), randomUUID()];
    for (let count = 0; count < 40; count += 1) await journal.append(hintOf({ build, job: randomUUID() }));
    await journal.append(hintOf({ build: other }));
    await journal.append(hintOf({ build }));
    await redis.start();
    await isEnqueued([other, build]);
  });

  it('is enqueued for the latest of its build that is news, and not at all where none is', async () => {
    redis = createRedisServer({ appendOnly: false });
    const asked: (number | null)[] = [];
    const done = new Set([1, 3, 10, 11]);
    const isDone = async ({ finishedAt }: Hint): Promise<boolean> => {
      asked.push(finishedAt);
      if (finishedAt === 20) throw new Error('torn');
      return finishedAt !== null && done.has(finishedAt);
    };
    const payloads: number[] = [];
    await startReceiver({ isDone });
    const enqueue = queue.enqueue;
    queue.enqueue = async (task, options) => {
      if (task.name === 'read-build') payloads.push(task.payload.finishedAt ?? 0);
      return enqueue(task, options);
    };
    const [some, none, torn] = [randomUUID(), randomUUID(), randomUUID()];
    for (const [build, finishedAt] of [
      [some, 1],
      [some, 2],
      [none, 10],
      [torn, 19],
      [torn, 20],
      [none, 11],
      [some, 3],
    ] as const)
      await journal.append(hintOf({ build, finishedAt }));
    await redis.start();
    await isEnqueued([some, torn]);
    assert.deepEqual(payloads, [2, 20]);
    // Of a build whose latest is news nothing older was looked for.
    assert.ok(!asked.includes(1) && !asked.includes(19), String(asked));
  });

  it('that cannot be enqueued for a reason of its own keeps no other back', async () => {
    await start();
    await until('the pump has begun', () => pump.trouble === null);
    await stopReceiver();
    journal = await openJournal(spool, { log });
    queue = openQueue(() => redis.url, log);
    const poison = randomUUID();
    const enqueue = async (task: Task): Promise<void> => {
      if ('build' in task.payload && task.payload.build === poison) throw new MirrorError('ERR_TASK_MALFORMED', 'no');
      await queue.enqueue(task);
    };
    pump = new Pump({
      journal,
      queue: { ...queue, enqueue },
      log,
      checkEveryMs: 50,
      isDone: async () => false,
      reconciledUntil: async () => null,
    });
    await pump.start();
    await journal.append(hintOf({ build: poison }));
    await isQueued(await append(5));
  });
});

describe('a loss of Redis', () => {
  it('that was flushed while connected is noticed, and everything kept is enqueued again', async () => {
    await start();
    const builds = await append(30);
    await isQueued(builds);
    await redis.flush();
    await isQueued(builds);
  });

  it('that was flushed in the middle of being filled is noticed as well', async () => {
    redis = createRedisServer({ appendOnly: false });
    await startReceiver();
    const builds = await append(3000);
    await redis.start();
    await until('some are enqueued', () => enqueued.length > 100);
    await redis.flush();
    await isQueued(builds);
  });

  it('that was killed and comes back empty is made good', async () => {
    await start({ appendOnly: false });
    const before = await append(30);
    await isQueued(before);
    await redis.kill();
    const meanwhile = await append(30);
    await redis.start();
    await isQueued([...before, ...meanwhile]);
  });

  it('that another one stands in for is made good by the next receiver', async () => {
    await start();
    const builds = await append(10);
    await isQueued(builds);
    await checkpointReached();
    await stopReceiver();
    await redis.remove();
    redis = createRedisServer({ appendOnly: true });
    await redis.start();
    await startReceiver();
    await isQueued(builds);
  });
});

describe('a Redis that kept what it was given', () => {
  it('is given nothing again by the next receiver but what the checkpoint had not reached', async () => {
    await start();
    await isQueued(await append(10));
    await checkpointReached();
    await stopReceiver();
    await startReceiver();
    const later = await append(2);
    await isEnqueued(later);
  });

  it('is given the last of it again when it was restarted, for it may have lost its last writes', async () => {
    await start({ appendOnly: true, overlapMs: 60_000 });
    const builds = await append(5);
    await isEnqueued(builds);
    await redis.kill();
    await redis.start();
    await isEnqueued([...builds, ...builds]);
  });

  it('is not forgotten when the checkpoint cannot be written: the older one stays in force', async () => {
    await start();
    const builds = await append(4);
    await isQueued(builds);
    await checkpointReached();
    journal.writeCheckpoint = async () => {
      throw new MirrorError('ERR_TREE_FULL', 'no room');
    };
    const later = await append(4);
    await isQueued(later);
    await stopReceiver();
    await startReceiver();
    await isEnqueued(later);
  });
});

describe('the journal', () => {
  it('is cut behind what was enqueued long ago, and only there', async () => {
    await start({ appendOnly: true, keepMs: 0 });
    await isQueued(await append(10));
    await checkpointReached();
    await stopReceiver();
    await startReceiver({ keepMs: 0 });
    await isQueued(await append(1));
    await until('the older segment is gone', () => journal.entries === 1);
  });

  it('is not cut before a reconciliation covers it', async () => {
    let covered: number | null = null;
    const options = { keepMs: 0, reconciledUntil: async () => covered };
    await start({ appendOnly: true, ...options });
    await isQueued(await append(10));
    await checkpointReached();
    await stopReceiver();
    await startReceiver(options);
    await isQueued(await append(1));
    await checkpointReached();
    assert.equal(journal.entries, 11);
    covered = Date.now();
    await until('the older segment is gone', () => journal.entries === 1);
  });
});
