/** Lays out Markdown and JSON beside the event loop: half a megabyte may take seconds, and be made to take minutes. */
import { MirrorError } from '../errors.ts';
import { createThreads } from '../threads.ts';
import { type Html, raw } from './html.ts';

export type MarkupKind = 'markdown' | 'json';

export interface MarkupQuestion {
  readonly kind: MarkupKind;
  readonly text: string;
}

/** Why there is no markup: it takes more time, memory or room than a page may have, or the text is nothing of that kind. */
export type Unfit = 'costly' | 'unreadable';

export type MarkupAnswer = { readonly markup: string } | { readonly unfit: Unfit };

export interface MarkupRenderer {
  /** @throws MirrorError ERR_READER_BUSY */
  render(kind: MarkupKind, text: string): Promise<Html | Unfit>;
  close(): Promise<void>;
}

const limits = { threads: 2, mostWaiting: 16, memory: 256 };
const patienceMs = 5000;

export function createMarkupRenderer(ms = patienceMs): MarkupRenderer {
  const module = new URL('./markup-thread.ts', import.meta.url);
  const threads = createThreads<MarkupQuestion, MarkupAnswer>(module, limits);
  return {
    render: async (kind, text) => {
      try {
        const answer = await threads.ask({ kind, text }, ms);
        return 'markup' in answer ? raw(answer.markup) : answer.unfit;
      } catch (thrown) {
        if (thrown instanceof MirrorError && thrown.code === 'ERR_TREE_UNREADABLE') return 'costly';
        throw thrown;
      }
    },
    close: () => threads.close(),
  };
}
