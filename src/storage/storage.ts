/** Where an artifact's bytes come from, once its URL is known. */
import type { Dispatcher } from 'undici';
import { download, type Sink } from './download.ts';

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
   *   ERR_UPSTREAM_UNAVAILABLE, ERR_BLOB_MISMATCH
   */
  read(url: URL, sink: Sink, wanted: Wanted): Promise<void>;
}

export interface StorageOptions {
  /** To storage hosts; never sees the token. */
  readonly dispatcher: Dispatcher;
  /** The only hosts that URLs may lead to; null: Buildkite's own. */
  readonly hosts: readonly string[] | null;
}

export function createStorage({ dispatcher, hosts }: StorageOptions): Storage {
  return { read: (url, sink, { size, signal }) => download(url, sink, { dispatcher, hosts, size, signal }) };
}
