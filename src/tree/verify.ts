/**
 * Reads blobs again and compares them with their names. In the order of their names, so that a reading that was broken off
 * goes on where it was.
 */
import { createHash, hash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { errnoOf } from '../errors.ts';
import type { DataPaths } from './paths.ts';
import { isBlobName, shardCount } from './sweep.ts';

export interface Damage {
  /** The blob's name: its digest, and maybe `.2`. */
  readonly name: string;
  readonly size: number;
  /** What its bytes sum up to; an errno where they cannot be read. */
  readonly found: string;
}

export interface Verified {
  readonly blobs: number;
  readonly bytes: number;
  readonly damaged: number;
  /** The last name that was read; null: the end was reached. */
  readonly after: string | null;
}

export interface VerifyOptions {
  /** The last name that is not to be read again; null: from the first. */
  readonly after: string | null;
  /** Bytes a second at most; null: as fast as it goes. */
  readonly rate: number | null;
  /** Ends after so many bytes. */
  readonly maxBytes?: number;
  /** Reads each blob with this probability; 1 unless told. */
  readonly sample?: number;
  readonly signal: AbortSignal;
  readonly onDamage: (damage: Damage) => Promise<void>;
  /** Told now and then; `name` was read last. */
  readonly onProgress?: (blobs: number, bytes: number, name: string) => void | Promise<void>;
}

const chunkBytes = 1024 * 1024;
/** How long the event loop is held at most, but for one chunk. */
const sliceMs = 15;

export async function verifyBlobs(paths: DataPaths, options: VerifyOptions): Promise<Verified> {
  const { after, rate, sample = 1, maxBytes = Number.POSITIVE_INFINITY, signal } = options;
  const began = performance.now();
  const buffer = Buffer.allocUnsafe(chunkBytes);
  let sliceBegan = performance.now();
  let [blobs, bytes, damaged] = [0, 0, 0];
  let last = after;
  /** Lets others have their turn, and keeps to the rate. */
  const breathe = async (): Promise<void> => {
    if (rate !== null) {
      const aheadMs = (bytes / rate) * 1000 - (performance.now() - began);
      if (aheadMs > 20) await sleep(aheadMs, undefined, { signal });
    }
    if (performance.now() - sliceBegan < sliceMs) return;
    await nextTurn();
    signal.throwIfAborted();
    sliceBegan = performance.now();
  };
  const onBytes = (count: number): void => void (bytes += count);
  for (const { name, file } of blobFiles(paths, after)) {
    if (sample < 1 && Math.random() >= sample) continue;
    if (bytes >= maxBytes) return { blobs, bytes, damaged, after: last };
    let found = await readOne(file, buffer, onBytes, breathe);
    if (found === null) continue;
    // A second look: what a controller gets wrong once is no reason to set a blob aside.
    if (!isNamed(name, found.sum)) found = await readOne(file, buffer, onBytes, breathe);
    if (found === null) continue;
    blobs += 1;
    if (!isNamed(name, found.sum)) {
      damaged += 1;
      await options.onDamage({ name, size: found.size, found: found.sum });
    }
    last = name;
    await options.onProgress?.(blobs, bytes, name);
    await breathe();
  }
  return { blobs, bytes, damaged, after: null };
}

/** Every blob behind `after`, in the order of names. */
export function* blobFiles(paths: DataPaths, after: string | null): Generator<{ name: string; file: string }> {
  for (let shard = 0; shard < shardCount; shard += 1) {
    const prefix = shard.toString(16).padStart(2, '0');
    if (after !== null && prefix < after.slice(0, 2)) continue;
    const folder = join(paths.blobs, prefix);
    for (const name of namesIn(folder)) {
      if (isBlobName(name) && (after === null || name > after)) yield { name, file: `${folder}/${name}` };
    }
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).toSorted();
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT') return [];
    throw thrown;
  }
}

function isNamed(name: string, sum: string): boolean {
  return name === sum || (name.startsWith(sum) && name[sum.length] === '.');
}

/** @returns null for one that was swept meanwhile; `sum` is an errno where its bytes cannot be read */
async function readOne(
  file: string,
  buffer: Buffer,
  onBytes: (count: number) => void,
  breathe: () => Promise<void>,
): Promise<{ sum: string; size: number } | null> {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT') return null;
    return { sum: unreadable(thrown), size: 0 };
  }
  try {
    const { size } = fstatSync(fd);
    let count = readSync(fd, buffer, 0, buffer.length, null);
    onBytes(count);
    // One call less for a file that fits, which most do.
    if (count < buffer.length && count === size) return { sum: hash('sha256', buffer.subarray(0, count)), size };
    const sum = createHash('sha256');
    while (count > 0) {
      sum.update(buffer.subarray(0, count));
      await breathe();
      count = readSync(fd, buffer, 0, buffer.length, null);
      onBytes(count);
    }
    return { sum: sum.digest('hex'), size };
  } catch (thrown) {
    return { sum: unreadable(thrown), size: 0 };
  } finally {
    closeSync(fd);
  }
}

/** The disk's own faults are what is looked for; anything else is ours. */
function unreadable(thrown: unknown): string {
  const errno = errnoOf(thrown);
  if (errno === 'EIO' || errno === 'EACCES' || errno === 'EPERM' || errno === 'EBADMSG' || errno === 'EUCLEAN')
    return errno;
  throw thrown;
}
