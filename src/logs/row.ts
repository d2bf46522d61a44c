/**
 * One row of a terminal's screen: runs of text as long as it is only appended to, one cell for each column once something is
 * written over. Most lines of a log never need cells.
 */
import { isSamePen, type Pen, plainPen } from '../pens/pen.ts';
import { columnBehind, columnsOf, nextTabStop } from './columns.ts';

export interface Run {
  readonly text: string;
  readonly pen: Pen;
}

interface Cell {
  /** A character and the marks on it; a tab; empty where what begins left of it goes on. */
  readonly text: string;
  readonly pen: Pen;
}

const blank: Cell = { text: ' ', pen: plainPen };
/** In units of a string: more marks than any script puts on one character are left out. */
const longestCell = 64;
/**
 * What is moved or erased in a line reaches so many columns from the cursor: two screens, while a line may be a hundred of them,
 * which would be gone through for each few bytes that ask for it.
 */
const reach = 320;

export class Row {
  /** When it was printed, milliseconds since 1970: the last time stamp wins, as Buildkite has it. */
  time: number | null = null;
  #runs: Run[] = [];
  #cells: Cell[] | null = null;
  /** Whether there may be some among the cells. */
  #hasTabs = false;
  /** In units of a string while there are runs: at least as many as there are characters. */
  #length = 0;
  /** Of the runs, in columns, as far as they were there when it was asked for. */
  #width = 0;
  /** What was appended since, so that each text is measured once; null: all, for it never was asked for. */
  #unmeasured: string | null = null;

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** Bounds the number of its characters from above. */
  get length(): number {
    return this.#length;
  }

