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
  /** `CSI`, parameters as they stand, and what ends it. */
  command(final: string, parameters: string): void;
  meaning(meaning: Exclude<Meaning, null>): void;
}

/** Longer strings than this are no picture that is shown; longer control sequences have no meaning. */
const longestString = 400_000;
const longestSequence = 256;
/** Begins a string that means nothing: stands for one that is too long to be kept until its end. */
export const swallowed = '\u001bX';

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
    if (code === newline) this.#told.newline();
    else if (code === carriageReturn) this.#told.carriageReturn();
    else if (code === backspace) this.#told.backspace();
    else if (code === escape || (code >= 0x90 && code !== 0x9c && code <= 0x9f)) return this.#sequence(text, at);
    return at + 1;
  }

  #sequence(text: string, at: number): number | null {
    const isEscape = text.charCodeAt(at) === escape;
    const second = text.charCodeAt(isEscape ? at + 1 : at);
    if (second === openBracket || second === eightBitControl) return this.#controlSequence(text, at);
    // The time that each line begins with, as it nearly always is.
    if (second === underscore && text.charCodeAt(at + stampLength) === 0x07 && text.startsWith('bk;t=', at + 2)) {
      this.#mean(readApplicationCommand(text.slice(at + 2, at + stampLength)));
      return at + stampLength + 1;
    }
    if (Number.isNaN(second)) return null;
    const kind = stringKinds.get(second);
    if (kind !== undefined) return this.#string(text, at + (isEscape ? 2 : 1), kind);
    otherSequence.lastIndex = at;
    const [all = '', between = '', final] = otherSequence.exec(text) ?? [];
    if (all === '') return at + 1;
    if (final === undefined) return isCutShort(text, at, all) ? null : at + all.length;
    if (between === '') this.#told.escape(final);
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
      if (kind === 'system') this.#mean(readSystemCommand(content));
    }
    return end + (text.charCodeAt(end) === escape ? 2 : 1);
  }

  #mean(meaning: Meaning): void {
    if (meaning !== null) this.#told.meaning(meaning);
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
    if (end === parametersEnd && !isPrivate) this.#told.command(text.charAt(end), text.slice(from, parametersEnd));
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

/** False also for the NaN behind a text's end. */
function isWithin(code: number, from: number, to: number): boolean {
  return code >= from && code <= to;
}

function isCutShort(text: string, at: number, sequence: string): boolean {
  return at + sequence.length === text.length && sequence.length < longestSequence;
}
