/** Signed deliveries acknowledged after they are on disk, beside a bare Express handler that only verifies. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Pool } from 'undici';
import { signedHeaders, webhookBody } from '../demo/deliver.ts';
import { generateBuild } from '../demo/samples/generate.ts';
import type { Bench } from './bench.ts';
import { until } from './children.ts';
import { percentile, type Row, ratioOf, spreadOf } from './measure.ts';
import { root } from './stack.ts';

const token = '0123456789abcdef0123456789abcdef';
const connections = 32;
const burst = 6000;
const steadySeconds = 6;
const steadyRate = 500;
const usualRounds = 3;

interface Side {
  readonly child: ChildProcess;
  readonly pool: Pool;
}

export const deliveries: Bench = async function* ({ signal, path, rounds, say, cleanUp }) {
  const folder = mkdtempSync(join(tmpdir(), 'kitemirror-bench-'));
  cleanUp(() => rmSync(folder, { recursive: true, force: true }));
  const redisSocket = join(folder, 'redis.sock');
  const redis = spawn('redis-server', ['--port', '0', '--unixsocket', redisSocket, '--save', '', '--dir', folder], {
    stdio: 'ignore',
    env: { PATH: path },
  });
  cleanUp(() => end(redis));
  await until(() => existsSync(redisSocket), 'redis-server', { signal });
  const sides = {
    ours: await start(['src/receiver.ts'], join(folder, 'ours.sock'), signal, {
      PATH: path,
      BUILDKITE_ORGANIZATION: 'acme',
      BUILDKITE_WEBHOOK_TOKEN: token,
      REDIS_URL: `unix://${redisSocket}`,
      KITEMIRROR_DATA: join(folder, 'data'),
      KITEMIRROR_RECEIVER_LISTEN: `unix:${join(folder, 'ours.sock')}`,
      KITEMIRROR_METRICS_LISTEN: 'off',
    }),
    express: await start(
      ['bench/bare-express.ts', join(folder, 'bare.sock'), token],
      join(folder, 'bare.sock'),
      signal,
      {
        PATH: path,
      },
    ),
  };
  cleanUp(() =>
    Promise.all(Object.values(sides).map(({ child, pool }) => pool.destroy().then(() => end(child)))).then(
      () => undefined,
    ),
  );

  const bodies = Array.from({ length: 200 }, (_, number) => {
    const build = generateBuild({ number: number + 1, jobs: 1 });
    return webhookBody('build.finished', build, null);
  });
  const rates: Record<'ours' | 'express', number[]> = { ours: [], express: [] };
  for (let round = 0; round <= (rounds ?? usualRounds); round += 1) {
    say(`deliveries: round ${round === 0 ? 'to warm up' : round}`);
    for (const name of round % 2 === 0 ? (['ours', 'express'] as const) : (['express', 'ours'] as const)) {
      const rate = await flood(sides[name].pool, bodies);
      if (round > 0) rates[name].push(rate);
    }
  }
  say(`deliveries: ${steadyRate} a second`);
  const floor = await atRate(sides.express.pool, bodies, signal);
  const steady = await atRate(sides.ours.pool, bodies, signal);
  const ratio = ratioOf(rates.ours, rates.express);
  const p99 = percentile(steady, 0.99);
  const rows: Row[] = [
    { name: 'ours: verified, on disk, answered', value: spreadOf(rates.ours), unit: '/s' },
    {
      name: 'bare Express: verified, answered',
      value: spreadOf(rates.express),
      unit: '/s',
      ratio,
      target: { text: '≥ 0.5 ×', met: ratio.median >= 0.5 },
    },
    { name: `ours: median at ${steadyRate}/s`, value: spreadOf([percentile(steady, 0.5)]), unit: 'ms' },
    {
      name: `ours: p99 at ${steadyRate}/s`,
      value: spreadOf([p99]),
      unit: 'ms',
      target: { text: '≤ 25 ms', met: p99 <= 25 },
    },
    // What this machine does to anyone's p99 just now.
    { name: `bare Express: p99 at ${steadyRate}/s`, value: spreadOf([percentile(floor, 0.99)]), unit: 'ms' },
  ];
  const facts = [
    `${connections} connections over Unix sockets, no Lighttpd between; the journal on disk (${tmpdir()})`,
  ];
  yield { title: 'Deliveries', facts, rows };
};

async function start(args: string[], socketPath: string, signal: AbortSignal, env: NodeJS.ProcessEnv): Promise<Side> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...args], {
    cwd: root,
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await until(() => existsSync(socketPath), args[0] ?? '', { signal });
  return { child, pool: new Pool('http://localhost', { socketPath, connections, pipelining: 1 }) };
}

async function post(pool: Pool, body: string): Promise<void> {
  const headers = { ...signedHeaders(body, token), 'content-type': 'application/json' };
  const answer = await pool.request({ path: '/-/webhooks/buildkite', method: 'POST', headers, body });
  await answer.body.dump();
  if (answer.statusCode !== 202) throw new Error(`a delivery was answered ${answer.statusCode}`);
}

/** @returns deliveries a second, as fast as they are answered */
async function flood(pool: Pool, bodies: readonly string[]): Promise<number> {
  const startedAt = performance.now();
  let next = 0;
  const send = async (): Promise<void> => {
    while (next < burst) {
      next += 1;
      await post(pool, bodies[next % bodies.length] ?? '');
    }
  };
  await Promise.all(Array.from({ length: connections }, send));
  return burst / ((performance.now() - startedAt) / 1000);
}

/** One by one at even distances, whether the one before is answered or not. @returns their times, ascending, ms */
async function atRate(pool: Pool, bodies: readonly string[], signal: AbortSignal): Promise<number[]> {
  const times: number[] = [];
  const flying: Promise<void>[] = [];
  const startedAt = performance.now();
  for (let sent = 0; sent < steadyRate * steadySeconds; sent += 1) {
    const due = startedAt + (sent * 1000) / steadyRate;
    const early = due - performance.now();
    if (early > 1) await pause(early, undefined, { signal });
    const sentAt = performance.now();
    flying.push(post(pool, bodies[sent % bodies.length] ?? '').then(() => void times.push(performance.now() - sentAt)));
  }
  await Promise.all(flying);
  return times.toSorted((left, right) => left - right);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}
