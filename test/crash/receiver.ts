/**
 * The receiver while something happens to it: what it has acknowledged is queued in the end. Its clock runs so fast that a
 * day goes by in two seconds, so that checkpoint, a new segment and the cut of an old one are steps too; deliveries prove
 * themselves by a token, which knows no time.
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { prepareData, sweepStaging } from '../../src/tree/data.ts';
import { type DataPaths, dataPaths } from '../../src/tree/paths.ts';
import { writeReconcileState } from '../../src/tree/reconcile-state.ts';
import { type RedisServer, startRedis } from '../mirror/redis.ts';
import { until } from '../mirror/until.ts';
import { bodyOf, secret } from '../webhooks/deliveries.ts';
import { type Receiver, startReceiver } from '../webhooks/receiver-process.ts';
import { type Cell, environmentFor, meets, type Reference, type Scenario, stepsIn, type Verdict } from './scenario.ts';
import { type Fault, faults, type Plan } from './steps.ts';

const clockSpeed = 50_000;
const dayOfItsClockMs = 86_400_000 / clockSpeed;
const inABatch = 4;
/** A comparison with upstream that covers all, in whatever year its clock is. */
const comparedAt = new Date(Date.now() + 365 * 86_400_000).toISOString();
const hangMs = 3000;

export const receiver: Scenario = {
  name: 'receiver',
  program: 'receiver',
  faults: faults.filter((fault) => fault !== 'EMLINK'),
  // Room for the reserve, which is what a full disk is about here.
  disk: '192m',
  observe,
  run,
};

interface Scene {
  readonly folder: string;
  readonly paths: DataPaths;
  readonly redis: RedisServer;
  /** Where the steps are noted, and Redis' socket is: not on the disk that is filled. */
  readonly notes: string;
  /** Builds of deliveries that were answered with 202, in their order. */
  readonly acknowledged: string[];
}

async function withScene<T>(within: string | undefined, work: (scene: Scene) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(within ?? tmpdir(), 'kitemirror-'));
  const notes = mkdtempSync(join(tmpdir(), 'kitemirror-steps-'));
  const redis = await startRedis(notes);
  try {
    const paths = dataPaths(join(folder, 'data'));
    await prepareData(paths);
    const completed = { beganAt: comparedAt, endedAt: comparedAt };
    const mark = { mark: comparedAt, first: comparedAt };
    await writeReconcileState(paths, {
      version: 1,
      ...mark,
      comparison: null,
      partial: null,
      completed,
      settings: null,
    });
    return await work({ folder, paths, redis, notes, acknowledged: [] });
  } finally {
    await redis.stop();
    for (const each of [folder, notes]) rmSync(each, { recursive: true, force: true });
  }
}

function start({ folder, redis }: Scene, env: Record<string, string> = {}): Promise<Receiver> {
  const settings = { BUILDKITE_WEBHOOK_MODE: 'token', KITEMIRROR_METRICS_LISTEN: 'off' };
  return startReceiver(folder, redis.url, { env: { ...settings, ...env } });
}

function planOf({ paths, notes, redis, folder }: Scene, cell: Cell | null, within?: string): Plan {
  return {
    root: paths.root,
    log: join(notes, 'steps'),
    at: cell === null ? null : { ...cell.step, when: cell.when },
    fault: cell?.fault ?? 'kill',
    filler: join(within ?? folder, 'filler'),
    redis: { pid: redis.pid(), socket: redis.socket },
    clockSpeed,
  };
}

const hasEnded = ({ child }: Receiver): boolean => child.exitCode !== null || child.signalCode !== null;

/** @returns how many were acknowledged */
async function deliver({ acknowledged }: Scene, to: Receiver): Promise<number> {
  const headers = { 'Content-Type': 'application/json', 'X-Buildkite-Token': secret };
  const one = async (): Promise<boolean> => {
    const build = randomUUID();
    // A receiver that dies answers nothing; what it did not acknowledge, it does not owe.
    const status = await to.post(JSON.stringify(bodyOf({ build })), headers).then(
      (answer) => answer.status,
      () => 0,
    );
    if (status === 202) acknowledged.push(build);
    return status === 202;
  };
  const outcomes = await Promise.all(Array.from({ length: inABatch }, one));
  return outcomes.filter(Boolean).length;
}

const segmentsOf = ({ paths }: Scene): string[] => readdirSync(paths.spool).filter((name) => name.endsWith('.jsonl'));

async function queuedBuilds({ redis }: Scene): Promise<Set<string>> {
  const keys = await redis.client.keys('bull:*:de:read-build/*');
  return new Set(keys.map((key) => key.slice(key.lastIndexOf('/') + 1)));
}

