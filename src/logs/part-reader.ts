/** Lays out parts of logs beside the event loop: a part may be megabytes. */
import { createThreads } from '../threads.ts';
import type { LogPart, PartQuestion } from './log-part.ts';

export interface PartReader {
  /**
   * @throws MirrorError ERR_READER_BUSY where too many wait already, ERR_TREE_UNREADABLE where the log cannot be read or its
   * part takes too long
   */
  read(question: PartQuestion): Promise<LogPart>;
  close(): Promise<void>;
}

const limits = { threads: 2, mostWaiting: 16, memory: 512 };
const patienceMs = 10_000;

export function createPartReader(): PartReader {
  const threads = createThreads<PartQuestion, LogPart>(new URL('./part-thread.ts', import.meta.url), limits);
  return { read: (question) => threads.ask(question, patienceMs), close: () => threads.close() };
}
