/**
 * A terminal that a log is printed on: what stands in each line at the end, when all carriage returns, cursor moves and
 * erasures have had their effect. Its screen is bounded, as the one is that Buildkite's agent gives a job (160 columns, 100
 * rows); what is above it can change no more and is passed on. A line longer than the screen is wide stays one line.
 * Constant memory, whatever it is fed. Pure, and shared with the browser.
 */
import { type Pen, PenCase, plainPen, toSequences } from '../pens/pen.ts';
import { columnsOf } from './columns.ts';
import { Row } from './row.ts';
import { Scanner, swallowed } from './scanner.ts';
import { latestTime, type Meaning } from './sequences.ts';

export interface TerminalStart {
  /** The number of its first line, from 0: nothing moves above it. */
  readonly line?: number;
  /** Sequences that set the pen. */
  readonly prelude?: string;
  /** What the next `dt` is counted from, ms since 1970. */
  readonly clock?: number;
}

const screenRows = 100;
const screenColumns = 160;
/** A line that is longer goes on in the next. */
const longestLine = 16_384;
/** Rows above the screen are passed on so many at a time. */
const batch = 256;
/** HPA, HPR and VPR are what others are. */
const sameMoves: Readonly<Record<string, string>> = { '`': 'G', a: 'C', e: 'B' };

export class Terminal {
  /** Lines that can change no more, in their order. */
  readonly #onLine: (row: Row) => void;
  /** The number of the line that the cursor went up to, or that was erased above it. */
  readonly #onReach: (line: number) => void;
  #rows: Row[] = [];
  /** The number of `#rows[0]`. */
  #first: number;
  /** The cursor may not go above this line. */
  #floor: number;
  #line: number;
  /** The lowest line that the cursor was ever in: so far the screen has moved down. */
  #lowest: number;
  /** null: behind the last character. */
  #column: number | null = null;
  #pen: Pen = plainPen;
  #clock: number;
  #saved: { line: number; column: number };
  /** The text that was printed last in this line. */
  #printed = '';
  #isOverwritten = false;
  readonly #scanner: Scanner;
  readonly #pens = new PenCase();

  constructor(
    onLine: (row: Row) => void,
    start: TerminalStart = {},
    onReach: (line: number) => void = () => undefined,
  ) {
    this.#onLine = onLine;
    this.#onReach = onReach;
    this.#first = start.line ?? 0;
    this.#floor = this.#first;
    this.#line = this.#first;
    this.#lowest = this.#first;
    this.#clock = start.clock ?? 0;
    this.#saved = { line: this.#line, column: 0 };
    this.#scanner = new Scanner({
      print: (text) => this.#print(text),
      newline: () => this.#newline(),
      carriageReturn: () => (this.#column = this.#rowHere()?.isEmpty === false ? 0 : null),
      backspace: () => (this.#column = Math.max(0, this.#columnNow() - 1)),
      escape: (final) => this.#escape(final),
      style: (code) => (this.#pen = this.#pens.styled(this.#pen, code)),
      command: (final, parameters) => this.#command(final, parameters),
      time: (at) => this.#stamp(at),
      meaning: (meaning) => this.#apply(meaning),
      overwriting: () => (this.#isOverwritten = true),
    });
    if (start.prelude !== undefined) this.feed(start.prelude);
  }

  /** What a new terminal must be told to go on like this one at the beginning of a line. */
  get prelude(): string {
    return toSequences(this.#pen) + (this.#scanner.isWithinString ? swallowed : '');
  }

  get clock(): number {
    return this.#clock;
  }

  /** The line that the cursor is in, from 0. */
  get line(): number {
    return this.#line;
  }

  /** The first line that can still change. */
  get top(): number {
    return Math.max(this.#floor, this.#bottom() - screenRows + 1);
  }

  /** Whether nothing is in or below the line that the cursor is in. */
  get isAtEnd(): boolean {
    return this.#column === null && this.#line === this.#lowest && this.#line > this.#last();
  }

  /** Whether, since it was asked last, the text of a line may have become another than what was printed in it. */
  takeOverwritten(): boolean {
    const was = this.#isOverwritten;
    this.#isOverwritten = false;
    return was;
  }

  feed(text: string): void {
    this.#scanner.feed(text);
  }

  /** All lines are as they are now, and the next begins: nothing moves above it any more. */
  cut(): void {
    this.#scanner.cut();
    const next = this.isAtEnd ? this.#line : Math.max(this.#line, this.#last()) + 1;
    this.#makeRows(next - 1);
    this.#passOn(this.#rows.length);
    this.#floor = next;
    this.#line = next;
    this.#lowest = Math.max(this.#lowest, next);
    this.#column = null;
    this.#printed = '';
    this.#saved = { line: next, column: 0 };
  }

  /** The end of the log. Lines that were begun count. */
  finish(): void {
    this.#makeRows(this.#line - 1);
    this.#passOn(this.#rows.length);
  }

  #last(): number {
    return this.#first + this.#rows.length - 1;
  }

  /** Of the screen: it has as many rows as it has, whether something is in them or not. */
  #bottom(): number {
    return Math.max(screenRows - 1, this.#lowest);
  }

  #makeRows(line: number): void {
    while (this.#last() < line) this.#rows.push(new Row());
  }

  #row(): Row {
    this.#makeRows(this.#line);
    if (this.#rows.length >= screenRows + batch) this.#passOn(this.top - this.#first);
    return this.#rows[this.#line - this.#first] as Row;
  }

  /** The cursor's row where there is one. */
  #rowHere(): Row | undefined {
    return this.#rows[this.#line - this.#first];
  }

  #passOn(count: number): void {
    for (const row of this.#rows.splice(0, Math.max(0, count))) this.#onLine(row);
    this.#first += Math.max(0, count);
  }

  #print(text: string): void {
    this.#printed = text;
    for (let at = 0; ; ) {
      const row = this.#rowHere() ?? this.#row();
      const room = this.#roomIn(row);
      if (text.length - at <= room) return this.#put(row, at === 0 ? text : text.slice(at));
      const cut = at + wholeCharacters(text, at, Math.max(0, room));
      this.#put(row, text.slice(at, cut));
      this.#toNextLine();
      at = cut;
    }
  }

  /** How much more of a text goes into this line, over what is there or behind it. */
  #roomIn(row: Row): number {
    const column = this.#column;
    // Behind the last character the width, which would have to be measured, is not asked for.
    if (column === null) return longestLine - row.length;
    return longestLine - (column < row.width ? column : Math.max(column, row.length));
  }

