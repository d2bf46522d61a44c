/** A worker against the stand-in: real Redis, real files, real HTTP; tasks are enqueued as the receiver does. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { SampleBuild, SampleJob } from '../../demo/standin/sample.ts';
import { createStandIn } from '../../demo/standin/server.ts';
import type { StandIn, StandInOptions } from '../../demo/standin/standin.ts';
import { defaultToken } from '../../demo/standin/tokens.ts';
import { errnoOf } from '../../src/errors.ts';
import type { BuildRecord, Hint, JobRecord } from '../../src/model.ts';
import { openQueue, type TaskQueue } from '../../src/queue/queue.ts';
import { taskOfHint } from '../../src/queue/tasks.ts';
import { isMirrored } from '../../src/tree/mirrored.ts';
import { type DataPaths, dataPaths, type Place } from '../../src/tree/paths.ts';
import { machine } from '../machine.ts';
import { type RedisServer, startRedis } from './redis.ts';
import { until } from './until.ts';

const root = join(import.meta.dirname, '..', '..');
const silent = pino({ level: 'silent' });

export interface Mirror {
  readonly standIn: StandIn;
  readonly redis: RedisServer;
  readonly paths: DataPaths;
  readonly queue: TaskQueue;
  /** What the worker wrote to its log, line by line. */
  readonly output: string[];
  /** Tells of a build's end, or of a job's, as a delivery would. */
  tell(build: SampleBuild, job?: SampleJob): Promise<void>;
  build(build: SampleBuild): BuildRecord;
  job(build: SampleBuild, job: string): JobRecord;
  /** Waits until the build is settled and nothing is queued. */
  settled(build: SampleBuild, timeoutMs?: number, isWanted?: (record: BuildRecord) => boolean): Promise<BuildRecord>;
  /** Waits for a job's record that is as wanted. */
  jobRecord(build: SampleBuild, job: string, isWanted: (record: JobRecord) => boolean): Promise<JobRecord>;
  jobSettled(build: SampleBuild, job: string): Promise<JobRecord>;
  idle(timeoutMs?: number): Promise<void>;
  /** One more. */
  startWorker(env?: Record<string, string>): Promise<void>;
  /** Whether the worker has ended by itself, or was ended by a signal. */
  hasEnded(): boolean;
  /** What the workers of this mirror are started with. */
  environment(): Record<string, string>;
  /** All of them. */
  stopWorker(signal?: NodeJS.Signals): Promise<void>;
  stop(): Promise<void>;
}

export interface MirrorOptions {
  readonly standIn?: StandInOptions;
  /** Where it holds addresses, made of the stand-in when that has started. */
  readonly env?: Record<string, string> | ((standIn: StandIn) => Record<string, string>);
  /** So many workers are started; one unless told. */
  readonly workers?: number;
  /** The data folder's parent; default the system's temporary folder. */
  readonly within?: string;
}

