/** Which cells there are, and how they are run: many at once, for most of a cell is waiting. */

import { smallDisk } from '../tree/small-disk.ts';
import { type Cell, observe, type Reference, runCell, type Verdict } from './cell.ts';
import { scenarios } from './scenarios.ts';
import type { Fault } from './steps.ts';

/** What can go wrong with a call, by what it does. */
const failures: readonly [RegExp, Fault][] = [
  [/^(handle\.)?(open|mkdir|write|link|rename|copyFile)/, 'full'],
  [/^(open|opendir)/, 'EMFILE'],
  [/^link/, 'EMLINK'],
  [/^(handle\.)?(f?(data)?sync|write)/, 'EIO'],
];

/** Every kind of step, killed before and after its first and its last; and each failure of its first. */
export function cellsOf({ scenario, steps }: Reference): Cell[] {
  const last = new Map(steps.map((step) => [step.label, step.occurrence]));
  return [...last].flatMap(([label, occurrence]): Cell[] => {
    const occurrences = [...new Set([1, occurrence])];
    const kills = occurrences.flatMap((each): Cell[] =>
      (['before', 'after'] as const).map((when) => ({
        scenario,
        step: { label, occurrence: each },
        when,
        fault: 'kill',
      })),
    );
    const others = failures
      .filter(([pattern]) => pattern.test(label))
      .map(([, fault]): Cell => ({ scenario, step: { label, occurrence: 1 }, when: 'before', fault }));
    return [...kills, ...others];
  });
}

export interface MatrixOptions {
  /** Scenarios and faults by name; all where it is empty. */
  readonly only: readonly string[];
  /** Of all cells every how manieth is run. */
  readonly every: number;
  readonly atOnce: number;
  readonly onVerdict: (verdict: Verdict, done: number, all: number) => void;
  readonly signal: AbortSignal;
}

export interface MatrixResult {
  readonly verdicts: readonly Verdict[];
  /** Faults that cannot be made on this machine, with the reason. */
  readonly left: readonly string[];
}

/** @throws when a scenario does not come to its end undisturbed */
export async function runMatrix(options: MatrixOptions): Promise<MatrixResult> {
  const wanted = (name: string, names: readonly string[]): boolean => {
    const asked = options.only.filter((each) => names.includes(each));
    return asked.length === 0 || asked.includes(name);
  };
  const faults: readonly Fault[] = ['kill', 'full', 'EMFILE', 'EMLINK', 'EIO'];
  const names = scenarios.map((scenario) => scenario.name);
  const references = await inParallel(
    scenarios.filter(({ name }) => wanted(name, names)),
    options.atOnce,
    observe,
  );
  const ending: (() => void)[] = [];
  const left: string[] = [];
  const disk = (): string | null =>
    smallDisk(
      { after: (step: () => void) => ending.push(step), skip: (why?: string) => left.push(`full: ${why}`) },
      '64m',
    );
  const cells = references
    .flatMap((reference) => cellsOf(reference).map((cell) => ({ cell, reference })))
    .filter(({ cell }) => wanted(cell.fault, faults))
    .filter((_, index) => index % options.every === 0);
  let done = 0;
  const verdicts = await inParallel(cells, options.atOnce, async ({ cell, reference }) => {
    if (options.signal.aborted || (cell.fault === 'full' && left.length > 0)) return null;
    const within = cell.fault === 'full' ? disk() : undefined;
    if (within === null) return null;
    const verdict = await runCell(cell, reference, within);
    done += 1;
    options.onVerdict(verdict, done, cells.length);
    return verdict;
  }).finally(() => {
    for (const step of ending) step();
  });
  return { verdicts: verdicts.filter((verdict) => verdict !== null), left };
}

async function inParallel<T, R>(items: readonly T[], atOnce: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const rest = items.entries();
  const runner = async (): Promise<void> => {
    for (const [index, item] of rest) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, runner));
  return results;
}
