/** A worker against the stand-in: real Redis, real files, real HTTP; tasks are enqueued as the receiver does. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import type { SampleBuild, SampleJob } from '../../demo/standin/sample.ts';
import { createStandIn } from '../../demo/standin/server.ts';
import type { StandIn, StandInOptions } from '../../demo/standin/standin.ts';
import { defaultToken } from '../../demo/standin/tokens.ts';
import type { BuildRecord, Hint, JobRecord } from '../../src/model.ts';
import { openQueue, type TaskQueue } from '../../src/queue/queue.ts';
import { taskOfHint } from '../../src/queue/tasks.ts';
import { type DataPaths, dataPaths, type Place } from '../../src/tree/paths.ts';

const root = join(import.meta.dirname, '..', '..');
const silent = pino({ level: 'silent' });

export interface Mirror {
  readonly standIn: StandIn;
  readonly paths: DataPaths;
  readonly queue: TaskQueue;
  /** What the worker wrote to its log, line by line. */
  readonly output: string[];
  /** Tells of a build's end, or of a job's, as a delivery would. */
  tell(build: SampleBuild, job?: SampleJob): Promise<void>;
  build(build: SampleBuild): BuildRecord;
  job(build: SampleBuild, job: string): JobRecord;
  /** Waits until the build is settled and nothing is queued. */
  settled(build: SampleBuild, timeoutMs?: number): Promise<BuildRecord>;
  idle(timeoutMs?: number): Promise<void>;
  startWorker(env?: Record<string, string>): Promise<void>;
  stopWorker(signal?: NodeJS.Signals): Promise<void>;
  stop(): Promise<void>;
}

export interface MirrorOptions {
  readonly standIn?: StandInOptions;
  readonly env?: Record<string, string>;
  /** The data folder's parent; default the system's temporary folder. */
  readonly within?: string;
}

export async function startMirror(options: MirrorOptions = {}): Promise<Mirror> {
  const folder = mkdtempSync(join(options.within ?? tmpdir(), 'kitemirror-'));
  const paths = dataPaths(join(folder, 'data'));
  const socket = join(folder, 'r.sock');
  const redis = spawn(
    'redis-server',
    ['--port', '0', '--unixsocket', socket, '--save', '', '--dir', folder, '--maxmemory-policy', 'noeviction'],
    { stdio: 'ignore' },
  );
  await until(() => existsSync(socket), 'redis-server');
  const standIn = createStandIn({ limits: null, ...options.standIn });
  const address = await standIn.start();
  const queue = openQueue({ url: `unix://${socket}` }, silent);
  await new Promise<void>((resolve) => queue.onReady(resolve));
  const output: string[] = [];
  let worker: ChildProcess | null = null;

  const environment = (extra: Record<string, string>): Record<string, string> => ({
    PATH: process.env['PATH'] ?? '',
    BUILDKITE_ORGANIZATION: 'acme',
    BUILDKITE_API_TOKEN: defaultToken.token,
    BUILDKITE_API_URL: address.apiUrl,
    KITEMIRROR_DOWNLOAD_HOSTS: address.storageHost,
    KITEMIRROR_DATA: paths.root,
    KITEMIRROR_MIN_FREE: '1',
    KITEMIRROR_WORKER_METRICS_LISTEN: 'off',
    REDIS_URL: `unix://${socket}`,
    ...options.env,
    ...extra,
  });

  async function startWorker(extra: Record<string, string> = {}): Promise<void> {
    const child = spawn(process.execPath, [join(root, 'workers', 'main.ts')], {
      env: environment(extra),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    worker = child;
    let ready = false;
    const note = (chunk: Buffer): void => {
      const lines = chunk.toString('utf8').split('\n').filter(Boolean);
      output.push(...lines);
      ready ||= lines.some((line) => line.includes('worker ready'));
    };
    child.stdout.on('data', note);
    child.stderr.on('data', note);
    await until(() => ready || child.exitCode !== null, 'the worker');
    if (!ready) throw new Error(`the worker did not start:\n${output.join('\n')}`);
  }

  async function stopWorker(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (worker === null || worker.exitCode !== null || worker.signalCode !== null) return;
    const ended = once(worker, 'exit');
    worker.kill(signal);
    await ended;
  }

  async function idle(timeoutMs = 60_000): Promise<void> {
    await until(
      async () => {
        const counts = await queue.counts();
        return counts.every(({ state, count }) => state === 'failed' || count === 0);
      },
      `an empty queue\n${output.slice(-10).join('\n')}`,
      timeoutMs,
    );
  }

  const build = (of: SampleBuild): BuildRecord => readJson(paths.buildFile(placeOf(of), 'build.json'));
  const mirror: Mirror = {
    standIn,
    paths,
    queue,
    output,
    tell: (of, job) => queue.enqueue(taskOfHint(hintOf(of, job))),
    build,
    job: (of, job) => readJson(paths.jobFile(placeOf(of), job, 'job.json')),
    settled: async (of, timeoutMs = 60_000) => {
      const file = paths.buildFile(placeOf(of), 'build.json');
      const isSettled = (): boolean => existsSync(file) && build(of).settled && build(of).id === of.id;
      await until(isSettled, `build ${of.number}\n${output.slice(-10).join('\n')}`, timeoutMs);
      await idle(timeoutMs);
      return build(of);
    },
    idle,
    startWorker,
    stopWorker,
    stop: async () => {
      await stopWorker('SIGKILL');
      await queue.close();
      await standIn.stop();
      const ended = once(redis, 'exit');
      redis.kill('SIGKILL');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await startWorker();
  return mirror;
}

export function placeOf(build: SampleBuild): Place {
  return { organization: build.organization.slug, folder: build.pipeline.slug, number: build.number };
}

export function hintOf(build: SampleBuild, job?: SampleJob): Hint {
  const finishedAt = job === undefined ? build.finishedAt : 'finishedAt' in job ? job.finishedAt : null;
  return {
    event: job === undefined ? 'build.finished' : 'job.finished',
    organization: build.organization.slug,
    pipeline: build.pipeline.slug,
    number: build.number,
    build: build.id,
    job: job?.id ?? null,
    finishedAt,
    heardAt: Date.now(),
  };
}

/** Waits for a condition, looked at often, for a bounded time. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = 20_000,
): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`);
    await sleep(10);
  }
}

export function readJson<T>(file: string): T {
  return JSON.parse(readFileSync(file, 'utf8')) as T;
}

/** Every file below a folder, by its relative path, sorted; with its size. */
export async function listTree(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const file = join(entry.parentPath, entry.name);
      return `${file.slice(folder.length + 1)} ${statSync(file).size}`;
    })
    .toSorted();
}
