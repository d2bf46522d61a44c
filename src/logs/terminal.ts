/**
 * A terminal that a log is printed on: what stands in each line at the end, when all carriage returns, cursor moves and
 * erasures have had their effect. Its screen is bounded, as the one is that Buildkite's agent gives a job (160 columns, 100
 * rows); what is above it can change no more and is passed on. A line longer than the screen is wide stays one line.
 * Constant memory, whatever it is fed. Pure, and shared with the browser.
 */
import { type Pen, PenCase, plainPen, toSequences } from './pen.ts';
import { Row } from './row.ts';
import { type Meaning, readApplicationCommand, readSystemCommand } from './sequences.ts';

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
/** Longer strings than this are no picture that is shown; longer control sequences have no meaning. */
const longestString = 400_000;
const longestSequence = 256;
/** Begins a string that means nothing: stands for one that is too long to be kept until its end. */
const swallowed = '\u001bX';

const [backspace, newline, carriageReturn, escape, del] = [0x08, 0x0a, 0x0d, 0x1b, 0x7f];
/** `[`, its 8-bit form, `_`. */
const [openBracket, eightBitControl, underscore] = [0x5b, 0x9b, 0x5f];
/** `ESC _bk;t=` and thirteen digits. */
const stampLength = 20;
type StringKind = 'system' | 'application' | 'other';
/** By the second character of the sequence, or by its 8-bit form. */
const stringKinds: ReadonlyMap<number, StringKind> = new Map([
  [0x5d, 'system'],
  [0x9d, 'system'],
  [0x5f, 'application'],
  [0x9f, 'application'],
  [0x50, 'other'],
  [0x90, 'other'],
  [0x58, 'other'],
  [0x98, 'other'],
  [0x5e, 'other'],
  [0x9e, 'other'],
]);
const otherSequence = /\u001b([ -/]*)([0-~])?/y;

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
  /** A sequence that has begun and not ended. */
  #open = '';
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
    if (start.prelude !== undefined) this.feed(start.prelude);
  }

  /** What a new terminal must be told to go on like this one at the beginning of a line. */
  get prelude(): string {
    return toSequences(this.#pen) + (this.#open === swallowed ? swallowed : '');
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

  feed(text: string): void {
    const all = this.#open === '' ? text : this.#open + text;
    this.#open = '';
    let at = 0;
    while (at < all.length) {
      const end = endOfPlain(all, at);
      if (end > at) this.#print(all.slice(at, end));
      if (end === all.length) return;
      const next = this.#control(all, end);
      if (next === null) {
        this.#open = all.length - end > longestString ? swallowed : all.slice(end);
        return;
      }
      at = next;
    }
  }

  /** All lines are as they are now, and the next begins: nothing moves above it any more. */
  cut(): void {
    if (this.#open !== swallowed) this.#open = '';
    const next = this.isAtEnd ? this.#line : Math.max(this.#line, this.#last()) + 1;
    this.#makeRows(next - 1);
    this.#passOn(this.#rows.length);
    this.#floor = next;
    this.#line = next;
    this.#lowest = Math.max(this.#lowest, next);
    this.#column = null;
    this.#saved = { line: next, column: 0 };
  }

  /** The end of the log. Lines that were begun count. */
  finish(): void {
    this.#open = '';
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
    let row = this.#row();
    const column = this.#column;
    if (column !== null && column + text.length <= longestLine) {
      // Right of the screen nothing is written but behind what is there already.
      const after = row.write(Math.min(column, Math.max(screenColumns - 1, row.width)), text, this.#pen);
      this.#column = after >= row.width ? null : after;
      return;
    }
    this.#column = null;
    for (let at = 0; at < text.length; ) {
      const room = longestLine - row.length;
      if (text.length - at <= room) {
        row.append(at === 0 ? text : text.slice(at), this.#pen);
        return;
      }
      const cut = at + wholeCharacters(text, at, Math.max(0, room));
      row.append(text.slice(at, cut), this.#pen);
      this.#toNextLine();
      this.#column = null;
      row = this.#row();
      at = cut;
    }
  }

  /** @returns where what follows begins; null when the sequence has not ended yet */
  #control(text: string, at: number): number | null {
    const code = text.charCodeAt(at);
    if (code === newline) {
      this.#toNextLine();
      this.#makeRows(this.#line - 1);
      if (this.#rows.length >= screenRows + batch) this.#passOn(this.top - this.#first);
    } else if (code === carriageReturn) {
      this.#column = this.#rowHere()?.isEmpty === false ? 0 : null;
    } else if (code === backspace) {
      this.#column = Math.max(0, this.#columnNow() - 1);
    } else if (code === escape || (code >= 0x90 && code !== 0x9c && code <= 0x9f)) {
      return this.#sequence(text, at);
    }
    return at + 1;
  }

  #sequence(text: string, at: number): number | null {
    const isEscape = text.charCodeAt(at) === escape;
    const second = text.charCodeAt(isEscape ? at + 1 : at);
    if (second === openBracket || second === eightBitControl) return this.#controlSequence(text, at);
    // The time that each line begins with, as it nearly always is.
    if (second === underscore && text.charCodeAt(at + stampLength) === 0x07 && text.startsWith('bk;t=', at + 2)) {
      this.#apply(readApplicationCommand(text.slice(at + 2, at + stampLength)));
      return at + stampLength + 1;
    }
    if (Number.isNaN(second)) return null;
    const kind = stringKinds.get(second);
    if (kind !== undefined) return this.#string(text, at + (isEscape ? 2 : 1), kind);
    otherSequence.lastIndex = at;
    const [all = '', between = '', final] = otherSequence.exec(text) ?? [];
    if (all === '') return at + 1;
    if (final === undefined) return isCutShort(text, at, all) ? null : at + all.length;
    if (between === '') this.#escape(final);
    return at + all.length;
  }

  /** A string that never ends takes the rest of its line along, and no other line. */
  #string(text: string, from: number, kind: StringKind): number | null {
    let end = from;
    for (; end < text.length; end += 1) {
      const code = text.charCodeAt(end);
      if (code === 0x07 || code === 0x9c || code === newline) break;
      if (code === escape) {
        if (end + 1 === text.length || text[end + 1] === '\\') break;
      }
    }
    const isOpen = end === text.length || (text.charCodeAt(end) === escape && end + 1 === text.length);
    if (isOpen) return null;
    if (text.charCodeAt(end) === newline) return end;
    const content = text.slice(from, end);
    if (content.length <= longestString) {
      if (kind === 'application') this.#apply(readApplicationCommand(content));
      if (kind === 'system') this.#apply(readSystemCommand(content));
    }
    return end + (text.charCodeAt(end) === escape ? 2 : 1);
  }

  #apply(meaning: Meaning): void {
    if (meaning === null) return;
    if (meaning.kind === 'time' || meaning.kind === 'later') {
      this.#clock = meaning.kind === 'time' ? meaning.at : this.#clock + meaning.ms;
      this.#row().time = this.#clock;
    } else if (meaning.kind === 'link') {
      this.#pen = { ...this.#pen, link: meaning.to };
    } else if (meaning.kind === 'text') {
      this.#printWith({ ...this.#pen, link: meaning.to }, meaning.text);
    } else {
      // A picture has a line of its own.
      if (this.#rowHere()?.isEmpty === false) this.#toNextLine();
      this.#printWith({ ...plainPen, picture: meaning.picture }, '\ufffc');
      this.#toNextLine();
    }
  }

  /** To its beginning; the row itself is made when something is written into it. */
  #toNextLine(): void {
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

  #controlSequence(text: string, at: number): number | null {
    const from = at + (text.charCodeAt(at) === escape ? 2 : 1);
    let end = from;
    while (isWithin(text.charCodeAt(end), 0x30, 0x3f)) end += 1;
    const parametersEnd = end;
    while (isWithin(text.charCodeAt(end), 0x20, 0x2f)) end += 1;
    if (!isWithin(text.charCodeAt(end), 0x40, 0x7e))
      return end === text.length && end - at < longestSequence ? null : end;
    const isPrivate = isWithin(text.charCodeAt(from), 0x3c, 0x3f);
    if (end === parametersEnd && !isPrivate) this.#command(text.charAt(end), text.slice(from, parametersEnd));
    return end + 1;
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
    else if ('ABCDEFG'.includes(final)) this.#move(final, Math.max(1, Number.parseInt(parameters, 10) || 1));
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

/** Where the next control character stands, but for tabs, which are text. */
function endOfPlain(text: string, from: number): number {
  let at = from;
  for (; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code < 0x20 ? code !== 0x09 : code >= del && code <= 0x9f) break;
  }
  return at;
}

/** False also for the NaN behind a text's end. */
function isWithin(code: number, from: number, to: number): boolean {
  return code >= from && code <= to;
}

function isCutShort(text: string, at: number, sequence: string): boolean {
  return at + sequence.length === text.length && sequence.length < longestSequence;
}

/** The most units up to `room` that do not end within a character; at least one character. */
function wholeCharacters(text: string, at: number, room: number): number {
  const code = text.charCodeAt(at + room - 1);
  const isHalf = room > 0 && code >= 0xd800 && code <= 0xdbff;
  return isHalf ? room - 1 : room;
}