  #put(row: Row, text: string): void {
    if (this.#column === null) return row.append(text, this.#pen);
    // Right of the screen nothing is written but behind what is there already.
    const column = Math.min(this.#column, Math.max(screenColumns - 1, row.width));
    const after = row.write(column, text, this.#pen);
    this.#column = after === row.width ? null : after;
  }

  #newline(): void {
    this.#toNextLine();
    this.#makeRows(this.#line - 1);
    if (this.#rows.length >= screenRows + batch) this.#passOn(this.top - this.#first);
  }

  #apply(meaning: Exclude<Meaning, null>): void {
    if (meaning.kind === 'time' || meaning.kind === 'later') {
      const at = meaning.kind === 'time' ? meaning.at : this.#clock + meaning.ms;
      if (at <= latestTime) this.#stamp(at);
    } else if (meaning.kind === 'link') {
      this.#pen = this.#pens.linked(this.#pen, meaning.to);
    } else if (meaning.kind === 'text') {
      this.#printWith(this.#pens.linked(this.#pen, meaning.to), meaning.text);
    } else {
      // A picture has a line of its own.
      if (this.#rowHere()?.isEmpty === false) this.#toNextLine();
      this.#printWith({ ...plainPen, picture: meaning.picture }, '\ufffc');
      this.#toNextLine();
    }
  }

  #stamp(at: number): void {
    this.#clock = at;
    (this.#rowHere() ?? this.#row()).time = at;
  }

  /** To its beginning; the row itself is made when something is written into it. */
  #toNextLine(): void {
    this.#printed = '';
    this.#line += 1;
    this.#lowest = Math.max(this.#lowest, this.#line);
    this.#column = this.#rowHere() === undefined ? null : 0;
  }

  #printWith(pen: Pen, text: string): void {
    const before = this.#pen;
    this.#pen = pen;
    this.#print(text.replaceAll(/\p{Cc}/gu, ' '));
    this.#pen = before;
  }