async function allQueued(scene: Scene, builds: readonly string[]): Promise<boolean> {
  const queued = await queuedBuilds(scene);
  return builds.every((build) => queued.has(build));
}

/** Three batches: into a first segment, into a second one a day later, and behind the cut of the first. */
async function play(scene: Scene, to: Receiver): Promise<void> {
  const wait = (condition: () => boolean | Promise<boolean>, what: string): Promise<void> =>
    until(async () => hasEnded(to) || (await condition()), what, 40_000);
  await deliver(scene, to);
  await wait(() => allQueued(scene, scene.acknowledged), 'the first deliveries to be queued');
  const [first = ''] = segmentsOf(scene);
  await sleep(dayOfItsClockMs + 100);
  await deliver(scene, to);
  // Where its clock went back the first one is not a day old yet, and is left with a later batch.
  let more = Date.now() + 2 * dayOfItsClockMs;
  const isCut = async (): Promise<boolean> => {
    if (!segmentsOf(scene).includes(first)) return true;
    if (Date.now() > more) {
      more = Date.now() + 2 * dayOfItsClockMs;
      await deliver(scene, to);
    }
    return false;
  };
  await wait(isCut, 'the first segment to be cut');
  await deliver(scene, to);
  await wait(() => allQueued(scene, scene.acknowledged.slice(-inABatch)), 'the last deliveries to be queued');
}

function observe(): Promise<Reference> {
  return withScene(undefined, async (scene) => {
    const plan = planOf(scene, null);
    const program = await start(scene, environmentFor(plan));
    await play(scene, program);
    program.child.kill('SIGTERM');
    await program.ended;
    if (scene.acknowledged.length < 3 * inABatch || scene.acknowledged.length % inABatch !== 0)
      throw new Error('deliveries were refused though nothing happened');
    return { steps: stepsIn(readFileSync(join(scene.notes, 'steps'), 'utf8')), end: {}, whole: new Map() };
  });
}

function run(cell: Cell, _reference: Reference, within?: string): Promise<Verdict> {
  const verdict = { scenario: receiver.name, cell };
  return withScene(within, async (scene) => {
    const plan = planOf(scene, cell, within);
    const program = await start(scene, environmentFor(plan));
    const segment = segmentsOf(scene)[0];
    try {
      const played = play(scene, program);
      const met = meets(plan, played).then(async (isMet) => {
        if (isMet) await mend(scene, plan);
        return isMet;
      });
      await played;
      const isReached = hasEnded(program) || (await met);
      return { ...verdict, isReached, faults: await afterwards(scene, program, cell.fault, segment) };
    } catch (thrown) {
      return { ...verdict, isReached: true, faults: [thrown instanceof Error ? thrown.message : String(thrown)] };
    } finally {
      program.child.kill('SIGKILL');
      rmSync(plan.filler, { force: true });
    }
  });
}

async function mend({ redis }: Scene, plan: Plan): Promise<void> {
  if (plan.fault === 'full') {
    await sleep(hangMs / 2);
    rmSync(plan.filler, { force: true });
  } else if (plan.fault === 'redis-hang') {
    await sleep(hangMs);
    redis.thaw();
  } else if (plan.fault === 'redis-kill') {
    await redis.kill();
    await redis.start();
  }
}

/** It takes deliveries again, and all that was ever acknowledged is queued, but for what a comparison had covered. */
async function afterwards(scene: Scene, program: Receiver, fault: Fault, first: string | undefined): Promise<string[]> {
  const { acknowledged, paths } = scene;
  let last = program;
  // A step that few batches of the journal come to is perhaps met only now.
  const alive = async (): Promise<Receiver> => {
    if (hasEnded(last)) last = await start(scene);
    return last;
  };
  try {
    const before = acknowledged.length;
    await until(async () => (await deliver(scene, await alive())) === inABatch, 'deliveries to be taken again');
    const lost = fault === 'redis-kill' || fault === 'redis-flush';
    const isCut = first === undefined || !segmentsOf(scene).includes(first);
    const owed = lost && isCut ? acknowledged.slice(Math.min(inABatch, before)) : acknowledged;
    const isQueued = async (): Promise<boolean> => (await alive()) === last && allQueued(scene, owed);
    await until(isQueued, 'all that was acknowledged to be queued', 40_000).catch(() => undefined);
    const queued = await queuedBuilds(scene);
    const missing = owed.filter((build) => !queued.has(build)).map((build) => `acknowledged and not queued: ${build}`);
    last.child.kill('SIGTERM');
    const code = await last.ended;
    await sweepStaging(paths);
    const left = readdirSync(paths.staging).map((name) => `left over: staging/${name}`);
    return [...missing, ...(code === 0 ? [] : [`it ended with ${code}`]), ...left];
  } finally {
    last.child.kill('SIGKILL');
  }
}
