/** The full-text index as the programs use it: asked and told from outside of its thread. */
import { Worker } from 'node:worker_threads';
import { MirrorError } from '../errors.ts';
import type { SearchDocument, SearchPage, SearchQuestion } from './fulltext.ts';

export interface ThreadData {
  readonly file: string;
  readonly readOnly: boolean;
}

type Call =
  | { readonly name: 'put'; readonly document: SearchDocument }
  | { readonly name: 'add'; readonly documents: readonly SearchDocument[] }
  | { readonly name: 'remove'; readonly build: string }
  | { readonly name: 'scrub' }
  | { readonly name: 'missing'; readonly builds: readonly string[] }
  | { readonly name: 'find'; readonly question: SearchQuestion };

export interface Question {
  readonly id: number;
  readonly call: Call;
}

export interface Answer {
  readonly id: number;
  value: unknown;
  fault: string | null;
}

export interface Search {
  /** Replaces what was known of the build. */
  put(document: SearchDocument): Promise<void>;
  /** Those whose builds are not known; many at once are cheaper than one by one. */
  add(documents: readonly SearchDocument[]): Promise<void>;
  remove(build: string): Promise<void>;
  /** Leaves nothing of what was replaced or removed in the file. */
  scrub(): Promise<void>;
  /** Of these builds, by their uuids, those that are not known. */
  missing(builds: readonly string[]): Promise<string[]>;
  /** @throws MirrorError ERR_READER_BUSY when too many wait already */
  find(question: SearchQuestion): Promise<SearchPage>;
  close(): Promise<void>;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

const mostWaiting = 64;

export function openSearch(file: string, { readOnly = false } = {}): Search {
  const workerData: ThreadData = { file, readOnly };
  const waiting = new Map<number, Waiting>();
  // Begun at once: the first question is answered as soon as the others.
  let thread: Worker | null = begin();
  let last = 0;

  /** Again after it broke. */
  function begin(): Worker {
    const started = new Worker(new URL('./thread.ts', import.meta.url), { workerData });
    started.unref();
    started.on('message', ({ id, value, fault }: Answer) => {
      const asked = waiting.get(id);
      waiting.delete(id);
      if (waiting.size === 0) started.unref();
      if (fault === null) asked?.resolve(value);
      else asked?.reject(new Error(`the search index: ${fault}`));
    });
    const end = (error: Error): void => {
      thread = null;
      for (const { reject } of waiting.values()) reject(error);
      waiting.clear();
    };
    started.on('error', end);
    started.on('exit', (code) => end(new Error(`the search thread ended with ${code}`)));
    return started;
  }

  function ask(call: Call): Promise<unknown> {
    thread ??= begin();
    const id = (last += 1);
    thread.ref();
    thread.postMessage({ id, call } satisfies Question);
    return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
  }

  return {
    put: async (document) => void (await ask({ name: 'put', document })),
    add: async (documents) => void (await ask({ name: 'add', documents })),
    remove: async (build) => void (await ask({ name: 'remove', build })),
    scrub: async () => void (await ask({ name: 'scrub' })),
    missing: async (builds) => (await ask({ name: 'missing', builds })) as string[],
    find: async (question) => {
      if (waiting.size >= mostWaiting)
        throw new MirrorError('ERR_READER_BUSY', 'many are searching; try again in a moment');
      return (await ask({ name: 'find', question })) as SearchPage;
    },
    close: async () => void (await thread?.terminate()),
  };
}
