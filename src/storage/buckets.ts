/**
 * Objects of private buckets into a sink, by the AWS SDK and the credentials that it finds for itself. No Buildkite
 * token ever comes here. What broke off is resumed by ranges of the same object (its ETag); large ones come in several
 * ranges at once.
 */
import { addAbortSignal, type Readable } from 'node:stream';
import { MirrorError } from '../errors.ts';
import type { Log } from '../log.ts';
import { persist } from './attempts.ts';
import type { BucketObject } from './bucket-address.ts';
import type { GetPart, Part, Range } from './bucket-client.ts';
import { type BucketOutcome, explain, hasChanged } from './bucket-errors.ts';
import { deliver, type Sink, tooLong } from './sink.ts';

export interface BucketsOptions {
  readonly getPart: GetPart;
  readonly log: Log;
  /** Each try of an object. */
  readonly onRead: (outcome: BucketOutcome) => void;
}

/** @throws MirrorError ERR_BUCKET_DENIED, ERR_BUCKET_GONE, ERR_UPSTREAM_UNAVAILABLE, ERR_BLOB_MISMATCH */
export type ReadObject = (object: BucketObject, sink: Sink, size: number, signal: AbortSignal) => Promise<void>;

/** From this size on an object comes in ranges, so many bytes each, so many at once: see docs/decisions.md. */
const parallelFrom = 32 * 1024 * 1024;
const partBytes = 8 * 1024 * 1024;
const partsAtOnce = 4;
/** Ranges that are ahead wait in memory: more objects at once than this come as one stream each. */
const parallelObjects = 2;
/** What goes on being denied is said once in this while. */
const warnMs = 3_600_000;

/** A bucket that refused for what concerns all of its objects is not asked for the next one before. */
const refusedMs = 5000;

export function createReadObject({ getPart, log, onRead }: BucketsOptions): ReadObject {
  const warnedAt = new Map<string, number>();
  const refusals = new Map<string, { readonly until: number; readonly error: MirrorError }>();
  let parallel = 0;

  function report(thrown: unknown, object: BucketObject): MirrorError {
    const { outcome, error, isForOperators, isOfBucket } = explain(thrown, object);
    if (isOfBucket) refusals.set(object.bucket, { until: Date.now() + refusedMs, error });
    if (outcome !== null) onRead(outcome);
    const subject = `${object.bucket}/${outcome}`;
    if (isForOperators && Date.now() - (warnedAt.get(subject) ?? 0) >= warnMs) {
      warnedAt.set(subject, Date.now());
      log.warn({ ...error.details, outcome, code: error.code, error: error.message }, 'a bucket cannot be read');
    }
    return error;
  }

  return async (object, sink, size, signal) => {
    const refusal = refusals.get(object.bucket);
    if (refusal !== undefined && Date.now() < refusal.until) throw refusal.error;
    let etag: string | undefined;
    const get = async (range: Range, until: AbortSignal): Promise<Part> => {
      const part = await getPart(object, range, etag, until);
      etag ??= part.etag;
      if (part.size === undefined || part.size === size) return part;
      part.body.destroy();
      throw part.size > size ? tooLong(size) : tooShort(part.size, size);
    };
    const transfer = async (): Promise<void> => {
      const inParts = size - sink.received >= parallelFrom && parallel < parallelObjects;
      if (inParts) parallel += 1;
      try {
        await (inParts ? takeParts(get, sink, size, signal) : takeStream(get, sink, size, signal));
      } catch (thrown) {
        signal.throwIfAborted();
        if (!hasChanged(thrown)) throw report(thrown, object);
        sink.restart();
        etag = undefined;
        throw report(new MirrorError('ERR_UPSTREAM_UNAVAILABLE', 'the object was replaced meanwhile'), object);
      } finally {
        if (inParts) parallel -= 1;
      }
      refusals.delete(object.bucket);
      onRead('ok');
    };
    await persist(() => sink.received, transfer, signal);
  };
}

type Get = (range: Range, signal: AbortSignal) => Promise<Part>;

/** As one answer, from where the sink stands. */
async function takeStream(get: Get, sink: Sink, size: number, signal: AbortSignal): Promise<void> {
  const { body } = await get({ start: sink.received, end: null }, signal);
  for await (const chunk of chunksOf(body, signal)) {
    await deliver(chunk, sink, size);
  }
}

/** Some ranges at once; those that are ahead wait in memory for their turn. */
async function takeParts(get: Get, sink: Sink, size: number, signal: AbortSignal): Promise<void> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const ahead: Promise<Buffer[]>[] = [];
  let next = sink.received;
  try {
    while (next < size || ahead.length > 0) {
      while (next < size && ahead.length < partsAtOnce) {
        const end = Math.min(next + partBytes, size);
        const part = takePart(get, { start: next, end }, either);
        // Its failure is met when its turn comes; until then it is nobody's.
        part.catch(() => undefined);
        ahead.push(part);
        next = end;
      }
      for (const chunk of (await ahead.shift()) ?? []) await deliver(chunk, sink, size);
    }
  } finally {
    stop.abort();
  }
}

async function takePart(get: Get, { start, end }: { start: number; end: number }, signal: AbortSignal) {
  const { body } = await get({ start, end }, signal);
  const chunks: Buffer[] = [];
  let received = 0;
  for await (const chunk of chunksOf(body, signal)) {
    received += chunk.length;
    if (received > end - start) break;
    chunks.push(chunk);
  }
  if (received === end - start) return chunks;
  throw new MirrorError('ERR_BLOB_MISMATCH', 'the bucket answered another range than it was asked for');
}

/** Ends with an error where the answer breaks off, and where the signal says so. */
function chunksOf(body: Readable, signal: AbortSignal): AsyncIterable<Buffer> {
  return addAbortSignal(signal, body);
}

function tooShort(found: number, size: number): MirrorError {
  return new MirrorError('ERR_BLOB_MISMATCH', `upstream states ${size} bytes, and the bucket has ${found}`);
}
