/** Makes the index of a log, and the HTML of its first lines: a large log's in a thread of its own. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { readBytes } from '../tree/files.ts';
import { createIndexer } from './build-index.ts';
import { foldedHtml } from './folding.ts';
import type { LogIndex } from './index-format.ts';
import { lineHtml } from './line-html.ts';

/** The module that the page runs, below src/. */
export const logScriptEntry = 'logs/browser/viewer.ts';

export interface IndexedLog {
  readonly index: LogIndex;
  /** HTML of the first lines; all of them where `isWhole`. */
  readonly lines: string;
  readonly shown: number;
  readonly isWhole: boolean;
}

/** A page has so much of a log in it; of one that has more, the beginning. */
const wholeLines = 5000;
const wholeBytes = 1024 * 1024;
const beginningLines = 400;
/** Takes some milliseconds here; a thread takes more than that to begin. */
const threadFrom = 512 * 1024;

/** @param size of the file */
export async function indexLog(file: string, size: number): Promise<IndexedLog> {
  if (size < threadFrom) return indexLogHere(file);
  const thread = new Worker(new URL('./index-thread.ts', import.meta.url), { workerData: { file } });
  const [indexed] = (await once(thread, 'message')) as [IndexedLog];
  return indexed;
}

/** In this thread, whatever the log's size. */
export async function indexLogHere(file: string): Promise<IndexedLog> {
  const lines: string[] = [];
  let bytes = 0;
  const indexer = createIndexer((line, number) => {
    if (number > wholeLines || bytes > 4 * wholeBytes) return;
    const html = lineHtml(line, number);
    bytes += html.length;
    lines.push(html);
  });
  for await (const chunk of readBytes(file)) indexer.write(chunk);
  const index = indexer.finish();
  const isWhole = index.size <= wholeBytes && index.lines === lines.length;
  const shown = isWhole ? lines : lines.slice(0, beginningLines);
  return { index, lines: foldedHtml(shown, 1, index), shown: shown.length, isWhole };
}
