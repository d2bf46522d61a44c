/**
 * One row of a terminal's screen: runs of text as long as it is only appended to, one cell for each character once
 * something is written over. Most lines of a log never need cells.
 */
import { isSamePen, type Pen, plainPen } from './pen.ts';

export interface Run {
  readonly text: string;
  readonly pen: Pen;
}

interface Cell {
  text: string;
  pen: Pen;
}

const blank: Cell = { text: ' ', pen: plainPen };
/** Above it are the halves of characters that take two units. */
const hasPairs = /[\ud800-\udbff]/;

export class Row {
  /** When it was printed, milliseconds since 1970: the last time stamp wins, as Buildkite has it. */
  time: number | null = null;
  #runs: Run[] = [];
  #cells: Cell[] | null = null;
  /** In units of a string while there are runs: at least as many as there are characters. */
  #length = 0;

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** Bounds the number of its characters from above. */
  get length(): number {
    return this.#length;
  }

  /** How many characters it has. */
  get width(): number {
    if (this.#cells !== null) return this.#cells.length;
    let width = 0;
    for (const { text } of this.#runs) width += hasPairs.test(text) ? Array.from(text).length : text.length;
    return width;
  }

  append(text: string, pen: Pen): void {
    this.#length += text.length;
    if (this.#cells !== null) {
      for (const character of text) this.#cells.push({ text: character, pen });
      return;
    }
    const at = this.#runs.length - 1;
    const last = this.#runs[at];
    if (last === undefined || !isSamePen(last.pen, pen)) this.#runs.push({ text, pen });
    else this.#runs[at] = { text: last.text + text, pen: last.pen };
  }

  /** Writes over what is there. @returns the column behind it */
  write(column: number, text: string, pen: Pen): number {
    const gap = column - this.width;
    if (gap >= 0) {
      if (gap > 0) this.append(' '.repeat(gap), plainPen);
      this.append(text, pen);
      return this.width;
    }
    const cells = this.#split();
    let at = column;
    for (const character of text) cells[at++] = { text: character, pen };
    this.#length = Math.max(this.#length, cells.length);
    return at;
  }

  /** From a column on, to the end. */
  eraseFrom(column: number): void {
    if (column === 0) return this.clear();
    const cells = this.#split();
    if (cells.length > column) cells.length = column;
  }

  /** From the beginning to a column, with it. */
  eraseTo(column: number): void {
    const cells = this.#split();
    if (column >= cells.length - 1) return this.clear();
    for (let at = 0; at <= column; at += 1) cells[at] = blank;
  }

  clear(): void {
    this.#runs = [];
    this.#cells = null;
    this.#length = 0;
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
    this.#cells ??= this.#runs.flatMap(({ text, pen }) => Array.from(text, (character) => ({ text: character, pen })));
    return this.#cells;
  }
}

function isBlank(cell: Cell | undefined): boolean {
  return cell === undefined || (cell.text === ' ' && cell.pen.background === -1 && cell.pen.styles === 0);
}
