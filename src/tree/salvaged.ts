/**
 * Records that could not be read are kept as they were, where nobody is served them, for people to look at; the newest of
 * them only. Each is in the audit.
 */
import { randomBytes } from 'node:crypto';
import { linkSync, lstatSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { writeAudit } from './audit.ts';
import { unlinkFile } from './blobs.ts';
import { listFolder, removeFolder } from './files.ts';
import type { DataPaths } from './paths.ts';

/** A metric's label. `mark`: up to when all builds are known. `gap`: that a build lacks something. */
export const recordKinds = ['job', 'build', 'upstream', 'gap', 'pipeline', 'mark'] as const;
export type RecordKind = (typeof recordKinds)[number];

export interface DamagedRecord {
  readonly record: RecordKind;
  readonly organization?: string;
  readonly pipeline?: string;
  readonly number?: number;
  readonly build?: string;
}

const kept = { files: 200, bytes: 64 * 1024 * 1024 };

/** The file keeps its name too, until who calls this has written it anew: no reader misses it meanwhile. */
export async function keepDamaged(paths: DataPaths, file: string, of: DamagedRecord): Promise<void> {
  const stat = lstatSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return;
  mkdirSync(paths.damagedRecords, { recursive: true });
  const { record, ...where } = of;
  const aside = join(paths.damagedRecords, `${Date.now()}-${record}-${randomBytes(4).toString('hex')}.json`);
  // A folder has no second name, and none can be written in its place.
  if (stat.isDirectory()) renameSync(file, aside);
  else linkSync(file, aside);
  const what = relative(paths.root, file);
  await writeAudit(paths, {
    action: 'quarantine',
    ...where,
    what,
    bytes: stat.size,
    reason: 'a record that cannot be read; it is made again',
  });
  await trim(paths);
}

async function trim(paths: DataPaths): Promise<void> {
  const files = await listKept(paths);
  let [count, bytes] = [0, 0];
  for (const { file, size } of files.toReversed()) {
    count += 1;
    bytes += size;
    if (count > 1 && (count > kept.files || bytes > kept.bytes)) await removeFolder(file);
  }
}

export interface KeptRecord {
  readonly file: string;
  readonly size: number;
  /** ms since 1970. */
  readonly foundAt: number;
}

/** The oldest first. */
export async function listKept(paths: Pick<DataPaths, 'damagedRecords'>): Promise<KeptRecord[]> {
  const found: KeptRecord[] = [];
  for (const { name } of await listFolder(paths.damagedRecords)) {
    const file = join(paths.damagedRecords, name);
    const size = statSync(file, { throwIfNoEntry: false })?.size;
    if (size !== undefined) found.push({ file, size, foundAt: Number.parseInt(name, 10) });
  }
  return found.toSorted((left, right) => left.foundAt - right.foundAt);
}

/** Removes those that hold what is to be nowhere any more. */
export async function forgetKept(paths: DataPaths, holds: (file: string) => Promise<boolean>): Promise<void> {
  for (const { file } of await listKept(paths)) if (await holds(file)) unlinkFile(file);
}
