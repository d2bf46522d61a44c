/**
 * Takes a log apart: text, control characters, and sequences, whose strings are read. In constant memory: a string that is too
 * long, or never ends, is passed over. Pure, and shared with the browser.
 * @see https://vt100.net/emu/dec_ansi_parser
 */
import { type Meaning, readApplicationCommand, readSystemCommand } from './sequences.ts';

/** What is told of a log, in its order. */
export interface Told {
  print(text: string): void;
  newline(): void;
  carriageReturn(): void;
  backspace(): void;
  /** `ESC` and one character. */
  escape(final: string): void;
  /** `CSI … m` with one number below 100. */
  style(code: number): void;
  /** `CSI`, parameters as they stand, and what ends it. */
  command(final: string, parameters: string): void;
  /** Milliseconds since 1970. */
  time(at: number): void;
  meaning(meaning: Exclude<Meaning, null>): void;
  /** Something may make the text of a line another than what is printed in it; told more often than it is so. */
  overwriting(): void;
}

/** Longer strings than this are no picture that is shown; longer control sequences have no meaning. */
const longestString = 400_000;
const longestSequence = 256;
/** Begins a string that means nothing: stands for one that is too long to be kept until its end. */
export const swallowed = '\u001bX';

const [backspace, newline, carriageReturn, escape, del] = [0x08, 0x0a, 0x0d, 0x1b, 0x7f];
const [zero, styleEnd] = [0x30, 0x6d];
/** `[`, its 8-bit form, `_`. */
const [openBracket, eightBitControl, underscore] = [0x5b, 0x9b, 0x5f];
/** `ESC _bk;t=`, and with it thirteen digits. */
const [stampStart, stampLength] = [7, 20];
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

export class Scanner {
  readonly #told: Told;
  /** A sequence that has begun and not ended. */
  #open = '';

  constructor(told: Told) {
    this.#told = told;
  }

  /** Whether what comes belongs to a string that is passed over. */
  get isWithinString(): boolean {
    return this.#open === swallowed;
  }

  feed(text: string): void {
    const all = this.#open === '' ? text : this.#open + text;
    this.#open = '';
    let at = 0;
    while (at < all.length) {
      const end = endOfPlain(all, at);
      if (end > at) this.#told.print(all.slice(at, end));
      if (end === all.length) return;
      const next = this.#control(all, end);
      if (next === null) {
        this.#open = all.length - end > longestString ? swallowed : all.slice(end);
        return;
      }
      at = next;
    }
  }

  /** What was begun is forgotten; a string that is passed over goes on being so. */
  cut(): void {
    if (!this.isWithinString) this.#open = '';
  }

  /** @returns where what follows begins; null when the sequence has not ended yet */
  #control(text: string, at: number): number | null {
    const code = text.charCodeAt(at);
    if (code === escape) return this.#sequence(text, at);
    if (code === newline) this.#told.newline();
    else if (code === carriageReturn) {
      // Before a line's end it changes nothing, and there it nearly always is.
      if (text.charCodeAt(at + 1) === newline) {
        this.#told.newline();
        return at + 2;
      }
      this.#told.overwriting();
      this.#told.carriageReturn();
    } else if (code === backspace) {
      this.#told.overwriting();
      this.#told.backspace();
    } else if (code >= 0x80) {
      this.#told.overwriting();
      if (code >= 0x90 && code !== 0x9c) return this.#sequence(text, at);
    }
    return at + 1;
  }

  #sequence(text: string, at: number): number | null {
    const isEscape = text.charCodeAt(at) === escape;
    const second = text.charCodeAt(isEscape ? at + 1 : at);
    if (second === openBracket || second === eightBitControl) return this.#controlSequence(text, at);
    // The time that each line begins with, as it nearly always is.
    if (second === underscore && text.charCodeAt(at + stampLength) === 0x07 && text.startsWith('bk;t=', at + 2)) {
      const time = numberIn(text, at + stampStart, at + stampLength);
      if (time !== null) {
        this.#told.time(time);
        return at + stampLength + 1;
      }
    }
    if (Number.isNaN(second)) return null;
    const kind = stringKinds.get(second);
    if (kind !== undefined) return this.#string(text, at + (isEscape ? 2 : 1), kind);
    otherSequence.lastIndex = at;
    const [all = '', between = '', final] = otherSequence.exec(text) ?? [];
    if (all === '') return at + 1;
    if (final === undefined) return isCutShort(text, at, all) ? null : at + all.length;
    if (between === '') {
      this.#told.overwriting();
      this.#told.escape(final);
    }
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
      if (kind === 'application') this.#mean(readApplicationCommand(content));
      if (kind === 'system') {
        if (content.startsWith('133')) this.#told.overwriting();
        this.#mean(readSystemCommand(content));
      }
    }
    return end + (text.charCodeAt(end) === escape ? 2 : 1);
  }

  #mean(meaning: Meaning): void {
    if (meaning !== null) this.#told.meaning(meaning);
  }

  #controlSequence(text: string, at: number): number | null {
    const from = at + (text.charCodeAt(at) === escape ? 2 : 1);
    const plain = plainStyle(text, from);
    if (plain !== null) {
      this.#told.style(plain);
      return text.charCodeAt(from + 1) === styleEnd ? from + 2 : from + 3;
    }
    let end = from;
    while (isWithin(text.charCodeAt(end), 0x30, 0x3f)) end += 1;
    const parametersEnd = end;
    while (isWithin(text.charCodeAt(end), 0x20, 0x2f)) end += 1;
    if (!isWithin(text.charCodeAt(end), 0x40, 0x7e))
      return end === text.length && end - at < longestSequence ? null : end;
    const isPrivate = isWithin(text.charCodeAt(from), 0x3c, 0x3f);
    if (end === parametersEnd && !isPrivate) {
      if (text.charCodeAt(end) !== styleEnd) this.#told.overwriting();
      this.#told.command(text.charAt(end), text.slice(from, parametersEnd));
    }
    return end + 1;
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

/** @returns null where anything but digits stands there */
function numberIn(text: string, from: number, to: number): number | null {
  let number = 0;
  for (let at = from; at < to; at += 1) {
    const digit = text.charCodeAt(at) - zero;
    if (!(digit >= 0 && digit <= 9)) return null;
    number = number * 10 + digit;
  }
  return number;
}

/** One number of one or two digits and an `m`: most of what a log has. @returns null for anything else */
function plainStyle(text: string, from: number): number | null {
  if (text.charCodeAt(from + 1) === styleEnd) return numberIn(text, from, from + 1);
  return text.charCodeAt(from + 2) === styleEnd ? numberIn(text, from, from + 2) : null;
}

/** False also for the NaN behind a text's end. */
function isWithin(code: number, from: number, to: number): boolean {
  return code >= from && code <= to;
}

function isCutShort(text: string, at: number, sequence: string): boolean {
  return at + sequence.length === text.length && sequence.length < longestSequence;
}