  /** How many columns it takes. */
  get width(): number {
    if (this.#cells !== null) return this.#cells.length;
    if (this.#unmeasured === null) this.#width = this.#runs.reduce((column, { text }) => columnBehind(text, column), 0);
    else if (this.#unmeasured !== '') this.#width = columnBehind(this.#unmeasured, this.#width);
    this.#unmeasured = '';
    return this.#width;
  }

  append(text: string, pen: Pen): void {
    this.#length += text.length;
    if (this.#cells !== null) {
      this.#hasTabs ||= text.includes('\t');
      for (const character of text) put(this.#cells, this.#cells.length, character, pen);
      return;
    }
    if (this.#unmeasured !== null) this.#unmeasured += text;
    const at = this.#runs.length - 1;
    const last = this.#runs[at];
    if (last === undefined || !isSamePen(last.pen, pen)) this.#runs.push({ text, pen });
    else this.#runs[at] = { text: last.text + text, pen: last.pen };
  }

  /** Writes over what is there; a tab leads over it. @returns the column behind it */
  write(column: number, text: string, pen: Pen): number {
    let at = column;
    for (let from = 0; from < text.length; ) {
      if (at >= this.width) return this.#writeBehind(at, text.slice(from), pen);
      if (text[from] === '\t') {
        at = nextTabStop(at);
        from += 1;
        continue;
      }
      const cut = text.indexOf('\t', from);
      const end = cut === -1 ? text.length : cut;
      const cells = this.#split();
      for (const character of text.slice(from, end)) at = put(cells, at, character, pen);
      this.#length = Math.max(this.#length, cells.length);
      from = end;
    }
    return at;
  }

  #writeBehind(column: number, text: string, pen: Pen): number {
    const gap = column - this.width;
    if (gap > 0) this.append(' '.repeat(gap), plainPen);
    this.append(text, pen);
    return this.width;
  }

  /** From a column on, to the end. */
  eraseFrom(column: number): void {
    if (column === 0) return this.clear();
    const cells = this.#split();
    part(cells, column);
    if (cells.length > column) cells.length = column;
    this.#shrink();
  }

  /** From the beginning to a column, with it. */
  eraseTo(column: number): void {
    if (column >= this.#split().length - 1) return this.clear();
    const from = Math.max(0, column + 1 - reach);
    this.erase(from, column + 1 - from);
  }

  /** So many columns, which stay. */
  erase(column: number, count: number): void {
    const cells = this.#split();
    const end = Math.min(cells.length, column + Math.min(count, reach));
    part(cells, column);
    part(cells, end);
    blankOut(cells, column, end);
  }

  /** What is right of so many columns moves left. */
  remove(column: number, count: number): void {
    const cells = this.#split();
    const end = Math.min(cells.length, column + reach);
    const from = Math.min(end, column + count);
    this.#loosen(column, end);
    part(cells, from);
    for (let at = from; at < end; at += 1) cells[at - from + column] = cells[at] as Cell;
    if (end === cells.length) cells.length = end - from + column;
    else blankOut(cells, end - from + column, end);
    this.#shrink();
  }

  /** What is right of a column moves so many to the right; what would be right of `most` is lost. */
  insert(column: number, count: number, most: number): void {
    const cells = this.#split();
    if (column >= cells.length) return;
    const longest = Math.max(cells.length, Math.min(most, cells.length + count));
    const end = Math.min(longest, column + reach);
    const to = Math.min(end, column + count);
    this.#loosen(column, end);
    part(cells, end - to + column);
    for (let at = cells.length; at < end; at += 1) cells.push(blank);
    for (let at = end - 1; at >= to; at -= 1) cells[at] = cells[at - to + column] as Cell;
    blankOut(cells, column, to);
    this.#length = Math.max(this.#length, cells.length);
  }

  clear(): void {
    if (this.isEmpty && this.#cells === null) return;
    this.#runs = [];
    this.#cells = null;
    this.#length = 0;
    this.#width = 0;
    this.#unmeasured = null;
  }

  /** Without the blanks that an erasure or a leap left at its end. */
  runs(): readonly Run[] {
    if (this.#cells === null) return this.#runs;
    const cells = this.#cells;
    let end = cells.length;
    while (end > 0 && isBlank(cells[end - 1])) end -= 1;
    const runs: Run[] = [];
    for (let at = 0; at < end; ) {
      const { pen } = cells[at] ?? blank;
      let text = '';
      for (; at < end && isSamePen((cells[at] ?? blank).pen, pen); at += 1) text += cells[at]?.text ?? '';
      runs.push({ text, pen });
    }
    return runs;
  }

  #split(): Cell[] {
    if (this.#cells !== null) return this.#cells;
    const cells: Cell[] = [];
    for (const { text, pen } of this.#runs) for (const character of text) put(cells, cells.length, character, pen);
    this.#cells = cells;
    this.#hasTabs = this.#runs.some(({ text }) => text.includes('\t'));
    return cells;
  }

  /** What is from a column to another can be moved: a tab would be another number of columns then, and is blanks. */
  #loosen(column: number, end: number): void {
    const cells = this.#split();
    part(cells, column);
    part(cells, end);
    if (!this.#hasTabs) return;
    for (let at = column; at < end; at += 1) if (cells[at]?.text === '\t') loosen(cells, at);
  }

  /** After some of the cells were taken away. */
  #shrink(): void {
    this.#length = Math.min(this.#length, this.width);
  }
}

function blankOut(cells: Cell[], from: number, to: number): void {
  for (let at = from; at < to; at += 1) cells[at] = blank;
}

/** @param column within the cells, or the one behind them @returns the column behind it */
function put(cells: Cell[], column: number, character: string, pen: Pen): number {
  if (character === '\t') {
    const end = nextTabStop(column);
    for (let at = column; at < end; at += 1) cells[at] = { text: at === column ? '\t' : '', pen };
    return end;
  }
  const columns = columnsOf(character);
  if (columns === 0) {
    mark(cells, column, character);
    return column;
  }
  loosen(cells, column);
  if (columns === 2) loosen(cells, column + 1);
  cells[column] = { text: character, pen };
  if (columns === 2) cells[column + 1] = { text: '', pen };
  return column + columns;
}

/** A mark belongs to the character before it; where there is none it is left out. */
function mark(cells: Cell[], column: number, character: string): void {
  const at = beginningOf(cells, column - 1);
  const cell = cells[at];
  if (cell === undefined || cell.text === '\t' || cell.text.length >= longestCell) return;
  cells[at] = { text: cell.text + character, pen: cell.pen };
}

/** What takes this column and others is no more, because one of them becomes something else: only its blanks are left. */
function loosen(cells: Cell[], column: number): void {
  if (column >= cells.length) return;
  const from = beginningOf(cells, column);
  const isAlone = from === column && cells[column + 1]?.text !== '';
  if (isAlone && cells[column]?.text !== '\t') return;
  cells[from] = blank;
  for (let at = from + 1; cells[at]?.text === ''; at += 1) cells[at] = blank;
}

/** Nothing goes on from the left of a column to the right of it. */
function part(cells: Cell[], column: number): void {
  if (cells[column]?.text === '') loosen(cells, column);
}

function beginningOf(cells: readonly Cell[], column: number): number {
  let at = column;
  while (at > 0 && cells[at]?.text === '') at -= 1;
  return at;
}

function isBlank(cell: Cell | undefined): boolean {
  return cell === undefined || (cell.text === ' ' && cell.pen.background === -1 && cell.pen.styles === 0);
}
