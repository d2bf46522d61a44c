/**
 * Objects of private buckets into a sink, by the AWS SDK and the credentials that it finds for itself. No Buildkite
 * token ever comes here. What broke off is resumed by ranges of the same object (its ETag); large ones come in several
 * ranges at once where that is faster.
 */
import { MirrorError } from '../errors.ts';
import type { Log } from '../log.ts';
import { persist } from './attempts.ts';
import type { BucketObject } from './bucket-address.ts';
import type { GetPart, Part, Range } from './bucket-client.ts';
import { type BucketOutcome, explain, hasChanged } from './bucket-errors.ts';
import { type Finding, type Transfer, takeAndFindOut, takeRanges, takeStream } from './bucket-ranges.ts';
import { type Sink, tooLong } from './sink.ts';

export interface BucketsOptions {
  readonly getPart: GetPart;
  readonly log: Log;
  /** Each try of an object. */
  readonly onRead: (outcome: BucketOutcome) => void;
  /** By which way large objects come; absent: by the one that is found to be faster. */
  readonly way?: 'stream' | 'ranges';
}

/** @throws MirrorError ERR_BUCKET_DENIED, ERR_BUCKET_GONE, ERR_UPSTREAM_UNAVAILABLE, ERR_BLOB_MISMATCH */
export type ReadObject = (object: BucketObject, sink: Sink, size: number, signal: AbortSignal) => Promise<void>;

/** From this size on an object may come in ranges, and for so long what was found of a bucket holds: see docs/decisions.md. */
const parallelFrom = 32 * 1024 * 1024;
const findingMs = 600_000;
/** Ranges that are ahead wait in memory: more objects at once than this come as one stream each. */
const parallelObjects = 2;
/** What goes on being denied is said once in this while. */
const warnMs = 3_600_000;

/** A bucket that refused for what concerns all of its objects is not asked for the next one before. */
const refusedMs = 5000;

export function createReadObject({ getPart, log, onRead, way }: BucketsOptions): ReadObject {
  const warnedAt = new Map<string, number>();
  const refusals = new Map<string, { readonly until: number; readonly error: MirrorError }>();
  const findings = new Map<string, Finding & { readonly until: number }>();
  let parallel = 0;

  /** A large object, by the way that is faster with its bucket: found out with the first one. */
  async function takeLarge(bucket: string, transfer: Transfer): Promise<void> {
    if (way === 'stream') return takeStream(transfer);
    if (way === 'ranges') return void (await takeRanges(transfer, null));
    let finding: Finding | null | undefined = findings.get(bucket);
    if (finding === undefined || Date.now() >= (findings.get(bucket)?.until ?? 0)) {
      finding = await takeAndFindOut(transfer);
      if (finding !== null) findings.set(bucket, { ...finding, until: Date.now() + findingMs });
    }
    if (finding?.inRanges === true && !(await takeRanges(transfer, finding.pace)))
      findings.set(bucket, { ...finding, inRanges: false, until: Date.now() + findingMs });
    if (transfer.sink.received < transfer.size) await takeStream(transfer);
  }

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
      const isLarge = size - sink.received >= parallelFrom && parallel < parallelObjects;
      const transfer = { get, sink, size, signal };
      if (isLarge) parallel += 1;
      try {
        await (isLarge ? takeLarge(object.bucket, transfer) : takeStream(transfer));
      } catch (thrown) {
        signal.throwIfAborted();
        if (!hasChanged(thrown)) throw report(thrown, object);
        sink.restart();
        etag = undefined;
        throw report(new MirrorError('ERR_UPSTREAM_UNAVAILABLE', 'the object was replaced meanwhile'), object);
      } finally {
        if (isLarge) parallel -= 1;
      }
      refusals.delete(object.bucket);
      onRead('ok');
    };
    await persist(() => sink.received, transfer, signal);
  };
}

function tooShort(found: number, size: number): MirrorError {
  return new MirrorError('ERR_BLOB_MISMATCH', `upstream states ${size} bytes, and the bucket has ${found}`);
}
