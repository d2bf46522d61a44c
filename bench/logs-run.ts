/**
 * Process: indexes a log as the worker does, and then reads its last part as the gateway does. Its argument is the log; it sends
 * what that took.
 */
import { statSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { LogIndex } from '../src/logs/index-format.ts';
import { indexLog } from '../src/logs/index-log.ts';
import { createPartReader } from '../src/logs/part-reader.ts';
import { linesPerPart } from '../src/pages/log.ts';
import { peakBytes } from './process.ts';

export interface LogRun {
  readonly lines: number;
  readonly seconds: number;
  readonly indexBytes: number;
  readonly peakBytes: number;
  /** Each: the index is read from its file, and the part laid out. */
  readonly partMs: readonly number[];
}

const reads = 5;
const [, , file = ''] = process.argv;
const indexFile = `${file}.index`;

const startedAt = performance.now();
const { index } = await indexLog(file, statSync(file).size);
await writeFile(indexFile, JSON.stringify(index));
const seconds = (performance.now() - startedAt) / 1000;
const peak = peakBytes(process.pid);

const parts = createPartReader();
const partMs: number[] = [];
for (let read = 0; read < reads; read += 1) {
  const askedAt = performance.now();
  const known = LogIndex.parse(JSON.parse(await readFile(indexFile, 'utf8')));
  const from = known.lines - linesPerPart + 1;
  await parts.read({ file, index: known, from, count: linesPerPart, bytes: 8 * 1024 * 1024 });
  partMs.push(performance.now() - askedAt);
}
await parts.close();

const run: LogRun = { lines: index.lines, seconds, indexBytes: statSync(indexFile).size, peakBytes: peak, partMs };
process.send?.(run, () => process.disconnect());
