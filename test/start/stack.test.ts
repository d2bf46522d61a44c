/** The whole stack, for real: each test has its own data folder, ports and Redis. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { MirrorError } from '../../src/errors.ts';
import { createPrinter } from '../../src/supervise/lines.ts';
import { type Stack, startStack } from '../../src/supervise/stack.ts';
import { familyOf, freePorts, isAlive, later, root, run, stackEnv, temporaryFolder, until } from './scene.ts';

interface Running {
  readonly stack: Stack;
  readonly lines: string[];
  readonly url: string;
}

async function start(t: TestContext, more: NodeJS.ProcessEnv = {}): Promise<Running> {
  const env = await stackEnv(join(temporaryFolder(t), 'data'), more);
  const { stack, lines } = await startWith(t, env);
  return { stack, lines, url: env.KITEMIRROR_URL ?? '' };
}

async function startWith(t: TestContext, env: NodeJS.ProcessEnv): Promise<{ stack: Stack; lines: string[] }> {
  const lines: string[] = [];
  const printer = createPrinter({ write: (line) => lines.push(line), format: 'text', color: false });
  const stack = await startStack({ root, env, printer });
  later(t, () => stack.stop());
  return { stack, lines };
}

async function status(url: string): Promise<number> {
  const response = await fetch(url);
  await response.arrayBuffer();
  return response.status;
}

describe('a stack', () => {
  test('is ready as one: the front, the receiver and the gateway answer, and each worker has its metrics', async (t) => {
    const [port = 0] = await freePorts(1);
    const { stack, url } = await start(t, {
      KITEMIRROR_WORKERS: '2',
      KITEMIRROR_WORKER_METRICS_LISTEN: `127.0.0.1:${port}`,
    });
    const names = Object.keys(stack.pids()).toSorted();
    assert.deepEqual(names, ['gateway', 'lighttpd', 'receiver', 'redis', 'worker-0', 'worker-1']);
    assert.equal(await status(`${url}/-/healthz`), 200);
    assert.equal(await status(`${url}/-/readyz`), 200);
    assert.equal(await status(`${url}/`), 200);
    assert.equal(await status(`http://127.0.0.1:${port}/metrics`), 200);
    const told = await (await fetch(`http://127.0.0.1:${port + 1}/metrics`)).text();
    // An alert is raised by an increase: what has not been yet is there as 0.
    assert.match(told, /^kitemirror_damaged_records_total\{record="job"\} 0$/m);
  });

  test('ends in order: Lighttpd first, then receiver and gateway, then the worker, Redis last', async (t) => {
    const { stack, lines } = await start(t);
    const pids = stack.pids();
    const family = Object.values(pids).flatMap(familyOf);
    const gone: string[] = [];
    const watching = until('all are gone', () => {
      for (const [name, pid] of Object.entries(pids)) {
        if (!isAlive(pid) && !gone.includes(name)) gone.push(name);
      }
      return gone.length === Object.keys(pids).length;
    });
    await Promise.all([stack.stop(), watching]);
    assert.equal(gone[0], 'lighttpd');
    assert.deepEqual(gone.slice(1, 3).toSorted(), ['gateway', 'receiver']);
    assert.deepEqual(gone.slice(3), ['worker', 'redis']);
    assert.deepEqual(family.filter(isAlive), []);
    assert.doesNotMatch(lines.join('\n'), /was killed|did not end/);
  });

  test('starts a program again that dies, says so, and is whole again', async (t) => {
    const { stack, lines, url } = await start(t);
    const { gateway = 0, redis = 0 } = stack.pids();
    process.kill(gateway, 'SIGKILL');
    process.kill(redis, 'SIGKILL');
    await until('both run again', () => {
      const { gateway: next = gateway, redis: other = redis } = stack.pids();
      return next !== gateway && other !== redis;
    });
    await until('the home page is served', async () => (await status(`${url}/-/readyz`)) === 200);
    assert.match(lines.join('\n'), /gateway ended \(killed by SIGKILL\); it is started again in 0\.5 s/);
  });

  test('tells each program its own secrets and no others, and shows none', async (t) => {
    const { stack, lines } = await start(t);
    const environmentOf = async (name: string): Promise<string> =>
      readFile(`/proc/${stack.pids()[name] ?? 0}/environ`, 'utf8');
    const knows: Record<string, [token: boolean, webhook: boolean, redis: boolean]> = {};
    for (const name of Object.keys(stack.pids())) {
      const text = await environmentOf(name);
      knows[name] = [text.includes('bkua_a-token'), text.includes('a-webhook-token'), text.includes('REDIS_URL=')];
    }
    assert.deepEqual(knows, {
      worker: [true, false, true],
      receiver: [false, true, true],
      gateway: [false, false, true],
      lighttpd: [false, false, false],
      redis: [false, false, false],
    });
    assert.doesNotMatch(lines.join('\n'), /bkua_a-token|a-webhook-token/);
  });

  test('gives the data folder to one start at a time', async (t) => {
    const data = join(temporaryFolder(t), 'data');
    await startWith(t, await stackEnv(data));
    await assert.rejects(startWith(t, await stackEnv(data)), (error: MirrorError) => {
      assert.match(error.message, /^the data folder .* is in use/);
      return error.code === 'ERR_CONFIG';
    });
  });
});

describe('a start that cannot be', () => {
  test('names the data folder that cannot be made, and does not say that it is in use', async (t) => {
    const file = join(temporaryFolder(t), 'file');
    writeFileSync(file, '');
    await assert.rejects(startWith(t, await stackEnv(join(file, 'data'))), {
      code: 'ERR_CONFIG',
      message: /^the data folder .*\/file\/data \(KITEMIRROR_DATA\) cannot be used: ENOTDIR/,
    });
  });

  test('names every address that is taken, with its setting, and starts nothing', async (t) => {
    const server = createServer().listen(0, '127.0.0.1');
    later(t, () => server.close());
    await until('it listens', () => server.listening);
    const taken = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const more = { KITEMIRROR_LISTEN: taken, KITEMIRROR_METRICS_LISTEN: taken };
    const env = await stackEnv(join(temporaryFolder(t), 'data'), more);
    await assert.rejects(startWith(t, env), (error: MirrorError) => {
      assert.equal(error.code, 'ERR_CONFIG');
      assert.match(error.message, new RegExp(`KITEMIRROR_LISTEN ${taken}: another process listens there`));
      assert.match(error.message, new RegExp(`KITEMIRROR_METRICS_LISTEN ${taken}: another process listens there`));
      return true;
    });
  });

  test('of two settings with one address the second is named', async (t) => {
    const [port = 0] = await freePorts(1);
    const more = { KITEMIRROR_LISTEN: `127.0.0.1:${port}`, KITEMIRROR_METRICS_LISTEN: `127.0.0.1:${port}` };
    const env = await stackEnv(join(temporaryFolder(t), 'data'), more);
    await assert.rejects(startWith(t, env), /cannot listen on\n {2}- KITEMIRROR_METRICS_LISTEN/);
  });

  test('lists every fault of the settings', async (t) => {
    const env = await stackEnv(join(temporaryFolder(t), 'data'), {
      KITEMIRROR_WORKERS: 'many',
      KITEMIRROR_WORKER: '2',
      BUILDKITE_API_TOKEN: '',
    });
    await assert.rejects(startWith(t, env), (error: MirrorError) => {
      assert.match(error.message, /^3 faults in the configuration:/);
      for (const name of ['KITEMIRROR_WORKERS', 'KITEMIRROR_WORKER ', 'BUILDKITE_API_TOKEN']) {
        assert.ok(error.message.includes(name), name);
      }
      return error.code === 'ERR_CONFIG';
    });
  });

  test('leaves nothing behind, and names who is not ready and what it waits for', async (t) => {
    // A Redis that nobody answers at: the worker waits for it, and so does the start.
    const [nobody = 0] = await freePorts(1);
    const env = await stackEnv(join(temporaryFolder(t), 'data'), { REDIS_URL: `redis://127.0.0.1:${nobody}` });
    const before = familyOf(process.pid);
    const lines: string[] = [];
    const printer = createPrinter({ write: (line) => lines.push(line), format: 'text', color: false });
    await assert.rejects(startStack({ root, env, printer, readyWithinMs: 1500 }), (error: MirrorError) => {
      assert.equal(error.code, 'ERR_NOT_READY');
      assert.match(error.message, /worker is not ready: /);
      return true;
    });
    assert.deepEqual(
      familyOf(process.pid).filter((pid) => !before.includes(pid)),
      [],
    );
  });

  test('a program that cannot run as it is configured ends the start with its own words', async (t) => {
    const evicting = join(temporaryFolder(t), 'data');
    const other = await start(t);
    const socket = `unix://${other.stack.config.runDir}/redis.sock`;
    const cli = ['-s', `${other.stack.config.runDir}/redis.sock`, 'CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru'];
    await run('redis-cli', cli, { PATH: process.env.PATH });
    await assert.rejects(startWith(t, await stackEnv(evicting, { REDIS_URL: socket })), (error: MirrorError) => {
      assert.equal(error.code, 'ERR_CONFIG');
      assert.match(error.message, /^worker cannot run:[^]*allkeys-lru/);
      return true;
    });
  });
});
