/** Parts of a log by their lines, with the help of its index. */
import { withRanges } from '../tree/files.ts';
import { chunkOf, endOfChunk, linesOfChunk } from './chunks.ts';
import type { LogIndex } from './index-format.ts';
import type { Line } from './line-html.ts';

/**
 * Lines from `from` (from 1), as many as `count`; fewer where the log ends, or where they would take more than `bytes` of it.
 * @throws what the disk does
 */
export async function readLines(
  file: string,
  index: LogIndex,
  { from, count, bytes }: { readonly from: number; readonly count: number; readonly bytes: number },
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
