/** What a removal would really free: bytes that other builds show too stay, and what is shown under several names is one. */
import { statSync } from 'node:fs';
import type { DataPaths, Place } from './paths.ts';
import { readViews } from './records.ts';
import type { Part } from './retention.ts';
import { readJobs } from './walk.ts';

export interface Removal {
  readonly place: Place;
  readonly build: string;
  readonly parts: readonly Part[];
}

export interface Freed {
  readonly artifacts: number;
  readonly logs: number;
  /** As readers see them. */
  readonly bytes: number;
  readonly freedBytes: number;
}

/** @param onUnreadable told of builds whose records cannot be read; they count nothing */
export async function measureFreed(
  paths: DataPaths,
  removals: readonly Removal[],
  { onUnreadable, onProgress }: { onUnreadable: (removal: Removal) => void; onProgress?: (done: number) => void },
): Promise<Freed> {
  const total = { artifacts: 0, logs: 0, bytes: 0 };
  const links = new Map<string, number>();
  for (const [index, removal] of removals.entries()) {
    onProgress?.(index);
    const found = await namesOf(paths, removal);
    if (found === null) {
      onUnreadable(removal);
      continue;
    }
    total.artifacts += found.artifacts;
    total.logs += found.logs;
    total.bytes += found.bytes;
    for (const sha256 of found.names) links.set(sha256, (links.get(sha256) ?? 0) + 1);
  }
  let freedBytes = 0;
  for (const [sha256, count] of links) freedBytes += bytesWithout(paths, sha256, count);
  return { ...total, freedBytes };
}

interface Names {
  readonly artifacts: number;
  readonly logs: number;
  readonly bytes: number;
  /** A digest for each name that goes. */
  readonly names: readonly string[];
}

/** @returns null where a record cannot be read */
async function namesOf(paths: DataPaths, { place, build, parts }: Removal): Promise<Names | null> {
  const takes = (part: Part): boolean => parts.includes(part) || parts.includes('build');
  const names: string[] = [];
  const total = { artifacts: 0, logs: 0, bytes: 0 };
  const { records, unreadable } = await readJobs(paths, place);
  if (unreadable.length > 0) return null;
  for (const record of records) {
    if (record.build_id !== build) continue;
    for (const { state, sha256, size } of takes('artifacts') ? record.artifacts : []) {
      if (state !== 'present' || sha256 === null) continue;
      total.artifacts += 1;
      total.bytes += size;
      names.push(sha256);
    }
    const { log } = record;
    if (!takes('logs') || log?.state !== 'present' || log.sha256 === null) continue;
    total.logs += 1;
    total.bytes += log.size;
    names.push(log.sha256);
  }
  const views = takes('artifacts') ? await readViews(paths, place) : null;
  const shown = views === null ? [] : [views.merged, ...Object.values(views.steps)].flat();
  return { ...total, names: [...names, ...shown.map(({ sha256 }) => sha256)] };
}

/** Bytes of the copies of a blob that nothing would link if it lost so many names. */
function bytesWithout(paths: DataPaths, sha256: string, names: number): number {
  let left = -names;
  let bytes = 0;
  for (let copy = 1; ; copy += 1) {
    const stat = statSync(paths.blob(sha256, copy), { throwIfNoEntry: false });
    if (stat === undefined) break;
    left += stat.nlink - 1;
    bytes += stat.size;
  }
  return left <= 0 ? bytes : 0;
}
