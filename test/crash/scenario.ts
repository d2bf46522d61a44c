/** What a scenario, a cell of the matrix and its verdict are, whatever program is disturbed. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { until } from '../mirror/until.ts';
import { type Fault, metLine, type Plan, planName } from './steps.ts';

export interface Scenario {
  readonly name: string;
  /** Which one is disturbed: scenarios of one program share many of its steps. */
  readonly program: 'worker' | 'receiver' | 'backup';
  /** How large the disk is that is filled, as mount has it. */
  readonly disk: string;
  /** What may happen at its steps besides the failures of their calls. */
  readonly faults: readonly Fault[];
  /** Runs it undisturbed, and notes each of its steps. @throws when it does not come to its end */
  observe(): Promise<Reference>;
  /** @param within a file system of its own where the fault is a full disk */
  run(cell: Cell, reference: Reference, within?: string): Promise<Verdict>;
}

export interface Step {
  readonly label: string;
  /** From 1: the how manieth step of this label. */
  readonly occurrence: number;
}

export interface Cell {
  readonly step: Step;
  readonly when: 'before' | 'after';
  readonly fault: Fault;
}

/** How a scenario goes when nothing happens. */
export interface Reference {
  readonly steps: readonly Step[];
  readonly end: Readonly<Record<string, unknown>>;
  readonly whole: Whole;
}

/** The digests that a file may have under each public name, from undisturbed states before and after. */
export type Whole = ReadonlyMap<string, ReadonlySet<unknown>>;

export interface Verdict {
  readonly scenario: string;
  readonly cell: Cell;
  /** Whether the step was met: where work is done at once, not every run passes every step as often. */
  readonly isReached: boolean;
  /** What is otherwise than when nothing happens; empty: it has converged. */
  readonly faults: readonly string[];
}

const preload = pathToFileURL(join(import.meta.dirname, 'preload.ts')).href;

/** Of a program that is to meet the plan's fault. */
export function environmentFor(plan: Plan): Record<string, string> {
  return {
    NODE_OPTIONS: `--disable-warning=ExperimentalWarning --import ${preload}`,
    [planName]: JSON.stringify(plan),
  };
}

export function stepsIn(log: string): Step[] {
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

/** Whether the planned fault has happened in a program that goes on. */
export function isMet({ log }: Plan): boolean {
  return log !== null && existsSync(log) && readFileSync(log, 'utf8').split('\n').includes(metLine);
}

/** @returns false when the fault was not met before `end` */
export async function meets(plan: Plan, end: Promise<unknown>): Promise<boolean> {
  const over = end.then(
    () => 'over',
    () => 'over',
  );
  const met = until(() => isMet(plan), 'the fault', 150_000).then(
    () => 'met',
    () => 'over',
  );
  return (await Promise.race([over, met])) === 'met' || isMet(plan);
}

export function differencesOf(
  wanted: Readonly<Record<string, unknown>>,
  found: Readonly<Record<string, unknown>>,
): string[] {
  const names = new Set([...Object.keys(wanted), ...Object.keys(found)]);
  return [...names].flatMap((name) => {
    if (isDeepStrictEqual(wanted[name], found[name])) return [];
    if (wanted[name] === undefined) return [`left over: ${name}`];
    if (found[name] === undefined) return [`missing: ${name}`];
    return [`differs: ${name}: ${differenceOf(wanted[name], found[name])}`];
  });
}

function differenceOf(wanted: unknown, found: unknown): string {
  if (!Array.isArray(wanted) || !Array.isArray(found)) return cut(found);
  const without = (these: unknown[], those: unknown[]): unknown[] =>
    these.filter((each) => !those.some((other) => isDeepStrictEqual(each, other)));
  return `lacks ${cut(without(wanted, found))}, has besides ${cut(without(found, wanted))}`;
}

const shownAtMost = 300;

function cut(value: unknown): string {
  return JSON.stringify(value).slice(0, shownAtMost);
}
