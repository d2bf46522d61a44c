/** What S3's refusals mean: whom they concern, and what an operator can do. Their own texts hold key ids: none is kept. */
import { type ErrorCode, MirrorError } from '../errors.ts';
import type { BucketObject } from './bucket-address.ts';

/** Closed set: the label of a metric. */
export type BucketOutcome =
  | 'ok'
  | 'gone'
  | 'denied'
  | 'credentials'
  | 'clock'
  | 'region'
  | 'archived'
  | 'mismatch'
  | 'unavailable';

interface Meaning {
  readonly outcome: BucketOutcome;
  /** Continues «the bucket artifacts …». */
  readonly says: string;
}

const refusesKeys: Meaning = { outcome: 'credentials', says: "refuses the worker's AWS credentials" };
const noKeys: Meaning = {
  outcome: 'credentials',
  says: 'cannot be asked: the worker finds no AWS credentials (AWS_ACCESS_KEY_ID, a profile, a role)',
};
const clock: Meaning = { outcome: 'clock', says: "refuses this machine's clock, which is minutes off" };
const region: Meaning = { outcome: 'region', says: 'is in another region: set AWS_REGION' };

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
const meanings: Readonly<Record<string, Meaning>> = {
  AccessDenied: {
    outcome: 'denied',
    says: 'denies the read: s3:GetObject is needed, and s3:ListBucket to tell what is not there',
  },
  NoSuchBucket: { outcome: 'denied', says: 'is not there: is AWS_ENDPOINT_URL_S3 or AWS_REGION right?' },
  InvalidAccessKeyId: refusesKeys,
  SignatureDoesNotMatch: refusesKeys,
  InvalidToken: refusesKeys,
  ExpiredToken: refusesKeys,
  CredentialsProviderError: noKeys,
  TokenProviderError: noKeys,
  RequestTimeTooSkewed: clock,
  RequestExpired: clock,
  PermanentRedirect: region,
  TemporaryRedirect: region,
  AuthorizationHeaderMalformed: region,
  IllegalLocationConstraintException: region,
  InvalidObjectState: { outcome: 'archived', says: 'has it archived: restore it, and it is fetched' },
};

/** Worth an operator's look; all else is an artifact's own matter, or passes. */
const forOperators: ReadonlySet<BucketOutcome> = new Set(['denied', 'credentials', 'clock', 'region', 'archived']);

/** What holds for every object of a bucket, as long as it holds. */
const ofBuckets: ReadonlySet<BucketOutcome> = new Set(['credentials', 'clock', 'region']);

const ours: Partial<Record<ErrorCode, BucketOutcome>> = {
  ERR_UPSTREAM_UNAVAILABLE: 'unavailable',
  ERR_BLOB_MISMATCH: 'mismatch',
};

export interface BucketFailure {
  /** Null: it was not the bucket's, but the disk's. */
  readonly outcome: BucketOutcome | null;
  readonly error: MirrorError;
  readonly isForOperators: boolean;
  /** Whether the bucket would refuse any other object, too. */
  readonly isOfBucket: boolean;
}

/** @param thrown by the SDK, or by the stream of a body */
export function explain(thrown: unknown, { bucket }: BucketObject): BucketFailure {
  if (thrown instanceof MirrorError) {
    return { outcome: ours[thrown.code] ?? null, error: thrown, isForOperators: false, isOfBucket: false };
  }
  const { name, status } = read(thrown);
  const details = { bucket, reason: name, ...(status === undefined ? {} : { status }) };
  const fail = (outcome: BucketOutcome, code: ErrorCode, says: string): BucketFailure => ({
    outcome,
    error: new MirrorError(code, `the bucket ${bucket} ${says}`, details),
    isForOperators: forOperators.has(outcome),
    isOfBucket: ofBuckets.has(outcome) || name === 'NoSuchBucket',
  });
  const known = meanings[name];
  if (known !== undefined) return fail(known.outcome, 'ERR_BUCKET_DENIED', `${known.says} (${name})`);
  if (name === 'NoSuchKey') return fail('gone', 'ERR_BUCKET_GONE', 'has no such object');
  if (status === 416) return fail('mismatch', 'ERR_BLOB_MISMATCH', 'has fewer bytes than upstream states');
  if (status !== undefined && status >= 400 && status < 500 && status !== 408 && status !== 429) {
    return fail('denied', 'ERR_BUCKET_DENIED', `answered ${status} (${name})`);
  }
  return fail(
    'unavailable',
    'ERR_UPSTREAM_UNAVAILABLE',
    status === undefined ? 'cannot be reached, or broke off' : `answered ${status}`,
  );
}

/** Where S3 says that a bucket is; null where it does not. */
export function regionOf(thrown: unknown): string | null {
  if (meanings[read(thrown).name] !== region) return null;
  const { Region, $response } = thrown as { Region?: unknown; $response?: { headers?: Record<string, string> } };
  const told = $response?.headers?.['x-amz-bucket-region'] ?? Region;
  return typeof told === 'string' && /^[a-z0-9-]{1,40}$/.test(told) ? told : null;
}

/** The object is another one than when its first bytes were read. */
export function hasChanged(thrown: unknown): boolean {
  return read(thrown).status === 412;
}

function read(thrown: unknown): { name: string; status: number | undefined } {
  if (!(thrown instanceof Error)) return { name: 'unknown', status: undefined };
  const { $metadata } = thrown as { $metadata?: { httpStatusCode?: number } };
  const name = /^\w{1,60}$/.test(thrown.name) ? thrown.name : 'unknown';
  return { name, status: $metadata?.httpStatusCode };
}
