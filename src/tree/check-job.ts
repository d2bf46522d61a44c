/** Compares a job's folder with its record: each file that is called present, its name and its blob. Reads bytes only in doubt. */
import { createHash } from 'node:crypto';
import { type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import type { JobRecord } from '../model.ts';
import { readBytes } from './files.ts';
import { type DataPaths, fileOf, type Place } from './paths.ts';

/** `missing`: no file, and a blob has its bytes. `unnamed`: the file is right, its blob has lost its name. `other`: other bytes. `gone`: nothing has its bytes. */
export type Fault = 'missing' | 'unnamed' | 'other' | 'gone';

export interface FaultyFile {
  /** Below the job's folder. */
  readonly file: string;
  readonly sha256: string;
  readonly size: number;
  readonly fault: Fault;
}

export async function checkJob(paths: DataPaths, place: Place, record: JobRecord): Promise<FaultyFile[]> {
  const base = paths.job(place, record.id);
  const faults: FaultyFile[] = [];
  for (const each of [...record.artifacts, ...(record.log === null ? [] : [record.log])]) {
    const file = fileOf(each);
    if (each.state !== 'present' || each.sha256 === null || file === null) continue;
    const { sha256, size } = each;
    const fault = await faultOf(paths, join(base, file), sha256, size);
    if (fault !== null) faults.push({ file, sha256, size, fault });
  }
  return faults;
}

/** Whether bytes that the record misses are stored whole, as somebody's backup had them. */
export async function hasComeBack(paths: DataPaths, { artifacts }: JobRecord): Promise<boolean> {
  for (const { state, sha256, size } of artifacts) {
    if ((state !== 'lost' && state !== 'failed') || sha256 === null) continue;
    const blob = statSync(paths.blob(sha256), { throwIfNoEntry: false });
    const isReadable = blob !== undefined && (blob.mode & 0o444) !== 0 && blob.size === size;
    if (isReadable && (await digestOf(paths.blob(sha256))) === sha256) return true;
  }
  return false;
}

async function faultOf(paths: DataPaths, file: string, sha256: string, size: number): Promise<Fault | null> {
  const there = statSync(file, { throwIfNoEntry: false });
  const blob = statSync(paths.blob(sha256), { throwIfNoEntry: false });
  if (there === undefined) return blob === undefined ? 'gone' : 'missing';
  if (blob !== undefined && isSameFile(there, blob)) return null;
  // Another inode may be a further copy, or a blob that lost its name: then its bytes are right.
  // What nobody may read was set aside or purged.
  const isRight =
    there.isFile() && (there.mode & 0o444) !== 0 && there.size === size && (await digestOf(file)) === sha256;
  if (isRight) return blob === undefined ? 'unnamed' : null;
  return blob === undefined ? 'gone' : 'other';
}

function isSameFile(left: Stats, right: Stats): boolean {
  return left.ino === right.ino && left.dev === right.dev;
}

async function digestOf(file: string): Promise<string> {
  const sum = createHash('sha256');
  for await (const chunk of readBytes(file)) sum.update(chunk);
  return sum.digest('hex');
}
