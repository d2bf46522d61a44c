/** The lines of a log, read by ranges of its file as they are wanted; the last few chunks are kept. */
import { endOfChunk, linesOfChunk } from '../chunks.ts';
import type { LogIndex } from '../index-format.ts';
import type { Line } from '../line-html.ts';

const keptChunks = 160;
const fetchedAtOnce = 4;

export class ChunkStore {
  readonly #index: LogIndex;
  readonly #url: string;
  readonly #onCome: () => void;
  readonly #onFault: (message: string) => void;
  readonly #kept = new Map<number, Line[]>();
  readonly #coming = new Map<number, AbortController>();
  #wanted: ReadonlySet<number> = new Set();

  constructor(index: LogIndex, url: string, onCome: () => void, onFault: (message: string) => void) {
    this.#index = index;
    this.#url = url;
    this.#onCome = onCome;
    this.#onFault = onFault;
  }

  /** null: not here yet. */
  get(chunk: number): Line[] | null {
    const lines = this.#kept.get(chunk);
    if (lines === undefined) return null;
    this.#kept.delete(chunk);
    this.#kept.set(chunk, lines);
    return lines;
  }

  /** What is wanted now; what is on its way and no longer wanted is given up. */
  want(chunks: ReadonlySet<number>): void {
    this.#wanted = chunks;
    for (const [chunk, controller] of this.#coming) {
      if (chunks.has(chunk)) continue;
      controller.abort();
      this.#coming.delete(chunk);
    }
    for (const chunk of chunks) {
      if (this.#kept.has(chunk) || this.#coming.has(chunk) || this.#coming.size >= fetchedAtOnce) continue;
      const controller = new AbortController();
      this.#coming.set(chunk, controller);
      this.#fetch(chunk, controller).catch((fault: unknown) => {
        if (!controller.signal.aborted) this.#onFault(fault instanceof Error ? fault.message : String(fault));
      });
    }
  }

  async #fetch(chunk: number, controller: AbortController): Promise<void> {
    const { offsets, size } = this.#index;
    const [start, end] = [offsets[chunk] ?? 0, endOfChunk(this.#index, chunk)];
    try {
      const answer = await fetch(this.#url, {
        headers: { range: `bytes=${start}-${end - 1}` },
        signal: controller.signal,
      });
      if (answer.status !== 206 || !(answer.headers.get('content-range') ?? '').endsWith(`/${size}`)) {
        throw new Error('The log has changed since this page was made. Load the page anew.');
      }
      const bytes = new Uint8Array(await answer.arrayBuffer());
      this.#kept.set(chunk, linesOfChunk(this.#index, chunk, bytes));
      for (const oldest of this.#kept.keys()) {
        if (this.#kept.size <= keptChunks) break;
        if (!this.#wanted.has(oldest)) this.#kept.delete(oldest);
      }
    } finally {
      if (this.#coming.get(chunk) === controller) this.#coming.delete(chunk);
    }
    this.#onCome();
  }
}
