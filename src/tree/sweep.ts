/**
 * Deletes blobs that nothing links. Safe beside publishing: who links a blob between our look and its removal has the bytes
 * under the tree's name, and who comes later finds none and stores them anew. What is no blob is left and told of.
 */
import { lstatSync, readdirSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { errnoOf } from '../errors.ts';
import { unlinkFile } from './blobs.ts';
import type { DataPaths } from './paths.ts';

export interface SweepOptions {
  /** A blob that changed (was linked, or lost a link) more recently stays: ms. */
  readonly graceMs: number;
  readonly signal: AbortSignal;
  /** Only counts. */
  readonly dryRun?: boolean;
  readonly onProgress?: (shards: number) => void;
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
/** How long the event loop is held at most. */
const sliceMs = 10;
const mostUnknown = 100;

/** `<sha256>`, or `<sha256>.2` and so on where a blob had all the links that its file system allows. */
const blobName = /^[0-9a-f]{64}(\.\d{1,6})?$/;

export function isBlobName(name: string): boolean {
  return blobName.test(name);
}

export async function sweepBlobs(paths: DataPaths, options: SweepOptions): Promise<Swept> {
  const total = { seen: 0, removed: 0, bytes: 0, keptBytes: 0, unknown: [] as string[] };
  for (let shard = 0; shard < shardCount; shard += 1) {
    const folder = join(paths.blobs, shard.toString(16).padStart(2, '0'));
    let since = performance.now();
    for (const name of namesIn(folder)) {
      if (performance.now() - since > sliceMs) {
        await nextTurn();
        options.signal.throwIfAborted();
        since = performance.now();
      }
      if (!isBlobName(name)) {
        if (total.unknown.length < mostUnknown) total.unknown.push(join(folder.slice(paths.root.length + 1), name));
        continue;
      }
      total.seen += 1;
      const { bytes, isRemoved } = sweepOne(`${folder}/${name}`, options);
      if (isRemoved) total.removed += 1;
      total[isRemoved ? 'bytes' : 'keptBytes'] += bytes;
    }
    options.signal.throwIfAborted();
    options.onProgress?.(shard + 1);
    await nextTurn();
  }
  return total;
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

/** @returns what it took, and whether it was (or would be) removed */
function sweepOne(blob: string, { graceMs, dryRun }: SweepOptions): { bytes: number; isRemoved: boolean } {
  const stat = lstatSync(blob, { throwIfNoEntry: false });
  if (stat === undefined) return { bytes: 0, isRemoved: false };
  const isRemoved = isUnlinked(stat) && Date.now() - stat.ctimeMs >= graceMs;
  if (isRemoved && dryRun !== true) unlinkFile(blob);
  return { bytes: stat.size, isRemoved };
}

function isUnlinked(stat: Stats): boolean {
  return stat.isFile() && stat.nlink === 1;
}
