/** Where an artifact's bytes come from, once its URL is known: a listed bucket, or a storage host. */
import type { Dispatcher } from 'undici';
import type { BucketRule } from '../config/buckets.ts';
import { MirrorError } from '../errors.ts';
import type { Log } from '../log.ts';
import { locate } from './bucket-address.ts';
import { createGetPart } from './bucket-client.ts';
import type { BucketOutcome } from './bucket-errors.ts';
import { createReadObject } from './buckets.ts';
import { download } from './download.ts';
import { checkDownloadHost } from './hosts.ts';
import type { Sink } from './sink.ts';

export interface Wanted {
  /** The slug of the artifact's pipeline. */
  readonly pipeline: string;
  /** Bytes, as upstream states; more than that is refused while it comes in. */
  readonly size: number;
  readonly signal: AbortSignal;
}

export interface Storage {
  /**
   * The bytes behind a resolved URL into the sink, from where the sink stands; what broke off is resumed.
   * @throws MirrorError ERR_DOWNLOAD_REFUSED (may not be read), ERR_DOWNLOAD_EXPIRED (resolve anew), ERR_UPSTREAM_GONE,
   *   ERR_BUCKET_GONE, ERR_BUCKET_DENIED, ERR_UPSTREAM_UNAVAILABLE, ERR_BLOB_MISMATCH
   */
  read(url: URL, sink: Sink, wanted: Wanted): Promise<void>;
}

export interface StorageOptions {
  /** To storage hosts; never sees the token. */
  readonly dispatcher: Dispatcher;
  /** The only hosts that URLs may lead to, buckets aside; null: Buildkite's own. */
  readonly hosts: readonly string[] | null;
  readonly buckets: {
    readonly rules: readonly BucketRule[];
    /** AWS_ENDPOINT_URL_S3; null: AWS. */
    readonly endpoint: URL | null;
    /** Told of each try. */
    readonly onRead: (outcome: BucketOutcome) => void;
    readonly log: Log;
  };
}

/** A host or bucket that sends nothing for so long has broken off. */
const idleMs = 60_000;

export function createStorage({ dispatcher, hosts, buckets }: StorageOptions): Storage {
  const getPart = createGetPart({ endpoint: buckets.endpoint, idleMs });
  const readObject = createReadObject({ ...buckets, getPart });
  return {
    read: async (url, sink, { pipeline, size, signal }) => {
      const object = locate(url, pipeline, buckets);
      if (object !== null && object !== 'outside') return readObject(object, sink, size, signal);
      if (object === 'outside') checkOutside(url, hosts, pipeline);
      return download(url, sink, { dispatcher, hosts, size, signal, idleMs });
    },
  };
}

/** What a bucket's prefix does not cover may still be on a host that is allowed; else the prefix is what to tell of. */
function checkOutside(url: URL, hosts: readonly string[] | null, pipeline: string): void {
  try {
    checkDownloadHost(url, hosts);
  } catch (thrown) {
    const told = `its download leads outside of what KITEMIRROR_S3_BUCKETS lists for ${pipeline}`;
    throw new MirrorError('ERR_DOWNLOAD_REFUSED', told, { host: url.host }, thrown);
  }
}
