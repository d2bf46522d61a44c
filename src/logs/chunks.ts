/** The lines of one chunk, by the index. Pure, and shared with the browser. */
import { endOfBlock } from './blocks.ts';
import type { LogIndex } from './index-format.ts';
import type { Line } from './line-html.ts';
import { Terminal } from './terminal.ts';

/** The last chunk that begins at or before a line, from 1. */
export function chunkOf({ before }: Pick<LogIndex, 'before'>, line: number): number {
  let [low, high] = [0, before.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((before[middle] ?? 0) < line) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The lines of one chunk. @param bytes those of the chunk, no more and no less */
export function linesOfChunk(index: LogIndex, chunk: number, bytes: Uint8Array): Line[] {
  const lines: Line[] = [];
  const start = {
    line: index.before[chunk] ?? 0,
    prelude: index.preludes[chunk] ?? '',
    clock: index.clocks[chunk] ?? 0,
  };
  const terminal = new Terminal((row) => lines.push({ runs: row.runs(), time: row.time }), start);
  const decoder = new TextDecoder();
  // By the blocks that it was indexed by: a chunk begins with one.
  let at = 0;
  for (let end = endOfBlock(bytes, at); end !== null; end = endOfBlock(bytes, at)) {
    terminal.feed(decoder.decode(bytes.subarray(at, end)));
    at = end;
  }
  terminal.feed(decoder.decode(bytes.subarray(at)));
  terminal.finish();
  return lines;
}

export function endOfChunk({ offsets, size }: Pick<LogIndex, 'offsets' | 'size'>, chunk: number): number {
  return offsets[chunk + 1] ?? size;
}
