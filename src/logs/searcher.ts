/** Searches logs beside the event loop. */
import { createThreads } from '../threads.ts';
import type { LogIndex } from './index-format.ts';
import type { FoundMatches, SearchBounds } from './search-log.ts';

export interface Question {
  readonly file: string;
  readonly index: LogIndex;
  readonly query: string;
  readonly bounds: SearchBounds;
}

export interface Searcher {
  /** @throws MirrorError ERR_READER_BUSY where too many wait already, ERR_TREE_UNREADABLE where the log cannot be read */
  search(question: Question): Promise<FoundMatches>;
  close(): Promise<void>;
}

const limits = { threads: 2, mostWaiting: 8, memory: 512 };
/** A question that takes so much longer than it may has met a fault; its thread is given up. */
const graceMs = 10_000;

export function createSearcher(): Searcher {
  const threads = createThreads<Question, FoundMatches>(new URL('./search-thread.ts', import.meta.url), limits);
  return {
    search: (question) => threads.ask(question, question.bounds.ms + graceMs),
    close: () => threads.close(),
  };
}
