/**
 * Which row of a long page each line of a log is in, when some groups are folded and lines with a picture are higher than
 * others. Pure, and shared with the browser.
 */
import type { Group } from './groups.ts';

export const pictureRows = 12;

/** From here on, line by line and row by row. */
interface Bend {
  readonly line: number;
  readonly row: number;
}

export class RowMap {
  readonly #lines: number;
  readonly #groups: readonly Group[];
  readonly #pictures: readonly number[];
  readonly #folded: Set<number>;
  #bends: Bend[] = [];
  #rows = 0;

  /** @param pictures lines, ascending */
  constructor(lines: number, groups: readonly Group[], pictures: readonly number[]) {
    this.#lines = lines;
    this.#groups = groups;
    this.#pictures = pictures;
    this.#folded = new Set(groups.flatMap(({ line, open }) => (open ? [] : [line])));
    this.#bend();
  }

  /** All rows there are now. */
  get rows(): number {
    return this.#rows;
  }

  isFolded(header: number): boolean {
    return this.#folded.has(header);
  }

  /** The group that a line is in or heads, if any. */
  groupOf(line: number): Group | undefined {
    const at = lastAtMost(this.#groups, line, ({ line: header }) => header);
    return this.#groups[at];
  }

  fold(header: number, isFolded: boolean): void {
    if (isFolded) this.#folded.add(header);
    else this.#folded.delete(header);
    this.#bend();
  }

  foldAll(isFolded: boolean): void {
    this.#folded.clear();
    if (isFolded) for (const { line } of this.#groups) this.#folded.add(line);
    this.#bend();
  }

  /** Of a line that is folded away: the row of its group's header. Rows are from 0, lines from 1. */
  rowOf(line: number): number {
    const at = lastAtMost(this.#bends, line, (bend) => bend.line);
    const { line: from, row } = this.#bends[at] ?? { line: 1, row: 0 };
    const next = this.#bends[at + 1];
    const straight = row + line - from;
    return next === undefined ? straight : Math.min(straight, this.#lastRowBefore(next));
  }

  lineAt(row: number): number {
    const at = lastAtMost(this.#bends, row, (bend) => bend.row);
    const { line, row: from } = this.#bends[at] ?? { line: 1, row: 0 };
    return Math.min(line + row - from, this.#lastShownBefore(at));
  }

  /** The next line that is not folded away; above `lines` behind the last. */
  after(line: number): number {
    const group = this.groupOf(line);
    if (group === undefined || !this.#folded.has(group.line)) return line + 1;
    return this.#endOf(group) + 1;
  }

  #bend(): void {
    const bends: Bend[] = [{ line: 1, row: 0 }];
    let [line, row] = [1, 0];
    const go = (to: number): void => {
      row += to - line;
      line = to;
    };
    let picture = 0;
    const showUntil = (end: number): void => {
      for (; (this.#pictures[picture] ?? Number.POSITIVE_INFINITY) < end; picture += 1) {
        const at = this.#pictures[picture] ?? 0;
        if (at < line) continue;
        go(at + 1);
        row += pictureRows - 1;
        bends.push({ line, row });
      }
      go(end);
    };
    for (const group of this.#groups) {
      if (!this.#folded.has(group.line)) continue;
      showUntil(group.line + 1);
      const end = this.#endOf(group) + 1;
      if (end === line) continue;
      line = end;
      bends.push({ line, row });
    }
    if (line <= this.#lines) showUntil(this.#lines + 1);
    this.#bends = bends;
    this.#rows = row;
  }

  #endOf(group: Group): number {
    const next = this.#groups[lastAtMost(this.#groups, group.line, ({ line }) => line) + 1];
    return next === undefined ? this.#lines : next.line - 1;
  }

  /** The row in which what stands before a bend begins: a picture's own first row, a folded header's only one. */
  #lastRowBefore(bend: Bend): number {
    const isPicture = this.#pictures[lastAtMost(this.#pictures, bend.line - 1, (each) => each)] === bend.line - 1;
    return bend.row - (isPicture && !this.#isHidden(bend.line - 1) ? pictureRows : 1);
  }

  #isHidden(line: number): boolean {
    const group = this.groupOf(line);
    return group !== undefined && group.line !== line && this.#folded.has(group.line);
  }

  #lastShownBefore(at: number): number {
    const next = this.#bends[at + 1];
    if (next === undefined) return this.#lines;
    const last = next.line - 1;
    return this.#isHidden(last) ? (this.groupOf(last)?.line ?? last) : last;
  }
}

/** The place of the last one whose number is at most `value`; -1 where there is none. */
function lastAtMost<T>(sorted: readonly T[], value: number, numberOf: (each: T) => number): number {
  let [low, high] = [-1, sorted.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (numberOf(sorted[middle] as T) <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}
