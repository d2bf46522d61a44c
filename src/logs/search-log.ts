/**
 * Looks through a log for a text, a piece of it at a time. Letters count as the same whether they are small or capital. What is
 * looked through is what a line shows, so colours and times between two letters do not hide a word. Most chunks are passed over by
 * their bytes without the sequences in them; only one that may hold the text is printed on a terminal.
 */
import type { ReadRange } from '../tree/files.ts';
import { chunkOf, endOfChunk, linesOfChunk } from './chunks.ts';
import type { LogIndex } from './index-format.ts';
import { textOf } from './line-html.ts';

export interface LogMatch {
  /** From 1. */
  readonly line: number;
  readonly text: string;
  /** The lines around it, as far as they are in the same chunk. */
  readonly before: readonly string[];
  readonly after: readonly string[];
}

export interface SearchBounds {
  /** The first line to look at, from 1. */
  readonly from: number;
  readonly matches: number;
  readonly ms: number;
}

export interface FoundMatches {
  readonly matches: readonly LogMatch[];
  /** The line to go on from; null: all of the log was looked through. */
  readonly next: number | null;
  /** Of the whole log. */
  readonly lines: number;
}

export const longestQuery = 200;
const contextLines = 2;
/** More of a line is not told; a match in it is in the middle of what is. */
const longestText = 400;

export async function searchLog(
  read: ReadRange,
  index: LogIndex,
  query: string,
  bounds: SearchBounds,
): Promise<FoundMatches> {
  const wanted = query.toLowerCase();
  const rewritten = new Set(index.rewritten);
  const until = performance.now() + bounds.ms;
  const matches: LogMatch[] = [];
  const first = chunkOf(index, bounds.from);
  for (let chunk = first; chunk < index.offsets.length; chunk += 1) {
    const before = index.before[chunk] ?? 0;
    if (chunk > first && performance.now() > until) return { matches, next: before + 1, lines: index.lines };
    const bytes = await read(index.offsets[chunk] ?? 0, endOfChunk(index, chunk));
    if (!rewritten.has(chunk) && !mayHold(bytes, wanted)) continue;
    const texts = linesOfChunk(index, chunk, bytes).map(({ runs }) => textOf(runs));
    for (const [at, text] of texts.entries()) {
      const line = before + at + 1;
      const found = line < bounds.from ? -1 : text.toLowerCase().indexOf(wanted);
      if (found === -1) continue;
      if (matches.length >= bounds.matches) return { matches, next: line, lines: index.lines };
      matches.push({
        line,
        text: shortened(text, found),
        before: texts.slice(Math.max(0, at - contextLines), at).map((each) => shortened(each, 0)),
        after: texts.slice(at + 1, at + 1 + contextLines).map((each) => shortened(each, 0)),
      });
    }
  }
  return { matches, next: null, lines: index.lines };
}

const sequences =
  /\u001b\[[0-?]*[ -/]*[@-~]|\u001b[\]_P^X][^\u0007\u001b\n]*(?:\u0007|\u001b\\)?|\u001b[ -/]*[0-~]|[\u0000-\u0008\u000b-\u001f\u007f]/g;

function mayHold(bytes: Buffer, wanted: string): boolean {
  const text = bytes.toString('utf8').toLowerCase();
  return text.includes(wanted) || text.replaceAll(sequences, '').includes(wanted);
}

function shortened(text: string, found: number): string {
  if (text.length <= longestText) return text;
  const from = Math.max(0, found - longestText / 4);
  const part = text.slice(from, from + longestText).toWellFormed();
  return `${from > 0 ? '…' : ''}${part}${from + longestText < text.length ? '…' : ''}`;
}
