/**
 * Deletes blobs that nothing links. Safe beside publishing: who links a blob between our look and its removal has the bytes
 * under the tree's name, and who comes later finds none and stores them anew. What is no blob is left and told of.
 *
 * Names are in the order of digests, which is none on the disk: what is to go is gathered over many shards and goes in
 * the order of inodes, so that a file system writes each block of them a few times and not hundreds of times.
 */
import { lstatSync, readdirSync, type Stats } from 'node:fs';
import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { errnoOf } from '../errors.ts';
import { isAbsent } from './files.ts';
import type { DataPaths } from './paths.ts';

export interface SweepOptions {
  /** A blob that changed (was linked, or lost a link) more recently stays: ms. */
  readonly graceMs: number;
  readonly signal: AbortSignal;
  /** Only counts. */
  readonly dryRun?: boolean;
  readonly onProgress?: (shards: number) => void;
  /** How many are gathered before they are removed, 100,000 unless told. */
  readonly atOnce?: number;
}

export interface Swept {
  readonly seen: number;
  readonly removed: number;
  readonly bytes: number;
  /** What the blobs that stay take. */
  readonly keptBytes: number;
  /** Names below blobs.v1/ that are none of ours, at most a hundred. */
  readonly unknown: readonly string[];
}

export const shardCount = 256;
/** How long the event loop is held by looking; to put a batch in order takes several times as long. */
const sliceMs = 10;
const mostUnknown = 100;
/** So many are gathered before they are removed, of so many shards at the most: some twenty megabytes. */
const [usuallyAtOnce, shardsAtOnce] = [100_000, 32];
const lanes = 4;

/** `<sha256>`, or `<sha256>.2` and so on where a blob had all the links that its file system allows. */
const blobName = /^[0-9a-f]{64}(\.\d{1,6})?$/;

export function isBlobName(name: string): boolean {
  return blobName.test(name);
}

export async function sweepBlobs(paths: DataPaths, options: SweepOptions): Promise<Swept> {
  const { signal, onProgress, dryRun = false, atOnce = usuallyAtOnce } = options;
  const total = { seen: 0, removed: 0, bytes: 0, keptBytes: 0, unknown: [] as string[] };
  const count = (bytes: number, isRemoved: boolean): void => {
    if (isRemoved) total.removed += 1;
    total[isRemoved ? 'bytes' : 'keptBytes'] += bytes;
  };
  let unshown: Unshown[] = [];
  for (let shard = 0; shard < shardCount; shard += 1) {
    const folder = join(paths.blobs, shard.toString(16).padStart(2, '0'));
    await inSlices(namesIn(folder), signal, (name) => {
      if (!isBlobName(name)) {
        if (total.unknown.length < mostUnknown) total.unknown.push(join(folder.slice(paths.root.length + 1), name));
        return;
      }
      total.seen += 1;
      const blob = `${folder}/${name}`;
      const stat = lstatSync(blob, { throwIfNoEntry: false });
      if (stat === undefined) return;
      if (!dryRun && isRemovable(stat, options)) unshown.push({ blob, inode: stat.ino });
      else count(stat.size, isRemovable(stat, options));
    });
    const done = shard + 1;
    if (unshown.length >= atOnce || done % shardsAtOnce === 0) {
      await inLanes(unshown.sort(byInode), signal, async ({ blob }) => removeOne(blob, options, count));
      unshown = [];
    }
    // What is gathered and not removed yet is not done.
    if (unshown.length === 0) onProgress?.(done);
  }
  return total;
}

interface Unshown {
  readonly blob: string;
  readonly inode: number;
}

function byInode(left: Unshown, right: Unshown): number {
  return left.inode - right.inode;
}

/** One after the other; after each slice whoever else waits for the event loop gets it. */
async function inSlices<T>(items: readonly T[], signal: AbortSignal, work: (item: T) => void): Promise<void> {
  let since = performance.now();
  for (const item of items) {
    if (performance.now() - since > sliceMs) {
      await nextTurn();
      signal.throwIfAborted();
      since = performance.now();
    }
    work(item);
  }
  await nextTurn();
  signal.throwIfAborted();
}

/**
 * Some at a time: a file system that waits for its disk in one of them goes on with the others. Waits for the end of all,
 * also when one fails.
 */
async function inLanes<T>(items: readonly T[], signal: AbortSignal, work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  const failures: unknown[] = [];
  const lane = async (): Promise<void> => {
    for (const item of rest) {
      if (failures.length > 0 || signal.aborted) return;
      await work(item).catch((thrown: unknown) => failures.push(thrown));
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  signal.throwIfAborted();
  if (failures.length > 0) throw failures[0];
}

export interface Measured {
  readonly blobs: number;
  readonly bytes: number;
  /** Of those that have a name besides their own: the others wait for a sweep. */
  readonly shownBytes: number;
}

/** What all blobs take on the disk. */
export async function measureBlobs(paths: DataPaths, signal: AbortSignal): Promise<Measured> {
  const total = { blobs: 0, bytes: 0, shownBytes: 0 };
  for (let shard = 0; shard < shardCount; shard += 1) {
    signal.throwIfAborted();
    const folder = join(paths.blobs, shard.toString(16).padStart(2, '0'));
    for (const name of namesIn(folder)) {
      const stat = isBlobName(name) ? lstatSync(`${folder}/${name}`, { throwIfNoEntry: false }) : undefined;
      if (stat === undefined) continue;
      total.blobs += 1;
      total.bytes += stat.size;
      if (!isUnlinked(stat)) total.shownBytes += stat.size;
    }
    await nextTurn();
  }
  return total;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT') return [];
    throw thrown;
  }
}

/** Looks once more: it may have been linked since. */
async function removeOne(
  blob: string,
  options: SweepOptions,
  count: (bytes: number, isRemoved: boolean) => void,
): Promise<void> {
  const stat = lstatSync(blob, { throwIfNoEntry: false });
  if (stat === undefined) return;
  const isUnshown = isRemovable(stat, options);
  if (isUnshown) await removeFile(blob);
  count(stat.size, isUnshown);
}

async function removeFile(file: string): Promise<void> {
  try {
    await unlink(file);
  } catch (thrown) {
    if (!isAbsent(thrown)) throw thrown;
  }
}

function isRemovable(stat: Stats, { graceMs }: SweepOptions): boolean {
  return isUnlinked(stat) && Date.now() - stat.ctimeMs >= graceMs;
}

function isUnlinked(stat: Stats): boolean {
  return stat.isFile() && stat.nlink === 1;
}
