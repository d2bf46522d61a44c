/**
 * An object as one stream, in ranges at once, or by the way that is found to be faster. One connection to S3 has a ceiling,
 * which several do not share; a store in the same room has none, and there ranges only cost.
 */
import { addAbortSignal, type Readable } from 'node:stream';
import { MirrorError } from '../errors.ts';
import type { Part, Range } from './bucket-client.ts';
import { deliver, type Sink } from './sink.ts';

export interface Transfer {
  readonly get: (range: Range, signal: AbortSignal) => Promise<Part>;
  readonly sink: Sink;
  /** Of the whole object; what the sink has of it is not asked for. */
  readonly size: number;
  readonly signal: AbortSignal;
}

/** Bytes a millisecond of one stream, and whether ranges at once are faster than that. */
export interface Finding {
  readonly inRanges: boolean;
  readonly pace: number;
}

const mib = 1024 * 1024;
/** Ranges of so many bytes, so many at once: those that are ahead wait in memory for their turn. */
const partBytes = 8 * mib;
const partsAtOnce = 4;
/** One stream is measured when it has come into its stride, for so long and so far; then ranges beside it, for so long at least. */
const [strideBytes, aloneMs, aloneBytes, besideMs] = [2 * mib, 250, 4 * mib, 500];
/** Ranges are worth it when all together are so many times as fast as one stream, and given up when so many bytes of them were not. */
const worthIt = 1.5;
const stillWorthIt = 1.1;
const doubtBytes = 64 * mib;

/** As one answer, from where the sink stands. @param end asked after each chunk: where it ends, if not at the object's end */
export async function takeStream({ get, sink, size, signal }: Transfer, end: () => number = () => size): Promise<void> {
  const { body } = await get({ start: sink.received, end: null }, signal);
  for await (const chunk of chunksOf(body, signal)) {
    const until = end();
    const isLast = until < size && sink.received + chunk.length >= until;
    await deliver(isLast ? chunk.subarray(0, until - sink.received) : chunk, sink, size);
    if (isLast) return;
  }
}

/**
 * Some ranges at once.
 * @param pace what one stream does (bytes a ms); null: never mind
 * @returns false where they turned out to be slower: the sink may stand before the object's end then
 */
export async function takeRanges({ get, sink, size, signal }: Transfer, pace: number | null): Promise<boolean> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const ahead: Promise<Buffer[]>[] = [];
  let next = sink.received;
  let doubt = { at: performance.now(), from: sink.received };
  let last = size;
  try {
    while (next < last || ahead.length > 0) {
      while (next < last && ahead.length < partsAtOnce) {
        const end = Math.min(next + partBytes, last);
        ahead.push(takePart(get, { start: next, end }, either));
        next = end;
      }
      for (const chunk of (await ahead.shift()) ?? []) await deliver(chunk, sink, size);
      const bytes = sink.received - doubt.from;
      if (pace === null || bytes < doubtBytes) continue;
      // What is on its way comes in; no more is asked for.
      if (bytes / (performance.now() - doubt.at) < pace * stillWorthIt) last = next;
      doubt = { at: performance.now(), from: sink.received };
    }
  } finally {
    stop.abort();
  }
  return last === size;
}

/**
 * Begins as one stream. Once it is known what that does, ranges beyond it are opened beside it, and it ends where they
 * begin: nothing is fetched twice.
 * @returns null where the object came to its end before it was known
 */
export async function takeAndFindOut(transfer: Transfer): Promise<Finding | null> {
  const { get, sink, size, signal } = transfer;
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const begun = sink.received;
  const state = { alone: { at: 0, from: 0 }, pace: 0, end: size, beside: null as Beside | null };
  const look = (): number => {
    if (state.pace > 0) return state.end;
    if (sink.received - begun < strideBytes) state.alone = { at: performance.now(), from: sink.received };
    const [ms, bytes] = [performance.now() - state.alone.at, sink.received - state.alone.from];
    if (ms < aloneMs || bytes < aloneBytes) return state.end;
    state.pace = bytes / ms;
    const from = sink.received + Math.ceil(Math.max(partBytes, state.pace * besideMs));
    if (from + (partsAtOnce - 1) * partBytes > size) return state.end;
    state.end = from;
    state.beside = openBeside(get, from, () => sink.received, either);
    return from;
  };
  try {
    await takeStream(transfer, look);
    if (state.beside === null) return null;
    const inRanges = state.beside.pace() > state.pace * worthIt;
    for (const part of state.beside.parts) for (const chunk of await part) await deliver(chunk, sink, size);
    return { inRanges, pace: state.pace };
  } finally {
    stop.abort();
  }
}

interface Beside {
  readonly parts: readonly Promise<Buffer[]>[];
  /** Of the ranges and the stream together, from the ranges' first byte to their last, or to now. */
  pace(): number;
}

function openBeside(get: Transfer['get'], from: number, streamed: () => number, signal: AbortSignal): Beside {
  let first: { at: number; streamed: number } | null = null;
  let last: { at: number; streamed: number } | null = null;
  let bytes = 0;
  const note = (length: number): void => {
    first ??= { at: performance.now(), streamed: streamed() };
    bytes += length;
    if (bytes === (partsAtOnce - 1) * partBytes) last = { at: performance.now(), streamed: streamed() };
  };
  const parts = Array.from({ length: partsAtOnce - 1 }, (_, index) => {
    const start = from + index * partBytes;
    return takePart(get, { start, end: start + partBytes }, signal, note);
  });
  return {
    parts,
    pace: () => {
      if (first === null) return 0;
      const until = last ?? { at: performance.now(), streamed: streamed() };
      return (bytes + until.streamed - first.streamed) / (until.at - first.at);
    },
  };
}

/** Its failure is met when its turn comes; until then it is nobody's. */
function takePart(
  get: Transfer['get'],
  range: { readonly start: number; readonly end: number },
  signal: AbortSignal,
  onBytes?: (length: number) => void,
): Promise<Buffer[]> {
  const taken = readPart(get, range, signal, onBytes);
  taken.catch(() => undefined);
  return taken;
}

async function readPart(
  get: Transfer['get'],
  { start, end }: { readonly start: number; readonly end: number },
  signal: AbortSignal,
  onBytes?: (length: number) => void,
): Promise<Buffer[]> {
  const { body } = await get({ start, end }, signal);
  const chunks: Buffer[] = [];
  let received = 0;
  for await (const chunk of chunksOf(body, signal)) {
    received += chunk.length;
    if (received > end - start) break;
    chunks.push(chunk);
    onBytes?.(chunk.length);
  }
  if (received === end - start) return chunks;
  throw new MirrorError('ERR_BLOB_MISMATCH', 'the bucket answered another range than it was asked for');
}

/** Ends with an error where the answer breaks off, and where the signal says so. */
function chunksOf(body: Readable, signal: AbortSignal): AsyncIterable<Buffer> {
  return addAbortSignal(signal, body);
}
