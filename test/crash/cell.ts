/** One cell of the matrix: a mirror of its own, one fault at one step of its worker, and a look at what became of it. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { listDue } from '../../src/tree/due.ts';
import { readComparedAt } from '../../src/tree/reconcile-state.ts';
import { type Mirror, stableTree, startMirror } from '../mirror/harness.ts';
import { until } from '../mirror/until.ts';
import { outcome, tornFiles, wholeFiles } from './outcome.ts';
import {
  type Cell,
  differencesOf,
  environmentFor,
  isMet,
  meets,
  type Reference,
  type Scenario,
  stepsIn,
  type Verdict,
} from './scenario.ts';
import type { Fault, Plan } from './steps.ts';

/** What a mirror's worker is to do. */
export interface Story {
  readonly name: string;
  /** Settings of the worker under test. */
  readonly env?: Readonly<Record<string, string>>;
  readonly faults: readonly Fault[];
  /** Before the fault, undisturbed; nothing where the story begins with an empty mirror. */
  readonly prepare?: (mirror: Mirror) => Promise<void>;
  /**
   * What upstream has then, and what the worker under test is told. Once more after a loss of Redis, as the journal
   * would tell it: so the second time it must change nothing.
   */
  readonly tell: (mirror: Mirror) => Promise<void>;
  /** A clock that is wrong holds it up on purpose: somebody sets it right, and has it done anew. */
  readonly waitsForClock?: boolean;
  /** Waits for the end, however often it was disturbed. */
  readonly end: (mirror: Mirror) => Promise<unknown>;
}

export function scenarioOf(story: Story): Scenario {
  const { name, faults } = story;
  return {
    name,
    faults,
    program: 'worker',
    disk: '64m',
    observe: () => observe(story),
    run: (cell, reference, within) => runCell(story, cell, reference, within),
  };
}

