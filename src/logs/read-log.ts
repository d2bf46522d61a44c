/** Parts of a log by their lines, with the help of its index. */
import { withRanges } from '../tree/files.ts';
import { chunkOf, endOfChunk, linesOfChunk } from './chunks.ts';
import type { LogIndex } from './index-format.ts';
import type { Line } from './line-html.ts';

/** How much of a log is read at once. */
export interface PartBounds {
  readonly count: number;
  readonly bytes: number;
}

/**
 * Lines from `from` (from 1), as many as `count`; fewer where the log ends, or where they would take more than `bytes` of it.
 * @throws what the disk does
 */
export async function readLines(
  file: string,
  index: LogIndex,
  { from, count, bytes }: PartBounds & { readonly from: number },
): Promise<Line[]> {
  return withRanges(file, async (read) => {
    const found: Line[] = [];
    let taken = 0;
    for (let chunk = chunkOf(index, from); chunk < index.offsets.length && found.length < count; chunk += 1) {
      const [start, end] = [index.offsets[chunk] ?? 0, endOfChunk(index, chunk)];
      taken += end - start;
      if (taken > bytes && found.length > 0) break;
      const lines = linesOfChunk(index, chunk, await read(start, end));
      const first = Math.max(0, from - 1 - (index.before[chunk] ?? 0));
      for (const line of lines.slice(first, first + count - found.length)) found.push(line);
    }
    return found;
  });
}

/** What is above a line tells what it is about. */
const linesAbove = [1000, 20];

/** Where a part that has `line` begins: with the log if it reaches as far from there, else with as many lines above as it has room for. */
export function beginningFor(index: LogIndex, line: number, { count, bytes }: PartBounds): number {
  const end = endOfChunk(index, chunkOf(index, line));
  const reaches = (from: number): boolean =>
    from > 0 && line - from < count && end - (index.offsets[chunkOf(index, from)] ?? 0) <= bytes;
  return [1, ...linesAbove.map((above) => line - above)].find(reaches) ?? line;
}
