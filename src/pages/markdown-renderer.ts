/** Lays out Markdown beside the event loop: half a megabyte of it may take seconds, and be made to take minutes. */
import { MirrorError } from '../errors.ts';
import { createThreads } from '../threads.ts';
import { type Html, raw } from './html.ts';

export interface MarkdownRenderer {
  /** @returns null where it takes more time, memory or markup than a page may have @throws MirrorError ERR_READER_BUSY */
  render(text: string): Promise<Html | null>;
  close(): Promise<void>;
}

const limits = { threads: 2, mostWaiting: 16, memory: 256 };
const patienceMs = 5000;

export function createMarkdownRenderer(ms = patienceMs): MarkdownRenderer {
  const module = new URL('./markdown-thread.ts', import.meta.url);
  const threads = createThreads<string, string | null>(module, limits);
  return {
    render: async (text) => {
      try {
        const markup = await threads.ask(text, ms);
        return markup === null ? null : raw(markup);
      } catch (thrown) {
        if (thrown instanceof MirrorError && thrown.code === 'ERR_TREE_UNREADABLE') return null;
        throw thrown;
      }
    },
    close: () => threads.close(),
  };
}