export async function startMirror(options: MirrorOptions = {}): Promise<Mirror> {
  const folder = mkdtempSync(join(options.within ?? tmpdir(), 'kitemirror-'));
  const paths = dataPaths(join(folder, 'data'));
  const redis = await startRedis(folder);
  const standIn = createStandIn({ limits: null, ...options.standIn });
  const address = await standIn.start();
  const queue = openQueue(() => redis.url, silent);
  await new Promise<void>((resolve) => queue.onReady(resolve));
  const output: string[] = [];
  let workers: ChildProcess[] = [];

  const environment = (extra: Record<string, string> = {}): Record<string, string> => ({
    ...machine,
    BUILDKITE_ORGANIZATION: 'acme',
    BUILDKITE_API_TOKEN: defaultToken.token,
    BUILDKITE_API_URL: address.apiUrl,
    KITEMIRROR_DOWNLOAD_HOSTS: address.storageHost,
    KITEMIRROR_DATA: paths.root,
    KITEMIRROR_MIN_FREE: '1',
    KITEMIRROR_WORKER_METRICS_LISTEN: 'off',
    REDIS_URL: redis.url,
    ...(typeof options.env === 'function' ? options.env(standIn) : options.env),
    ...extra,
  });

  async function startWorker(extra: Record<string, string> = {}): Promise<void> {
    const child = spawn(process.execPath, [join(root, 'workers', 'main.ts')], {
      env: environment(extra),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    workers.push(child);
    let ready = false;
    const note = (chunk: Buffer): void => {
      const lines = chunk.toString('utf8').split('\n').filter(Boolean);
      output.push(...lines);
      ready ||= lines.some((line) => line.includes('worker ready'));
    };
    child.stdout.on('data', note);
    child.stderr.on('data', note);
    const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
    await until(() => ready || hasEnded(), 'the worker', 180_000);
    if (!ready && child.signalCode === null) throw new Error(`the worker did not start:\n${output.join('\n')}`);
  }

  async function stopWorker(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const ending = workers;
    workers = [];
    await Promise.all(
      ending.map(async (worker) => {
        if (worker.exitCode !== null || worker.signalCode !== null) return;
        const ended = once(worker, 'exit');
        worker.kill(signal);
        await ended;
      }),
    );
  }

  const tail = (): string => output.slice(-10).join('\n');
  /** Waits no longer than there is a worker to do what is waited for. */
  async function untilDone(
    condition: () => boolean | Promise<boolean>,
    what: string,
    timeoutMs?: number,
  ): Promise<void> {
    const look = (): boolean | Promise<boolean> => {
      if (workers.some(({ exitCode }) => exitCode !== null)) throw new Error(`a worker has ended by itself\n${tail()}`);
      return condition();
    };
    await until(look, () => `${what}\n${tail()}`, timeoutMs);
  }

  async function idle(timeoutMs = 60_000): Promise<void> {
    const isEmpty = async (): Promise<boolean> => {
      // A Redis that is not there now may be asked again.
      const counts = await queue.counts().catch(() => null);
      return counts !== null && counts.every(({ state, count }) => state === 'failed' || count === 0);
    };
    await untilDone(isEmpty, 'an empty queue', timeoutMs);
  }

  async function jobRecord(of: SampleBuild, job: string, isWanted: (record: JobRecord) => boolean): Promise<JobRecord> {
    const file = paths.jobFile(placeOf(of), job, 'job.json');
    let record: JobRecord | null = null;
    await untilDone(() => {
      record = readJsonIfThere(file);
      return record !== null && isWanted(record);
    }, `job ${job}`);
    return record ?? readJson(file);
  }

  const build = (of: SampleBuild): BuildRecord => readJson(paths.buildFile(placeOf(of), 'build.json'));
  const mirror: Mirror = {
    standIn,
    redis,
    environment,
    paths,
    queue,
    output,
    tell: async (of, job) => {
      const hint = hintOf(of, job);
      if (!(await isMirrored(paths, hint))) await queue.enqueue(taskOfHint(hint));
    },
    build,
    job: (of, job) => readJson(paths.jobFile(placeOf(of), job, 'job.json')),
    settled: async (of, timeoutMs = 60_000, isWanted = () => true) => {
      const file = paths.buildFile(placeOf(of), 'build.json');
      const isSettled = (): boolean => {
        const record = readJsonIfThere<BuildRecord>(file);
        return record !== null && record.settled && record.id === of.id && isWanted(record);
      };
      await untilDone(isSettled, `build ${of.number}`, timeoutMs);
      await idle(timeoutMs);
      return build(of);
    },
    jobRecord,
    jobSettled: (of, job) => jobRecord(of, job, ({ settled }) => settled),
    idle,
    startWorker,
    hasEnded: () => workers.some(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null),
    stopWorker,
    stop: async () => {
      await stopWorker('SIGKILL');
      await queue.close();
      await standIn.stop();
      await redis.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  try {
    await Promise.all(Array.from({ length: options.workers ?? 1 }, () => startWorker()));
  } catch (thrown) {
    await mirror.stop();
    throw thrown;
  }
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

export function readJson<T>(file: string): T {
  return JSON.parse(readFileSync(file, 'utf8')) as T;
}

/** Null where there is no file, or none any more: a build may be moved at any time. */
function readJsonIfThere<T>(file: string): T | null {
  try {
    return readJson(file);
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT') return null;
    throw thrown;
  }
}

/** Every file below a folder, by its relative path, with the SHA-256 of its bytes; [] where there is no folder. */
export async function digestTree(folder: string): Promise<Record<string, string>> {
  if (!existsSync(folder)) return {};
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const digests = files.map((file) => [file.slice(folder.length + 1), digestFile(file)] as const);
  return Object.fromEntries(digests.toSorted(([left], [right]) => (left < right ? -1 : 1)));
}

/** What of a tree must be the same however it came about: its files, and in the records all but their times. */
export async function stableTree(folder: string): Promise<Record<string, unknown>> {
  const digests: Record<string, unknown> = await digestTree(folder);
  for (const file of Object.keys(digests)) {
    if (/(^|\/)(job|build|upstream)\.json$/.test(file)) digests[file] = withoutTimes(readJson(join(folder, file)));
  }
  return digests;
}

const times = new Set(['mirrored_at', 'listed_at', 'fetched_at', 'read_at', 'learned_from', 'salvaged_at', 'sum']);

function withoutTimes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutTimes);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([key]) => !times.has(key));
  return Object.fromEntries(kept.map(([key, each]) => [key, withoutTimes(each)]));
}

/** `hidden` where nobody may read it: what is damaged or purged. */
export function digestFile(file: string): string {
  if ((statSync(file).mode & 0o444) === 0) return 'hidden';
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}
