/**
 * Reads a log once and makes its index, in constant memory. A chunk begins where no later cursor move reaches above it, so that
 * a terminal that begins there shows the same lines. Where a log keeps writing over its screen for a megabyte, a chunk begins
 * all the same, and the screen is taken as it is.
 */
import { emojiOf } from '../emoji.ts';
import { splitAtEmoji } from '../emoji-codes.ts';
import { endOfBlock } from './blocks.ts';
import { FailureWatch } from './failure.ts';
import { GroupList, groupKindOf, opensItsGroup } from './groups.ts';
import type { LogIndex } from './index-format.ts';
import { type Line, textOf } from './line-html.ts';
import type { Row } from './row.ts';
import { Terminal } from './terminal.ts';

const newline = 0x0a;
/** A chunk is about so many bytes; more, twice and four times as many, where a log is so large that its index would be. */
const chunkBytes = 128 * 1024;
const mostChunks = 8192;
/** What is decoded at once, and how often a chunk may begin. */
const forcedBytes = 1024 * 1024;
const mostGroups = 5000;
const mostPictures = 1000;
const mostEmoji = 500;

interface Border {
  readonly offset: number;
  readonly before: number;
  readonly prelude: string;
  readonly clock: number;
  readonly forced: boolean;
  /** Whether anything from here to the next border was written over. */
  rewritten: boolean;
}

export interface Indexer {
  /** The bytes that follow; kept until they are whole lines. */
  write(chunk: Uint8Array): void;
  finish(): LogIndex;
}

/** @param onLine sees each line once, in order, with its number from 1 */
export function createIndexer(onLine: (line: Line, number: number) => void = () => undefined): Indexer {
  const groups = new GroupList(mostGroups);
  const failure = new FailureWatch();
  const pictures: number[] = [];
  const emoji = new Map<string, string>();
  const borders: Border[] = [{ offset: 0, before: 0, prelude: '', clock: 0, forced: false, rewritten: false }];
  /** Where a chunk may begin if nothing reaches above it while it is on the screen. */
  let candidates: Border[] = [];
  let spacing = chunkBytes;
  let size = 0;
  let lines = 0;
  let rest: Uint8Array = new Uint8Array(0);
  const times: { from: number | null; to: number | null } = { from: null, to: null };
  let hasDeltas = false;

  const noteEmoji = (name: string): null => {
    const character = emojiOf(name);
    if (character !== null) emoji.set(name, character);
    return null;
  };
  const see = (row: Row): void => {
    const runs = row.runs();
    lines += 1;
    const { time } = row;
    if (time !== null) {
      times.from ??= time;
      times.to = time;
    }
    const text = textOf(runs);
    const kind = groupKindOf(runs);
    if (kind !== null) {
      groups.add(lines, kind, text, time);
      if (emoji.size < mostEmoji) splitAtEmoji(text, noteEmoji);
    } else if (opensItsGroup(runs)) groups.openLast();
    if (runs[0]?.pen.picture != null && pictures.length < mostPictures) pictures.push(lines);
    failure.see(lines, text);
    onLine({ runs, time }, lines);
  };
  const reach = (line: number): void => {
    candidates = candidates.filter(({ before }) => before <= line);
    const last = candidates.at(-1) ?? borders.at(-1);
    if (last !== undefined) last.rewritten = true;
  };
  const terminal = new Terminal(see, {}, reach);

  /** Candidates that left the screen become borders, as far as borders are wanted. */
  const settle = (): void => {
    const { top } = terminal;
    while (candidates[0] !== undefined && candidates[0].before <= top) {
      const [candidate] = candidates.splice(0, 1);
      const last = borders.at(-1);
      if (candidate === undefined || last === undefined) return;
      if (candidate.offset - last.offset >= spacing) borders.push(candidate);
      else last.rewritten ||= candidate.rewritten;
    }
    if (borders.length > mostChunks) thin();
  };
  const thin = (): void => {
    spacing *= 2;
    const kept = borders.splice(0, 1);
    for (const each of borders.splice(0)) {
      const last = kept.at(-1);
      if (last === undefined || each.forced || each.offset - last.offset >= spacing) kept.push(each);
      else last.rewritten ||= each.rewritten;
    }
    borders.push(...kept);
  };
  const border = (forced: boolean): Border => ({
    offset: size,
    before: terminal.line,
    prelude: terminal.prelude,
    clock: terminal.clock,
    forced,
    rewritten: false,
  });
  const take = (block: Uint8Array): void => {
    const text = decode(block);
    hasDeltas ||= text.includes('bk;dt=');
    terminal.feed(text);
    size += block.length;
    const last = candidates.at(-1) ?? borders.at(-1);
    if (terminal.takeOverwritten() && last !== undefined) last.rewritten = true;
    settle();
    const length = size - (borders.at(-1)?.offset ?? 0);
    if (length >= (candidates.length === 0 ? forcedBytes : 2 * forcedBytes)) {
      terminal.cut();
      candidates = [];
      borders.push(border(true));
    } else if (block.at(-1) === newline && terminal.isAtEnd) {
      candidates.push(border(false));
    }
  };

  return {
    write: (chunk) => {
      const bytes = rest.length === 0 ? chunk : joined(rest, chunk);
      let at = 0;
      for (let end = endOfBlock(bytes, at); end !== null; end = endOfBlock(bytes, at)) {
        take(bytes.subarray(at, end));
        at = end;
      }
      rest = bytes.slice(at);
    },
    finish: () => {
      if (rest.length > 0) take(rest);
      terminal.finish();
      settle();
      return {
        version: 1,
        size,
        lines,
        offsets: borders.map(({ offset }) => offset),
        before: borders.map(({ before }) => before),
        preludes: Object.fromEntries(
          borders.flatMap(({ prelude }, at) => (prelude === '' ? [] : [[String(at), prelude]])),
        ),
        clocks: Object.fromEntries(hasDeltas ? borders.map(({ clock }, at) => [String(at), clock]) : []),
        rewritten: borders.flatMap((each, at) => (each.rewritten ? [at] : [])),
        groups: groups.settled(),
        emoji: Object.fromEntries(emoji),
        pictures,
        ...times,
        failure: failure.settled(),
      };
    },
  };
}

const decoder = new TextDecoder();

function decode(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

function joined(left: Uint8Array, right: Uint8Array): Uint8Array {
  const both = new Uint8Array(left.length + right.length);
  both.set(left);
  both.set(right, left.length);
  return both;
}
