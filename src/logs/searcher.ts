/** Searches logs beside the event loop: a few threads, a short queue, a bound on each question's time. */
import { Worker } from 'node:worker_threads';
import { MirrorError } from '../errors.ts';
import type { LogIndex } from './index-format.ts';
import type { FoundMatches, SearchBounds } from './search-log.ts';

export interface Question {
  readonly file: string;
  readonly index: LogIndex;
  readonly query: string;
  readonly bounds: SearchBounds;
}

export interface Searcher {
  /** @throws MirrorError ERR_BUSY where too many wait already, ERR_TREE_UNREADABLE where the log cannot be read */
  search(question: Question): Promise<FoundMatches>;
  close(): Promise<void>;
}

interface Waiting {
  readonly question: Question;
  readonly done: (found: FoundMatches) => void;
  readonly failed: (error: MirrorError) => void;
}

const threads = 2;
const mostWaiting = 8;
/** A question that takes so much longer than it may has met a fault; its thread is given up. */
const graceMs = 10_000;

type Answer = { readonly found: FoundMatches } | { readonly fault: string };

export function createSearcher(): Searcher {
  const idle: Worker[] = [];
  const all = new Set<Worker>();
  const waiting: Waiting[] = [];

  const begin = (): void => {
    const next = waiting[0];
    const thread = idle.pop() ?? (all.size < threads ? start() : undefined);
    if (thread === undefined) return;
    if (next === undefined) {
      idle.push(thread);
      return;
    }
    waiting.shift();
    ask(thread, next);
  };
  const start = (): Worker => {
    const thread = new Worker(new URL('./search-thread.ts', import.meta.url));
    thread.unref();
    all.add(thread);
    return thread;
  };
  const ask = (thread: Worker, { question, done, failed }: Waiting): void => {
    const end = (isUsable: boolean): void => {
      clearTimeout(timer);
      thread.removeAllListeners('message').removeAllListeners('error');
      if (isUsable) idle.push(thread);
      else {
        all.delete(thread);
        void thread.terminate();
      }
      if (waiting.length > 0) begin();
    };
    const unreadable = (why: string): void =>
      failed(new MirrorError('ERR_TREE_UNREADABLE', `the log cannot be searched: ${why}`));
    const timer = setTimeout(() => {
      end(false);
      unreadable('it took too long');
    }, question.bounds.ms + graceMs);
    thread.once('message', (answer: Answer) => {
      end(true);
      if ('found' in answer) done(answer.found);
      else unreadable(answer.fault);
    });
    thread.once('error', (error) => {
      end(false);
      unreadable(error instanceof Error ? error.message : String(error));
    });
    thread.postMessage(question);
  };

  return {
    search: (question) =>
      new Promise((done, failed) => {
        if (waiting.length >= mostWaiting) {
          failed(new MirrorError('ERR_BUSY', 'too many searches run now; try again in some seconds'));
          return;
        }
        waiting.push({ question, done, failed });
        begin();
      }),
    close: async () => {
      await Promise.all(Array.from(all, (thread) => thread.terminate()));
    },
  };
}