async function observe(story: Story): Promise<Reference> {
  const folder = mkdtempSync(join(tmpdir(), 'kitemirror-steps-'));
  const log = join(folder, 'steps');
  const mirror = await startMirror({ workers: 0, ...settingsOf(story) });
  try {
    const begun = await prepared(mirror, story);
    await story.tell(mirror);
    const told = await stableTree(mirror.paths.tree);
    await mirror.startWorker(
      environmentFor({ root: mirror.paths.root, log, at: null, fault: 'kill', filler: '', redis: null }),
    );
    await story.end(mirror);
    await mirror.stopWorker();
    const end = await outcome(mirror);
    return { steps: stepsIn(readFileSync(log, 'utf8')), end, whole: wholeFiles(begun, told, end) };
  } finally {
    await mirror.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function settingsOf({ env }: Story): { env?: Record<string, string> } {
  return env === undefined ? {} : { env: { ...env } };
}

async function prepared(mirror: Mirror, story: Story): Promise<Record<string, unknown>> {
  if (story.prepare === undefined) return {};
  await mirror.startWorker();
  await story.prepare(mirror);
  await mirror.stopWorker();
  return outcome(mirror);
}

async function runCell(story: Story, cell: Cell, reference: Reference, within?: string): Promise<Verdict> {
  const { step, when, fault } = cell;
  const verdict = { scenario: story.name, cell };
  const mirror = await startMirror({
    workers: 0,
    ...settingsOf(story),
    ...(within === undefined ? {} : { within }),
  });
  const { root } = mirror.paths;
  // Not on the disk that is filled: to note a step must always work.
  const notes = mkdtempSync(join(tmpdir(), 'kitemirror-steps-'));
  try {
    await prepared(mirror, story);
    await tell(mirror, story);
    const { redis } = mirror;
    const plan: Plan = {
      root,
      log: join(notes, 'steps'),
      at: { ...step, when },
      fault,
      filler: join(within ?? root, 'filler'),
      redis: { pid: redis.pid(), socket: redis.socket },
    };
    // A worker that cannot start says why and ends; whoever supervises it starts another.
    const starting = mirror.startWorker(environmentFor(plan)).then(
      () => true,
      () => false,
    );
    // Without Redis it does not come to its start: that is what is waited for then.
    const hasStarted = fault.startsWith('redis') || (await starting);
    const meet = fault === 'kill' || fault === 'term' ? ended : goesOn;
    const isReached = hasStarted ? await meet(mirror, story, plan) : true;
    await starting;
    rmSync(plan.filler, { force: true });
    const torn = await tornFiles(mirror, reference.whole);
    await toItsEnd(mirror, story);
    await mirror.stopWorker();
    const differences = differencesOf(reference.end, await outcome(mirror));
    return { ...verdict, isReached, faults: [...torn.map((file) => `torn: ${file}`), ...differences] };
  } catch (thrown) {
    return { ...verdict, isReached: true, faults: [thrown instanceof Error ? thrown.message : String(thrown)] };
  } finally {
    await mirror.stop();
    rmSync(notes, { recursive: true, force: true });
  }
}

/** @returns false when the worker did all its work and is still alive */
async function ended(mirror: Mirror, story: Story, _plan: Plan): Promise<boolean> {
  const dead = until(() => mirror.hasEnded(), 'the end of the worker', 150_000).then(() => true);
  // A worker that was ended never comes to the end; the wait for it then ends with an error of its own.
  const done = story.end(mirror).then(
    () => false,
    () => true,
  );
  const isReached = await Promise.race([dead, done]);
  if (!isReached) await mirror.stopWorker();
  await Promise.allSettled([isReached ? dead : done]);
  return isReached;
}

/** How long a Redis that hangs does so. */
const hangMs = 3000;

/** A worker that goes on while what has failed works again. */
async function goesOn(mirror: Mirror, story: Story, plan: Plan): Promise<boolean> {
  const end = story.end(mirror);
  if (!(await meets(plan, end))) return isMet(plan);
  const { redis } = mirror;
  if (plan.fault === 'full') {
    // Long enough for every step that runs at the same time to meet the full disk too.
    await until(
      () => mirror.hasEnded() || mirror.output.some((line) => line.includes('full')),
      'a word of it',
      1500,
    ).catch(() => undefined);
    rmSync(plan.filler);
  } else if (plan.fault === 'redis-hang') {
    await sleep(hangMs);
    redis.thaw();
  } else if (plan.fault === 'redis-kill') {
    await redis.kill();
    await redis.start();
    await tell(mirror, story);
  } else if (plan.fault === 'redis-flush') {
    await tell(mirror, story);
  } else if (story.waitsForClock === true && (plan.fault === 'ahead' || plan.fault === 'back')) {
    await mirror.stopWorker();
    await mirror.startWorker();
    // What was compared by a clock that was behind is too old for the right one.
    const isCompared = async () => Date.now() - ((await readComparedAt(mirror.paths)) ?? 0) < 600_000;
    await until(isCompared, 'a comparison by the right clock', 120_000);
    await tell(mirror, story);
  }
  return true;
}

/** A worker that ends by itself says why: its disk is full when it starts, say. Whoever supervises it starts another. */
async function toItsEnd(mirror: Mirror, story: Story): Promise<void> {
  for (let starts = 0; ; starts += 1) {
    if (mirror.hasEnded()) {
      await mirror.stopWorker();
      await letLocksExpire(mirror);
      await mirror.startWorker();
    }
    try {
      await story.end(mirror);
      await gapsClosed(mirror);
      return;
    } catch (thrown) {
      if (!mirror.hasEnded() || starts === 3) throw thrown;
    }
  }
}

/** After a loss of Redis what was open is taken up within seconds, also where the queue was empty meanwhile. */
async function gapsClosed(mirror: Mirror): Promise<void> {
  await until(() => readdirSync(mirror.paths.unsettled).length === 0, 'the gaps to be closed', 60_000);
  await until(async () => (await listDue(mirror.paths)).length === 0, 'what is derived to be made', 60_000);
  await mirror.idle();
}

/** On a busy machine, or after a loss of Redis, it may take a while until Redis answers. */
async function tell(mirror: Mirror, story: Story): Promise<void> {
  await until(
    () =>
      story.tell(mirror).then(
        () => true,
        () => false,
      ),
    'Redis to take tasks again',
  );
}

/** What a dead worker held lets go of itself after 15 s; the matrix does not wait for that in each of its cells. */
async function letLocksExpire({ redis: { client } }: Mirror): Promise<void> {
  for (const pattern of ['bull:*:lock', 'kitemirror:hold:*', 'kitemirror:lock:*', 'kitemirror:wanted:*']) {
    const keys = await client.keys(pattern);
    if (keys.length > 0) await client.del(keys);
  }
}
