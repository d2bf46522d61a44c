/** What becomes of tasks in a real Redis that is flushed and restarted at the worst moments, and beside a clock that is set back. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { pino } from 'pino';
import { openQueue, type TaskQueue } from '../../src/queue/queue.ts';
import { maxBackoffMs } from '../../src/queue/tasks.ts';
import { type RedisServer, startRedis } from './redis.ts';
import { until } from './until.ts';

const minuteMs = 60_000;

async function open(
  t: TestContext,
  options: readonly string[] = [],
): Promise<{ readonly queue: TaskQueue; readonly redis: RedisServer }> {
  const folder = mkdtempSync(join(tmpdir(), 'kitemirror-'));
  const redis = await startRedis(folder, options);
  const queue = openQueue(() => redis.url, pino({ level: 'silent' }));
  t.after(async () => {
    await queue.close();
    await redis.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  await new Promise<void>((resolve) => queue.onReady(resolve));
  return { queue, redis };
}

describe('the gaps that a Redis was given', () => {
  it('are known to be there until it is flushed', async (t) => {
    const { queue, redis } = await open(t);
    assert.equal(await queue.isTakenUp(), false);
    assert.equal(await queue.whileTakingUp(minuteMs, async () => 7), 7);
    assert.equal(await queue.isTakenUp(), true);
    await redis.client.flushall();
    assert.equal(await queue.isTakenUp(), false);
  });

  it('are given anew where it was flushed while it was given them', async (t) => {
    const { queue, redis } = await open(t);
    await queue.whileTakingUp(minuteMs, () => redis.client.flushall());
    assert.equal(await queue.isTakenUp(), false);
  });

  it('are given anew where another began to give them meanwhile, and did not end', async (t) => {
    const { queue, redis } = await open(t);
    await queue.whileTakingUp(minuteMs, async () => {
      await redis.client.flushall();
      const other = queue.whileTakingUp(minuteMs, () => Promise.reject(new Error('killed, say')));
      await assert.rejects(other, /killed, say/);
    });
    assert.equal(await queue.isTakenUp(), false);
  });

  it('are given anew where that broke off', async (t) => {
    const { queue } = await open(t);
    const broken = queue.whileTakingUp(minuteMs, () => Promise.reject(new Error('killed, say')));
    await assert.rejects(broken, /killed, say/);
    assert.equal(await queue.isTakenUp(), false);
  });

  it('are given anew after a restart, though its file has kept the note: the last writes may be missing', async (t) => {
    const { queue, redis } = await open(t, ['--appendonly', 'yes', '--appendfsync', 'always']);
    await queue.whileTakingUp(minuteMs, async () => undefined);
    await redis.kill();
    assert.equal(await queue.ping(), false);
    await redis.start();
    await until(() => queue.ping(), 'the queue to be connected again');
    assert.notEqual(await redis.client.get('kitemirror:taken-up'), null);
    assert.equal(await queue.isTakenUp(), false);
  });
});

describe('tasks that are put off', () => {
  const payload = (build: string) => ({ organization: 'acme', pipeline: 'web', number: 1, build, pipelineId: build });
  const [near, far] = ['0198a6c0-0000-7000-8000-000000000001', '0198a6c0-0000-7000-8000-000000000002'] as const;

  it('to a time that none is put off to are started: the clock was set back since', async (t) => {
    const { queue } = await open(t);
    await queue.enqueue({ name: 'publish-build', payload: payload(near) }, { delayMs: maxBackoffMs });
    await queue.enqueue({ name: 'publish-build', payload: payload(far) }, { delayMs: 2 * 86_400_000 });
    const count = async (state: string) =>
      (await queue.counts()).find((entry) => entry.queue === 'live' && entry.state === state)?.count;
    assert.equal(await count('delayed'), 2);
    assert.equal(await queue.startStranded(), 1);
    // In the order of its class, as if its time had come.
    assert.equal(await count('prioritized'), 1);
    assert.equal(await count('delayed'), 1);
    assert.equal(await queue.startStranded(), 0);
  });
});
