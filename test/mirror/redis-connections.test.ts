/** Connections to a real Redis that takes another password, or goes away: who lost one comes back, and can be ended while it waits. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { Secret } from '../../src/config/secret.ts';
import { openQueue } from '../../src/queue/queue.ts';
import { connectRedis, type RedisUrl } from '../../src/queue/redis.ts';
import { type Processors, type Runner, runTasks } from '../../src/queue/run.ts';
import { tasks } from '../../src/queue/tasks.ts';
import { freePort } from '../lighttpd/site.ts';
import { startRedis } from './redis.ts';
import { until } from './until.ts';

const silent = pino({ level: 'silent' });

function newFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'kitemirror-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A worker that counts the tasks it was given. @param work what it does of each */
function startWorker(
  url: RedisUrl,
  work: () => Promise<void> = () => Promise.resolve(),
): { runner: Runner; connection: Redis; begun: () => number } {
  const connection = connectRedis(url, 'worker', silent);
  let begun = 0;
  const count = async (): Promise<undefined> => {
    begun += 1;
    await work();
    return undefined;
  };
  const runner = runTasks({
    redis: connection,
    log: silent,
    concurrency: { live: 1, bulk: 1 },
    processors: Object.fromEntries(Object.keys(tasks).map((name) => [name, count])) as unknown as Processors,
    onDone: () => undefined,
    onFailure: () => undefined,
  });
  return { runner, connection, begun: () => begun };
}

it('a changed password in REDIS_URL_FILE is used by the next connection, of workers too', {
  timeout: 60_000,
}, async (t) => {
  const port = await freePort();
  const folder = newFolder(t);
  const redis = await startRedis(folder, ['--bind', '127.0.0.1', '--port', String(port)]);
  await redis.client.config('SET', 'requirepass', 'before');
  const file = join(folder, 'url');
  writeFileSync(file, `redis://:before@127.0.0.1:${port}\n`);
  const secret = new Secret({ file });
  const url = (): string => secret.reveal();

  const queue = openQueue(url, silent);
  const { runner, connection, begun } = startWorker(url);
  t.after(async () => {
    await runner.stop(0);
    await queue.close();
    connection.disconnect();
    await redis.stop();
  });
  await new Promise<void>((resolve) => queue.onReady(resolve));
  await queue.enqueue({ name: 'drop', payload: {} });
  await until(() => begun() === 1, 'the first task is taken');

  const next = 'a/new?pass word%';
  await redis.client.config('SET', 'requirepass', next);
  writeFileSync(file, `redis://:${encodeURIComponent(next)}@127.0.0.1:${port}\n`);
  await redis.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await until(() => queue.ping(), 'the queue answers');
  await queue.enqueue({ name: 'drop', payload: {} });
  await until(() => begun() === 2, 'the second task is taken');
});

for (const at of ['while it waits for a task', 'while it is at work'] as const) {
  it(`a worker whose Redis is gone ${at} ends when it is told to`, { timeout: 60_000 }, async (t) => {
    const redis = await startRedis(newFolder(t));
    t.after(() => redis.stop());
    const gone = Promise.withResolvers<void>();
    const { runner, connection, begun } = startWorker(
      () => redis.url,
      () => gone.promise,
    );
    await until(async () => /flags=b/.test(String(await redis.client.client('LIST'))), 'the worker to wait for a task');
    if (at === 'while it is at work') {
      const queue = openQueue(() => redis.url, silent);
      await new Promise<void>((resolve) => queue.onReady(resolve));
      await queue.enqueue({ name: 'drop', payload: {} });
      await until(() => begun() === 1, 'the task to be taken');
      await queue.close();
    }
    await redis.kill();
    await until(() => connection.status === 'reconnecting', 'the worker to have lost Redis');
    gone.resolve();
    // By then each of its connections has failed some times: it waits for its next attempt.
    await sleep(300);
    const since = performance.now();
    await runner.stop(0);
    connection.disconnect();
    assert.ok(performance.now() - since < 5000, `${performance.now() - since} ms`);
    await until(() => connection.status === 'end', 'its connection to be over');
  });
}
