/** The AWS SDK as one call: a range of an object. Loaded when the first object is asked for, and not before. */
import type { Readable } from 'node:stream';
import type { GetObjectCommandOutput, S3Client, S3ClientConfig } from '@aws-sdk/client-s3';
import type { BucketObject } from './bucket-address.ts';
import { regionOf } from './bucket-errors.ts';

export interface Range {
  /** The first byte, and the one after the last; `end` null: to the object's end. */
  readonly start: number;
  readonly end: number | null;
}

export interface Part {
  readonly body: Readable;
  readonly etag: string | undefined;
  /** Bytes of the whole object. */
  readonly size: number | undefined;
}

/** @param etag what the object has to be still; undefined: whatever it is now */
export type GetPart = (
  object: BucketObject,
  range: Range,
  etag: string | undefined,
  signal: AbortSignal,
) => Promise<Part>;

export interface ClientOptions {
  /** AWS_ENDPOINT_URL_S3; null: AWS. */
  readonly endpoint: URL | null;
  /** A bucket that sends nothing for so long has broken off. */
  readonly idleMs: number;
}

const connectMs = 10_000;
/** Where neither the address nor AWS_REGION nor a profile tells one, it is AWS's first; S3 says it when it is another. */
const fallbackRegion = 'us-east-1';

export function createGetPart({ endpoint, idleMs }: ClientOptions): GetPart {
  const clients = new Map<string | null, Promise<S3Client>>();
  /** Where S3 said that a bucket is. */
  const regions = new Map<string, string>();

  function clientFor(region: string | null): Promise<S3Client> {
    const known = clients.get(region);
    if (known !== undefined) return known;
    const opened = open({
      requestHandler: {
        connectionTimeout: connectMs,
        socketTimeout: idleMs,
        // Downloads at once are bounded by the worker's slots.
        httpAgent: { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY },
        httpsAgent: { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY },
      },
      // Upstream's digest is what vouches for the bytes.
      responseChecksumValidation: 'WHEN_REQUIRED',
      ...(endpoint === null ? {} : { endpoint: endpoint.href, forcePathStyle: true }),
      ...(region === null ? {} : { region }),
    });
    clients.set(region, opened);
    opened.catch(() => clients.delete(region));
    return opened;
  }

  return async (object, range, etag, signal) => {
    const region = regions.get(object.bucket) ?? (endpoint === null ? object.region : null);
    try {
      return await get(await clientFor(region), object, range, etag, signal);
    } catch (thrown) {
      const told = regionOf(thrown);
      if (told === null || told === region) throw thrown;
      regions.set(object.bucket, told);
      return get(await clientFor(told), object, range, etag, signal);
    }
  };
}

async function open(config: S3ClientConfig): Promise<S3Client> {
  const { S3Client } = await import('@aws-sdk/client-s3');
  const client = new S3Client(config);
  const isKnown = await client.config.region().then(
    () => true,
    () => false,
  );
  return isKnown ? client : new S3Client({ ...config, region: fallbackRegion });
}

async function get(
  client: S3Client,
  { bucket, key }: BucketObject,
  { start, end }: Range,
  etag: string | undefined,
  signal: AbortSignal,
): Promise<Part> {
  const { GetObjectCommand } = await import('@aws-sdk/client-s3');
  const isWhole = start === 0 && end === null;
  const command = new GetObjectCommand({
    Bucket: bucket,
    Key: key,
    ...(isWhole ? {} : { Range: `bytes=${start}-${end === null ? '' : end - 1}` }),
    ...(etag === undefined ? {} : { IfMatch: etag }),
  });
  const output: GetObjectCommandOutput = await client.send(command, { abortSignal: signal });
  // In Node the SDK's body is the answer's own stream.
  const body = output.Body as unknown as Readable;
  const total = isWhole ? output.ContentLength : Number(output.ContentRange?.split('/')[1] ?? Number.NaN);
  return { body, etag: output.ETag, size: Number.isSafeInteger(total) ? total : undefined };
}
