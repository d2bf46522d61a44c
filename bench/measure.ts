/** What a bench finds, and how it is shown: medians with their spread, and ratios of sides that took turns. */

export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

export interface Row {
  readonly name: string;
  /** Absent where the row could not be measured. */
  readonly value?: Spread;
  readonly unit: 'µs' | 'ms' | 's' | '/s' | 'MiB' | 'MB/s' | 'requests';
  /** How much better our side is than this one, round by round (1: equal). */
  readonly ratio?: Spread;
  readonly target?: Target;
  /** Why it could not be measured, or what must be known to read it. */
  readonly note?: string;
}

export interface Target {
  readonly text: string;
  readonly met: boolean;
}

export interface Table {
  readonly title: string;
  /** What must be known to read it. */
  readonly facts: readonly string[];
  readonly rows: readonly Row[];
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((left, right) => left - right);
  return { median: percentile(sorted, 0.5), least: sorted[0] ?? Number.NaN, most: sorted.at(-1) ?? Number.NaN };
}

/** @param sorted ascending @param part 0 to 1 */
export function percentile(sorted: readonly number[], part: number): number {
  const place = (sorted.length - 1) * part;
  const [below, above] = [sorted[Math.floor(place)] ?? Number.NaN, sorted[Math.ceil(place)] ?? Number.NaN];
  return below + (above - below) * (place - Math.floor(place));
}

/** Round by round, as neighbours in time saw the same machine. */
export function ratioOf(dividends: readonly number[], divisors: readonly number[]): Spread {
  return spreadOf(dividends.map((dividend, round) => dividend / (divisors[round] ?? Number.NaN)));
}

export function renderTable({ title, facts, rows }: Table): string {
  const lines = rows.map((row) => [row.name, describeValue(row), describeRatio(row), describeTarget(row)]);
  const widths = [0, 1, 2].map((column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const body = lines.map((line, index) => {
    const cells = line.map((cell, column) => cell.padEnd(widths[column] ?? 0));
    return `  ${cells.join('  ').trimEnd()}${noteOf(rows[index])}`;
  });
  return [title, ...facts.map((fact) => `  ${fact}`), ...body].join('\n');
}

function describeValue({ value, unit }: Row): string {
  if (value === undefined) return 'not measured';
  const digits = unit === 'requests' ? 0 : value.median < 10 ? 2 : value.median < 100 ? 1 : 0;
  const [median, least, most] = [value.median, value.least, value.most].map((each) => each.toFixed(digits));
  return value.least === value.most ? `${median} ${unit}` : `${median} ${unit} (${least}–${most})`;
}

function describeRatio({ ratio }: Row): string {
  if (ratio === undefined) return '';
  return `${ratio.median.toFixed(2)} × (${ratio.least.toFixed(2)}–${ratio.most.toFixed(2)})`;
}

function describeTarget({ target }: Row): string {
  return target === undefined ? '' : `${target.met ? '✓' : '✗'} ${target.text}`;
}

function noteOf(row: Row | undefined): string {
  return row?.note === undefined ? '' : `  ${row.note}`;
}