  #escape(final: string): void {
    if (final === 'M') this.#moveTo(this.#line - 1);
    else if (final === '7') this.#save();
    else if (final === '8') this.#restore();
    else if (final === 'E' || final === 'D') this.#toNextLine();
    else if (final === 'c') this.#pen = plainPen;
  }

  #command(final: string, parameters: string): void {
    if (final === 'm') this.#pen = this.#pens.colored(this.#pen, parameters);
    else if (final === 'K') this.#eraseLine(parameters);
    else if (final === 'J') this.#eraseScreen(parameters);
    else if (final === 'H' || final === 'f') this.#goHome(parameters);
    else if (final === 's') this.#save();
    else if (final === 'u') this.#restore();
    else this.#repeated(final, Math.max(1, Number.parseInt(parameters, 10) || 1));
  }

  /** What is done so many times. VPA has no place here: which row of the screen is meant nobody knows. */
  #repeated(final: string, count: number): void {
    const same = sameMoves[final] ?? final;
    if ('ABCDEFG'.includes(same)) this.#move(same, count);
    else if (final === 'X') this.#change((row, column) => row.erase(column, count));
    else if (final === 'P') this.#change((row, column) => row.remove(column, count));
    else if (final === '@')
      this.#change((row, column) => row.insert(column, Math.min(count, screenColumns), longestLine));
    else if (final === 'L' || final === 'M') this.#moveLines(final === 'L', count);
    else if (final === 'b') this.#repeat(count);
  }

  /** The cursor stays in its column. */
  #change(of: (row: Row, column: number) => void): void {
    const [row, column] = [this.#rowHere(), this.#columnNow()];
    if (row === undefined || column >= row.width) return;
    of(row, column);
    this.#column = column === row.width ? null : column;
  }

  /** The lines from here to the screen's end move down, or up over this one. */
  #moveLines(isDown: boolean, count: number): void {
    const at = this.#line - this.#first;
    this.#onReach(this.#line);
    if (at < this.#rows.length && isDown) {
      this.#rows.splice(at, 0, ...Array.from({ length: Math.min(count, screenRows) }, () => new Row()));
      this.#rows.length = Math.min(this.#rows.length, this.#bottom() - this.#first + 1);
    } else this.#rows.splice(at, count);
    this.#column = this.#rowHere() === undefined ? null : 0;
  }

  /** The character that was printed last, again, as far as the screen is wide. */
  #repeat(count: number): void {
    const [last] = Array.from(this.#printed.slice(-2)).slice(-1);
    const room = screenColumns - this.#columnNow();
    if (last === undefined || columnsOf(last) !== 1 || room <= 0) return;
    this.#print(last.repeat(Math.min(count, room)));
  }

  #columnNow(): number {
    return this.#column ?? this.#rowHere()?.width ?? 0;
  }

  #move(final: string, count: number): void {
    const column = this.#columnNow();
    if (final === 'G') this.#column = this.#within(count - 1);
    else if (final === 'C') this.#column = Math.max(column, this.#within(column + count));
    else if (final === 'D') this.#column = Math.max(0, column - count);
    else {
      this.#moveTo(this.#line + (final === 'A' || final === 'F' ? -count : count));
      this.#column = final === 'E' || final === 'F' ? 0 : Math.min(column, screenColumns - 1);
    }
  }

  #within(column: number): number {
    return Math.min(column, Math.max(screenColumns - 1, this.#rowHere()?.width ?? 0));
  }

  #moveTo(line: number): void {
    this.#column = this.#columnNow();
    this.#line = Math.min(Math.max(line, this.top), this.#bottom());
    this.#onReach(this.#line);
  }

  #save(): void {
    this.#saved = { line: this.#line, column: this.#columnNow() };
  }

  #restore(): void {
    const { line, column } = this.#saved;
    const isGone = line < this.top;
    this.#moveTo(line);
    this.#column = isGone ? 0 : column;
  }

  /**
   * Which row of the screen is meant nobody knows, because jobs have had screens of several sizes. What comes goes below what is
   * there, as Buildkite does it.
   */
  #goHome(parameters: string): void {
    const column = Math.max(1, Number.parseInt(parameters.split(';')[1] ?? '', 10) || 1) - 1;
    if (this.#rowHere()?.isEmpty === false) {
      const { time } = this.#row();
      this.#toNextLine();
      this.#row().time ??= time;
    }
    this.#column = Math.min(column, screenColumns - 1);
  }

  #eraseLine(parameters: string): void {
    const row = this.#rowHere();
    const column = this.#columnNow();
    if (row !== undefined) {
      if (parameters === '' || parameters === '0') row.eraseFrom(column);
      else if (parameters === '1') row.eraseTo(column);
      else if (parameters === '2') row.clear();
    }
    this.#column = column === (row?.width ?? 0) ? null : column;
  }

  #eraseScreen(parameters: string): void {
    if (!/^[0-3]?$/.test(parameters)) return;
    const column = this.#columnNow();
    const toEnd = parameters === '' || parameters === '0';
    const from = toEnd ? this.#line + 1 : this.top;
    const to = parameters === '1' ? this.#line : this.#last() + 1;
    for (let line = from; line < to; line += 1) this.#rows[line - this.#first]?.clear();
    if (!toEnd) this.#onReach(from);
    if (toEnd || parameters === '1') this.#eraseLine(parameters);
    else this.#column = column === 0 ? null : column;
  }
}

/** The most units up to `room` that do not end within a character; at least one character. */
function wholeCharacters(text: string, at: number, room: number): number {
  const code = text.charCodeAt(at + room - 1);
  const isHalf = room > 0 && code >= 0xd800 && code <= 0xdbff;
  return isHalf ? room - 1 : room;
}
