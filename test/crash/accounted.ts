/**
 * A run in which every delivery is accounted for: thousands of them, signed, in disorder, many times over, some lost on
 * their way, while receiver, worker and Redis are killed. In the end each acknowledged hint stands in the journal, and
 * each build that upstream has is complete in the tree, whoever told of it.
 */
import { hash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { signedHeaders, webhookBody } from '../../demo/deliver.ts';
import { type Random, randomFrom } from '../../demo/samples/random.ts';
import { sha1Of } from '../../demo/standin/bytes.ts';
import type { SampleBuild } from '../../demo/standin/sample.ts';
import { errnoOf } from '../../src/errors.ts';
import type { BuildRecord } from '../../src/model.ts';
import { type Mirror, placeOf, readJson, startMirror } from '../mirror/harness.ts';
import { newBuild, scriptOf } from '../mirror/samples.ts';
import { until } from '../mirror/until.ts';
import { secret } from '../webhooks/deliveries.ts';
import { type Receiver, startReceiver } from '../webhooks/receiver-process.ts';

export interface Account {
  readonly deliveries: number;
  readonly acknowledged: number;
  /** Never sent, or sent to a receiver that died before it answered. */
  readonly lost: number;
  readonly builds: number;
  /** Builds by how the mirror learned of them. */
  readonly learnedFrom: Readonly<Record<string, number>>;
  readonly kills: Readonly<Record<Disturbance, number>>;
  /** What is not as it must be; empty: all is accounted for. */
  readonly faults: readonly string[];
  readonly seconds: number;
}

export interface AccountedOptions {
  readonly deliveries: number;
  readonly onProgress?: (done: number, what: string) => void;
}

const disturbances = ['receiver', 'worker', 'redis-kill', 'redis-flush'] as const;
type Disturbance = (typeof disturbances)[number];

const sendersAtOnce = 8;
const deliveriesABuild = 40;
/** So many of a hundred builds nobody tells of, and of the other deliveries so many of a hundred are lost on their way. */
const untoldInAHundred = 5;
const lostInAHundred = 2;
/** One after the other, evenly over the run. */
const disturbedTimes = 12;

/** What happens at Buildkite and on the way from there: a build ends, if it has not yet, and is told of or not. */
interface Event {
  /** Which build. */
  readonly index: number;
  readonly ofJob: boolean;
  readonly isSent: boolean;
}

/** Each build's deliveries are spread over a fifth of the run: builds overlap, and what comes late is old news by then. */
function eventsOf(builds: number, count: number, { next }: Random): Event[] {
  const isTold = (index: number): boolean => index % 100 >= untoldInAHundred;
  const placed = Array.from({ length: count }, (_, at) => {
    const index = Math.floor((at * builds) / count);
    const isSent = isTold(index) && next() * 100 >= lostInAHundred;
    return { event: { index, ofJob: next() < 0.5, isSent }, place: at + next() * count * 0.2 };
  });
  return placed.toSorted((left, right) => left.place - right.place).map(({ event }) => event);
}

export async function accountedRun({ deliveries: count, onProgress = () => {} }: AccountedOptions): Promise<Account> {
  const beganAt = performance.now();
  const many = Math.max(40, Math.round(count / deliveriesABuild));
  const mirror = await startMirror({ env: { KITEMIRROR_RECONCILE_SECONDS: '30' } });
  const run = new Run(mirror);
  try {
    await run.start();
    const rest = eventsOf(many, count, randomFrom(`accounted ${count}`)).entries();
    const every = Math.ceil(count / (disturbedTimes + 1));
    const sendOn = async (): Promise<void> => {
      for (const [at, event] of rest) {
        if (at > 0 && at % every === 0) run.disturb(disturbances[(at / every - 1) % disturbances.length] ?? 'receiver');
        await run.happens(event);
        if (at % 1000 === 0) onProgress(at, 'deliveries');
      }
    };
    await Promise.all(Array.from({ length: sendersAtOnce }, sendOn));
    await run.undisturbed();
    const limitMs = 180_000 + count * 20;
    const builds = [...run.builds.values()];
    const isDone = async (): Promise<boolean> => {
      const open = builds.filter((build) => !isComplete(mirror, build)).length;
      onProgress(builds.length - open, 'builds complete');
      if (open > 0) await sleep(500);
      return open === 0 && readdirSync(mirror.paths.unsettled).length === 0;
    };
    // What is still open then is told of below, one by one.
    await until(isDone, 'all builds to be complete', limitMs).catch(() => undefined);
    const { acknowledged, lost, kills } = run;
    const faults = await run.end();
    return {
      deliveries: count,
      acknowledged: acknowledged.size,
      lost,
      builds: builds.length,
      learnedFrom: countBy(builds.map((build) => recordOf(mirror, build)?.learned_from ?? 'nobody')),
      kills,
      faults,
      seconds: Math.round((performance.now() - beganAt) / 1000),
    };
  } finally {
    run.kill();
    await mirror.stop();
  }
}

/** The programs of one run, and what became of what they were sent. */
class Run {
  /** The names that the receiver gave to what it acknowledged. */
  readonly acknowledged = new Set<string>();
  readonly kills: Record<Disturbance, number> = { receiver: 0, worker: 0, 'redis-kill': 0, 'redis-flush': 0 };
  lost = 0;
  /** Those that have ended by now. */
  readonly builds = new Map<number, SampleBuild>();
  readonly #mirror: Mirror;
  #receiver: Promise<Receiver> | null = null;
  #disturbed: Promise<void> = Promise.resolve();
  /** Nothing is sent before this: the run must not be over before its disturbances. */
  #gate: Promise<void> = Promise.resolve();

  constructor(mirror: Mirror) {
    this.#mirror = mirror;
  }

  async start(): Promise<void> {
    const folder = dirname(this.#mirror.paths.root);
    const socket = join(folder, 'receiver.sock');
    const started = startReceiver(folder, this.#mirror.redis.url, {
      socket,
      env: { KITEMIRROR_METRICS_LISTEN: 'off' },
    });
    this.#receiver = started;
    await started;
  }

  /** A delivery is sent once, as Buildkite does: what a dying receiver does not answer is lost. */
  async happens({ index, ofJob, isSent }: Event): Promise<void> {
    await this.#gate;
    const build = this.#ended(index);
    const to = await this.#receiver;
    const body = webhookBody(ofJob ? 'job.finished' : 'build.finished', build, ofJob ? scriptOf(build) : null);
    const answer = isSent ? await to?.post(body, signedHeaders(body, secret)).catch(() => null) : null;
    if (answer?.status === 202) this.acknowledged.add((JSON.parse(answer.text) as { delivery: string }).delivery);
    else this.lost += 1;
  }

  #ended(index: number): SampleBuild {
    const known = this.builds.get(index);
    if (known !== undefined) return known;
    const pipeline = `accounted-${index % 7}`;
    const size = { jobs: 1, artifactsPerJob: 2, bytes: 200 };
    const build = newBuild({ pipeline, number: index + 1, finishedAt: Date.now(), ...size });
    this.builds.set(index, build);
    this.#mirror.standIn.put(build);
    return build;
  }

  /** One at a time, beside the senders, who wait for the one before. */
  disturb(kind: Disturbance): void {
    this.#gate = this.#disturbed;
    this.#disturbed = this.#disturbed.then(() => this.#happen(kind));
  }

  undisturbed(): Promise<void> {
    return this.#disturbed;
  }

  async #happen(kind: Disturbance): Promise<void> {
    const { redis } = this.#mirror;
    this.kills[kind] += 1;
    if (kind === 'receiver') {
      const dying = await this.#receiver;
      dying?.child.kill('SIGKILL');
      // Senders wait for the next one from here on; those that are at it lose what they hold.
      this.#receiver = (dying?.ended ?? Promise.resolve()).then(() => this.start()).then(() => this.#now());
      await this.#receiver;
    } else if (kind === 'worker') {
      await this.#mirror.stopWorker('SIGKILL');
      await this.#mirror.startWorker();
    } else if (kind === 'redis-kill') {
      await redis.kill();
      await redis.start();
    } else {
      await redis.client.flushall();
    }
  }

  async #now(): Promise<Receiver> {
    const receiver = await this.#receiver;
    if (receiver === null) throw new Error('no receiver was started');
    return receiver;
  }

  /** Ends the receiver in order. @returns what is missing */
  async end(): Promise<string[]> {
    const receiver = await this.#now();
    receiver.child.kill('SIGTERM');
    const code = await receiver.ended;
    // The last duplicates are looked at once more, which opens a gap for a moment.
    await this.#mirror.idle(180_000);
    const { paths } = this.#mirror;
    const journal = readdirSync(paths.spool)
      .filter((name) => name.endsWith('.jsonl'))
      .flatMap((name) => readFileSync(join(paths.spool, name), 'utf8').split('\n'))
      .flatMap((line) => /^\{"delivery":"([^"]+)"/.exec(line)?.[1] ?? []);
    const noted = new Set(journal);
    const gaps = readdirSync(paths.unsettled);
    return [
      ...(code === 0 ? [] : [`the receiver ended with ${code}`]),
      ...[...this.acknowledged].filter((name) => !noted.has(name)).map((name) => `not in the journal: ${name}`),
      ...[...this.builds.values()].flatMap((build) => faultsOf(this.#mirror, build)),
      ...gaps.map((build) => `a gap is open: ${build}`),
    ];
  }

  kill(): void {
    void this.#receiver?.then(({ child }) => child.kill('SIGKILL')).catch(() => undefined);
  }
}

function recordOf(mirror: Mirror, build: SampleBuild): BuildRecord | null {
  try {
    return readJson(mirror.paths.buildFile(placeOf(build), 'build.json'));
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT') return null;
    throw thrown;
  }
}

function isComplete(mirror: Mirror, build: SampleBuild): boolean {
  return recordOf(mirror, build)?.complete === true;
}

/** Its record says N of N, and each file is upstream's to the byte. */
function faultsOf(mirror: Mirror, build: SampleBuild): string[] {
  const record = recordOf(mirror, build);
  const name = `${build.pipeline.slug} #${build.number}`;
  if (record === null) return [`not there: ${name}`];
  if (!record.complete || !record.settled) return [`not complete: ${name}, ${record.present} of ${record.expected}`];
  const { id, artifacts } = scriptOf(build);
  return artifacts.flatMap(({ path, content }) => {
    const file = mirror.paths.jobFile(placeOf(build), id, `artifacts/${path}`);
    const isRight = hash('sha1', readFileSync(file)) === sha1Of(content);
    return isRight ? [] : [`other bytes: ${name} ${path}`];
  });
}

function countBy(values: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}
