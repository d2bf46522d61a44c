/** One cell of the matrix: a mirror of its own, one fault at one step, and a look at what became of it. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { type Mirror, startMirror } from '../mirror/harness.ts';
import { until } from '../mirror/until.ts';
import { outcome, type Scenario, tornFiles, type Whole, wholeFiles } from './scenarios.ts';
import { type Fault, type Plan, planName } from './steps.ts';

const preload = pathToFileURL(join(import.meta.dirname, 'preload.ts')).href;

export interface Step {
  readonly label: string;
  /** From 1: the how manieth step of this label. */
  readonly occurrence: number;
}

export interface Cell {
  readonly scenario: Scenario;
  readonly step: Step;
  readonly when: 'before' | 'after';
  readonly fault: Fault;
}

/** How a scenario goes when nothing happens. */
export interface Reference {
  readonly scenario: Scenario;
  readonly steps: readonly Step[];
  readonly end: Readonly<Record<string, unknown>>;
  readonly whole: Whole;
}

export interface Verdict {
  readonly cell: Cell;
  /** Whether the step was met: where work is done at once, not every run passes every step as often. */
  readonly isReached: boolean;
  /** What is otherwise than when nothing happens; empty: it has converged. */
  readonly faults: readonly string[];
}

/** Of a program that is to meet the plan's fault. */
export function environmentFor(plan: Plan): Record<string, string> {
  return {
    NODE_OPTIONS: `--disable-warning=ExperimentalWarning --import ${preload}`,
    [planName]: JSON.stringify(plan),
  };
}

/** Runs the scenario undisturbed, and notes each of its steps. */
export async function observe(scenario: Scenario): Promise<Reference> {
  const folder = mkdtempSync(join(tmpdir(), 'kitemirror-steps-'));
  const log = join(folder, 'steps');
  const mirror = await startMirror({ workers: 0, ...settingsOf(scenario) });
  try {
    const begun = await prepared(mirror, scenario);
    await scenario.tell(mirror);
    await mirror.startWorker(
      environmentFor({ root: mirror.paths.root, log, at: null, fault: 'kill', filler: join(folder, 'filler') }),
    );
    await scenario.end(mirror);
    await mirror.stopWorker();
    const end = await outcome(mirror);
    return { scenario, steps: stepsIn(readFileSync(log, 'utf8')), end, whole: wholeFiles(begun, end) };
  } finally {
    await mirror.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function settingsOf({ env }: Scenario): { env?: Record<string, string> } {
  return env === undefined ? {} : { env: { ...env } };
}

async function prepared(mirror: Mirror, scenario: Scenario): Promise<Record<string, unknown>> {
  if (scenario.prepare === undefined) return {};
  await mirror.startWorker();
  await scenario.prepare(mirror);
  await mirror.stopWorker();
  return outcome(mirror);
}

function stepsIn(log: string): Step[] {
  const seen = new Map<string, number>();
  return log
    .split('\n')
    .filter(Boolean)
    .map((label) => {
      const occurrence = (seen.get(label) ?? 0) + 1;
      seen.set(label, occurrence);
      return { label, occurrence };
    });
}

/** @param within a file system of its own where the fault is a full disk */
export async function runCell(cell: Cell, reference: Reference, within?: string): Promise<Verdict> {
  const { scenario, step, when, fault } = cell;
  const mirror = await startMirror({
    workers: 0,
    ...settingsOf(scenario),
    ...(within === undefined ? {} : { within }),
  });
  const filler = join(within ?? mirror.paths.root, 'filler');
  try {
    await prepared(mirror, scenario);
    await scenario.tell(mirror);
    const plan: Plan = {
      root: mirror.paths.root,
      log: `${mirror.paths.root}.steps`,
      at: { ...step, when },
      fault,
      filler,
    };
    // A worker that cannot start says why and ends; whoever supervises it starts another.
    const hasStarted = await mirror.startWorker(environmentFor(plan)).then(
      () => true,
      () => false,
    );
    const meet = fault === 'kill' ? killed : failed;
    const isReached = hasStarted ? await meet(mirror, scenario, plan) : true;
    rmSync(filler, { force: true });
    const torn = await tornFiles(mirror, reference.whole);
    if (mirror.hasEnded()) {
      await letLocksExpire(mirror);
      await mirror.startWorker();
    }
    await scenario.end(mirror);
    await mirror.stopWorker();
    const differences = differencesOf(reference.end, await outcome(mirror));
    return { cell, isReached, faults: [...torn.map((file) => `torn: ${file}`), ...differences] };
  } catch (thrown) {
    return { cell, isReached: true, faults: [thrown instanceof Error ? thrown.message : String(thrown)] };
  } finally {
    await mirror.stop();
    rmSync(`${mirror.paths.root}.steps`, { force: true });
  }
}

/** @returns false when the worker did all its work and is still alive */
async function killed(mirror: Mirror, scenario: Scenario, _plan: Plan): Promise<boolean> {
  const dead = until(() => mirror.hasEnded(), 'the kill', 150_000).then(() => true);
  // A worker that is killed never comes to the end; the wait for it then ends with an error of its own.
  const done = scenario.end(mirror).then(
    () => false,
    () => true,
  );
  const isReached = await Promise.race([dead, done]);
  if (!isReached) await mirror.stopWorker();
  await Promise.allSettled([isReached ? dead : done]);
  return isReached;
}

/** A worker that goes on: the full disk is emptied again once it was met. */
async function failed(mirror: Mirror, scenario: Scenario, { fault, filler, log, at }: Plan): Promise<boolean> {
  const isMet = (): boolean => {
    if (fault === 'full') return existsSync(filler);
    const labels = log === null ? [] : readFileSync(log, 'utf8').split('\n');
    return labels.filter((label) => label === at?.label).length >= (at?.occurrence ?? 0);
  };
  const end = scenario.end(mirror).then(
    () => 'done',
    (thrown: unknown) => thrown,
  );
  const met = until(() => isMet(), 'the fault', 150_000).then(
    () => 'met',
    () => 'missed',
  );
  if ((await Promise.race([end, met])) !== 'met') return isMet();
  if (fault === 'full') {
    // Long enough for every step that runs at the same time to meet the full disk too.
    await until(
      () => mirror.hasEnded() || mirror.output.some((line) => line.includes('full')),
      'a word of it',
      1500,
    ).catch(() => undefined);
    rmSync(filler);
  }
  return true;
}

/** What a dead worker held lets go of itself after 15 s; the matrix does not wait for that in each of its cells. */
async function letLocksExpire({ redis: { client } }: Mirror): Promise<void> {
  for (const pattern of ['bull:*:lock', 'kitemirror:hold:*', 'kitemirror:lock:*', 'kitemirror:wanted:*']) {
    const keys = await client.keys(pattern);
    if (keys.length > 0) await client.del(keys);
  }
}

function differencesOf(wanted: Readonly<Record<string, unknown>>, found: Readonly<Record<string, unknown>>): string[] {
  const names = new Set([...Object.keys(wanted), ...Object.keys(found)]);
  return [...names].flatMap((name) => {
    if (isDeepStrictEqual(wanted[name], found[name])) return [];
    if (wanted[name] === undefined) return [`left over: ${name}`];
    if (found[name] === undefined) return [`missing: ${name}`];
    return [`differs: ${name}: ${JSON.stringify(found[name]).slice(0, 300)}`];
  });
}
