/** The thread that looks through logs: one question after the other, one answer for each. */
import { parentPort } from 'node:worker_threads';
import { withRanges } from '../tree/files.ts';
import { searchLog } from './search-log.ts';
import type { Question } from './searcher.ts';

parentPort?.on('message', ({ file, index, query, bounds }: Question) => {
  withRanges(file, (read) => searchLog(read, index, query, bounds)).then(
    (found) => parentPort?.postMessage({ found }),
    (fault: unknown) => parentPort?.postMessage({ fault: fault instanceof Error ? fault.message : String(fault) }),
  );
});
