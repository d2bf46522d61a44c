/** Which cells there are, and how they are run: many at once, for most of a cell is waiting. */

import { smallDisk } from '../tree/small-disk.ts';
import type { Cell, Reference, Scenario, Verdict } from './scenario.ts';
import { scenarios } from './scenarios.ts';
import { type Fault, faults } from './steps.ts';

/** What can go wrong with a call, by what it does. */
const failures: readonly [RegExp, readonly Fault[]][] = [
  [/^(handle\.)?(open|mkdir|write|link|rename|copyFile)/, ['full']],
  [/^(open|opendir)/, ['EMFILE']],
  [/^link/, ['EMLINK']],
  [/^(handle\.)?(f?(data)?sync|write)/, ['EIO']],
  [/^(request|redis|handle\.write|rename)/, ['term']],
  [/^(request|redis|rename)/, ['redis-kill', 'redis-hang', 'redis-flush', 'ahead', 'back']],
];

/**
 * What every scenario does, whatever it is about: the start, the housekeeping. Of these the first one's cells will do.
 * Nothing where there is only one.
 */
export function commonLabels(references: readonly Reference[]): ReadonlySet<string> {
  const [first, ...rest] = references.map(({ steps }) => new Set(steps.map(({ label }) => label)));
  if (first === undefined || rest.length === 0) return new Set();
  return new Set(Array.from(first).filter((label) => rest.every((labels) => labels.has(label))));
}

/** Every kind of step, killed before and after its first and its last; and whatever else may happen, at its first. */
export function cellsOf(scenario: Scenario, { steps }: Reference): Cell[] {
  const last = new Map(steps.map((step) => [step.label, step.occurrence]));
  return [...last].flatMap(([label, occurrence]): Cell[] => {
    const occurrences = [...new Set([1, occurrence])];
    const kills = occurrences.flatMap((each): Cell[] =>
      (['before', 'after'] as const).map((when) => ({ step: { label, occurrence: each }, when, fault: 'kill' })),
    );
    const others = failures
      .filter(([pattern]) => pattern.test(label))
      .flatMap(([, possible]) => possible)
      .map((fault): Cell => ({ step: { label, occurrence: 1 }, when: 'before', fault }));
    return [...kills, ...others].filter(({ fault }) => scenario.faults.includes(fault));
  });
}

export interface MatrixOptions {
  /** Scenarios and faults by name; all where it is empty. */
  readonly only: readonly string[];
  /** What a step's label holds; all where it is empty or absent. */
  readonly step?: string;
  /** Of all cells every how manieth is run, */
  readonly every: number;
  /** beginning with which: 0 unless told. */
  readonly from?: number;
  readonly atOnce: number;
  readonly onVerdict: (verdict: Verdict, done: number, all: number) => void;
  /** All cells of a kind of step are through. */
  readonly onRow?: (row: readonly Verdict[]) => void;
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
  const names = scenarios.map((scenario) => scenario.name);
  const observed = await inParallel(
    scenarios.filter(({ name }) => wanted(name, names)),
    options.atOnce,
    async (scenario) => ({ scenario, reference: await scenario.observe() }),
  );
  const left = new Set<string>();
  const workers = observed.filter(({ scenario }) => scenario.program === 'worker');
  const common = commonLabels(workers.map(({ reference }) => reference));
  const isRepeated = (scenario: Scenario, label: string): boolean =>
    scenario.program === 'worker' && scenario !== workers[0]?.scenario && common.has(label);
  const cells = observed
    .flatMap(({ scenario, reference }) => cellsOf(scenario, reference).map((cell) => ({ scenario, cell, reference })))
    .filter(({ scenario, cell }) => !isRepeated(scenario, cell.step.label))
    .filter(({ cell }) => wanted(cell.fault, faults) && cell.step.label.includes(options.step ?? ''))
    .filter((_, index) => index % options.every === (options.from ?? 0) % options.every);
  const rows = rowsOf(cells, options.onRow);
  let done = 0;
  const verdicts = await inParallel(cells, options.atOnce, async (each) => {
    const { scenario, cell, reference } = each;
    if (options.signal.aborted) return null;
    const verdict = await onItsDisk(scenario, cell, left, (within) => scenario.run(cell, reference, within));
    if (verdict === null) return null;
    done += 1;
    options.onVerdict(verdict, done, cells.length);
    rows(each, verdict);
    return verdict;
  });
  return { verdicts: verdicts.filter((verdict) => verdict !== null), left: [...left] };
}

/** A disk of its own for a cell that fills it. @returns null where none can be had; `left` then says why */
export async function onItsDisk<T>(
  { disk }: Pick<Scenario, 'disk'>,
  { fault }: Pick<Cell, 'fault'>,
  left: Set<string>,
  work: (within?: string) => Promise<T>,
): Promise<T | null> {
  if (fault !== 'full') return work();
  const ending: (() => void)[] = [];
  const skip = (why?: string): void => void left.add(`full: ${why}`);
  const within = smallDisk({ after: (step: () => void) => ending.push(step), skip }, disk);
  try {
    return within === null ? null : await work(within);
  } finally {
    for (const step of ending) step();
  }
}

interface Placed {
  readonly scenario: Scenario;
  readonly cell: Cell;
}

/** Tells of each row when its last cell is through. */
function rowsOf(cells: readonly Placed[], onRow: MatrixOptions['onRow']): (cell: Placed, verdict: Verdict) => void {
  const keyOf = ({ scenario, cell }: Placed): string => `${scenario.name} ${cell.step.label}`;
  const waiting = new Map(Array.from(Map.groupBy(cells, keyOf), ([key, of]) => [key, of.length]));
  const verdicts = new Map<string, Verdict[]>();
  return (cell, verdict) => {
    const key = keyOf(cell);
    const row = [...(verdicts.get(key) ?? []), verdict];
    verdicts.set(key, row);
    if (row.length === waiting.get(key)) onRow?.(row);
  };
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
