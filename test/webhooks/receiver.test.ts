import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { bodyOf, secret, signatureOf } from './deliveries.ts';
import { type Receiver, startReceiver } from './receiver-process.ts';
import { createRedisServer, type RedisServer } from './redis-server.ts';
import { until } from './until.ts';

async function isQueued(redis: RedisServer, builds: string[]): Promise<void> {
  await until('all builds are queued', async () => {
    const found = new Set(await redis.queuedBuilds());
    return builds.every((build) => found.has(build));
  });
}

describe('the receiver', () => {
  let folder: string;
  let redis: RedisServer;
  let running: ChildProcess[];

  before(async () => {
    redis = createRedisServer({ appendOnly: false });
    await redis.start();
    folder = mkdtempSync(join(tmpdir(), 'kitemirror-receiver-'));
    running = [];
  });

  after(async () => {
    for (const child of running) child.kill('SIGKILL');
    await redis.remove();
    rmSync(folder, { recursive: true });
  });

  async function start(extra: Parameters<typeof startReceiver>[2] = {}): Promise<Receiver> {
    const receiver = await startReceiver(folder, redis.url, extra);
    running.push(receiver.child);
    return receiver;
  }

  it('takes a signed delivery, queues it, and counts it', async () => {
    const receiver = await start();
    const build = randomUUID();
    const { status } = await receiver.post(JSON.stringify(bodyOf({ build })));
    assert.equal(status, 202);
    await isQueued(redis, [build]);
    const metrics = await (await fetch(`${receiver.metricsUrl}/metrics`)).text();
    assert.match(metrics, /^kitemirror_deliveries_total\{event="build.finished",outcome="accepted"\} 1$/m);
    assert.match(metrics, /^kitemirror_journal_entries 1$/m);
    assert.match(metrics, /^kitemirror_tasks\{queue="live",state="prioritized"\} 1$/m);
    assert.match(metrics, /^kitemirror_disk_free_bytes [1-9]\d+$/m);
    assert.deepEqual(await (await fetch(`${receiver.metricsUrl}/readyz`)).json(), {
      status: 'ready',
      checks: { journal: 'ok', queue: 'ok' },
    });
    receiver.child.kill('SIGTERM');
    assert.equal(await receiver.ended, 0);
    assert.equal(existsSync(join(folder, 'r.sock')), false);
  });

  it('accepts deliveries with a Redis that may evict, and is not ready', async () => {
    const client = new Redis({ path: redis.url.replace('unix://', '') });
    try {
      await client.config('SET', 'maxmemory-policy', 'allkeys-lru');
      const receiver = await start();
      assert.equal((await receiver.post(JSON.stringify(bodyOf({ build: randomUUID() })))).status, 202);
      const ready = async (): Promise<{ status: number; text: string }> => {
        const answer = await fetch(`${receiver.metricsUrl}/readyz`);
        return { status: answer.status, text: await answer.text() };
      };
      await until('it says that it is not ready', async () => (await ready()).status === 503);
      assert.match((await ready()).text, /maxmemory-policy allkeys-lru/);
      receiver.child.kill('SIGTERM');
      assert.equal(await receiver.ended, 0);
    } finally {
      await client.config('SET', 'maxmemory-policy', 'noeviction');
      client.disconnect();
    }
  });

  it('leaves a data folder of a later format alone, and says so', async () => {
    const newer = join(folder, 'newer');
    mkdirSync(join(newer, 'data', 'state'), { recursive: true });
    writeFileSync(join(newer, 'data', 'state', 'format'), '2\n');
    const receiver = await start({ env: { KITEMIRROR_DATA: join(newer, 'data') } });
    assert.equal(await receiver.ended, 78);
    assert.match(receiver.output(), /has format 2/);
    assert.deepEqual(readdirSync(join(newer, 'data')), ['state']);
  });

  it('may be killed at any moment: what it acknowledged is queued after the next start', async () => {
    const receiver = await start();
    const acknowledged: string[] = [];
    const sendOn = async (): Promise<void> => {
      for (;;) {
        const build = randomUUID();
        const { status } = await receiver.post(JSON.stringify(bodyOf({ build })));
        if (status === 202) acknowledged.push(build);
        if (acknowledged.length >= 300) receiver.child.kill('SIGKILL');
      }
    };
    await Promise.allSettled(Array.from({ length: 16 }, sendOn));
    assert.equal(await receiver.ended, null);
    assert.ok(acknowledged.length >= 300);
    await redis.flush();
    const next = await start();
    await isQueued(redis, acknowledged);
    next.child.kill('SIGTERM');
    assert.equal(await next.ended, 0);
  });

  it('answers within Buildkite’s patience while Redis hangs', async () => {
    const receiver = await start();
    redis.hang();
    const builds = Array.from({ length: 20 }, () => randomUUID());
    const begunAt = performance.now();
    const answers = await Promise.all(builds.map((build) => receiver.post(JSON.stringify(bodyOf({ build })))));
    assert.ok(performance.now() - begunAt < 4000);
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [202]);
    redis.resume();
    await isQueued(redis, builds);
    receiver.child.kill('SIGTERM');
    assert.equal(await receiver.ended, 0);
  });

  it('takes a new secret from its file without a restart', async () => {
    const file = join(folder, 'token');
    writeFileSync(file, 'first');
    const receiver = await start({ env: { BUILDKITE_WEBHOOK_TOKEN: '', BUILDKITE_WEBHOOK_TOKEN_FILE: file } });
    const body = JSON.stringify({ event: 'ping' });
    const signedWith = (key: string): Record<string, string> => ({
      'Content-Type': 'application/json',
      'X-Buildkite-Signature': signatureOf(body, undefined, key),
    });
    assert.equal((await receiver.post(body, signedWith('first'))).status, 200);
    assert.equal((await receiver.post(body, signedWith('second'))).status, 401);
    writeFileSync(file, 'first\nsecond\n');
    await until('the second is in force', async () => (await receiver.post(body, signedWith('second'))).status === 200);
    assert.equal((await receiver.post(body, signedWith('first'))).status, 200);
    receiver.child.kill('SIGTERM');
    assert.equal(await receiver.ended, 0);
  });

  it('ends when its supervisor goes, and not for want of one', async () => {
    const supervised = await start({ args: ['--supervised'] });
    supervised.child.stdin?.end();
    assert.equal(await supervised.ended, 0);
    const alone = await start();
    alone.child.stdin?.end();
    assert.equal((await alone.post(JSON.stringify({ event: 'ping' }))).status, 200);
    alone.child.kill('SIGTERM');
    assert.equal(await alone.ended, 0);
  });

  it('does not start beside another one on the same data', async () => {
    const first = await start();
    const second = await start({ env: { KITEMIRROR_RECEIVER_LISTEN: `unix:${join(folder, 'second.sock')}` } });
    assert.equal(await second.ended, 1);
    assert.match(second.output(), /another receiver writes the journal/);
    first.child.kill('SIGTERM');
    assert.equal(await first.ended, 0);
  });

  it('names every fault of its settings and ends with 78', async () => {
    const receiver = await start({
      env: { BUILDKITE_WEBHOOK_MODE: 'both', KITEMIRROR_METRICS_LISTEN: 'here', KITEMIRROR_X: '1' },
    });
    assert.equal(await receiver.ended, 78);
    for (const name of ['BUILDKITE_WEBHOOK_MODE', 'KITEMIRROR_METRICS_LISTEN', 'KITEMIRROR_X']) {
      assert.ok(receiver.output().includes(name), name);
    }
  });

  it('never writes a secret to its log', async () => {
    const receiver = await start({ env: { KITEMIRROR_LOG_LEVEL: 'debug' } });
    const body = JSON.stringify(bodyOf());
    await receiver.post(body);
    await receiver.post(body, { 'Content-Type': 'application/json', 'X-Buildkite-Token': secret });
    receiver.child.kill('SIGTERM');
    assert.equal(await receiver.ended, 0);
    assert.match(receiver.output(), /accepted/);
    assert.doesNotMatch(receiver.output(), new RegExp(`${secret}|webhook\\.example`));
  });
});
