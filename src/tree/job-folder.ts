/**
 * What lies in a job's folder, by its bytes: to make a record again that cannot be read. What is there counts as mirrored
 * where a blob is the same file, or where SHA256SUMS says so; anything else may be somebody's own.
 */
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { hasBlob, linkBlob } from './blobs.ts';
import { readBytes, readIfPresent } from './files.ts';
import { type DataPaths, encodePath, fileOf, type Place } from './paths.ts';
import { quarantineBlob } from './quarantine.ts';
import { filesUnder } from './scan.ts';

export interface FoundFile {
  /** Below the job's folder. */
  readonly file: string;
  readonly size: number;
  readonly sha1: string;
  readonly sha256: string;
  readonly crc32: string;
  /** ISO 8601. */
  readonly writtenAt: string;
  /** It is what was mirrored, by another word than upstream's. */
  readonly isOurs: boolean;
}

/** Gives files their names that SHA256SUMS tells of and whose bytes are stored, as in a restored backup; others' stay. */
export async function nameBySums(
  paths: DataPaths,
  place: Place,
  job: string,
  isPurged: (sha256: string) => boolean,
): Promise<void> {
  const base = paths.job(place, job);
  const sums = readSums(await readIfPresent(join(base, 'SHA256SUMS')));
  const known = new Set<string>();
  for (const [path, sha256] of sums) {
    const file = fileOf({ url: encodePath(`jobs/${job}/${path}`) });
    if (file === null || existsSync(join(base, file)) || !hasBlob(paths, sha256) || isPurged(sha256)) continue;
    linkBlob(paths, sha256, base, file, known);
  }
}

/** `artifacts/…`, `artifacts-by-id/…` and `log.txt`. What nobody may read was set aside or purged, and is passed over. */
export async function readJobFolder(
  paths: DataPaths,
  place: Place,
  job: string,
  signal: AbortSignal,
): Promise<FoundFile[]> {
  const base = paths.job(place, job);
  const sums = readSums(await readIfPresent(join(base, 'SHA256SUMS')));
  const found: FoundFile[] = [];
  for await (const path of filesOf(base)) {
    signal.throwIfAborted();
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat?.isFile() !== true || (stat.mode & 0o444) === 0) continue;
    const file = path.slice(base.length + 1);
    const { size, ...digests } = await digestsOf(path);
    const said = sums.get(file);
    const isOurs = said === digests.sha256 || isBlob(paths, digests.sha256, stat.ino);
    // Its bytes have changed under all its names: who else shows them is told by the repair.
    if (said !== undefined && said !== digests.sha256 && isBlob(paths, said, stat.ino))
      await quarantineBlob(paths, { name: said, size, found: digests.sha256 });
    else found.push({ file, size, ...digests, writtenAt: stat.mtime.toISOString(), isOurs });
  }
  return found;
}

async function* filesOf(base: string): AsyncGenerator<string> {
  for (const folder of ['artifacts', 'artifacts-by-id']) yield* filesUnder(join(base, folder));
  yield join(base, 'log.txt');
}

/** Digests by file; a line that is none is passed over. */
function readSums(text: string | null): Map<string, string> {
  const lines = (text ?? '').split('\n').map((line) => /^([0-9a-f]{64}) {2}(.+)$/.exec(line));
  return new Map(lines.flatMap((line) => (line === null ? [] : [[line[2] ?? '', line[1] ?? ''] as const])));
}

/** Whether this file is a blob of that digest, by one of its names. */
function isBlob(paths: DataPaths, sha256: string, inode: number): boolean {
  for (let copy = 1; ; copy += 1) {
    const blob = statSync(paths.blob(sha256, copy), { throwIfNoEntry: false });
    if (blob === undefined) return false;
    if (blob.ino === inode) return true;
  }
}

async function digestsOf(file: string): Promise<Pick<FoundFile, 'size' | 'sha1' | 'sha256' | 'crc32'>> {
  const [sha1, sha256] = [createHash('sha1'), createHash('sha256')];
  let [size, crc] = [0, 0];
  for await (const chunk of readBytes(file)) {
    size += chunk.length;
    sha1.update(chunk);
    sha256.update(chunk);
    crc = crc32(chunk, crc);
  }
  return { size, sha1: sha1.digest('hex'), sha256: sha256.digest('hex'), crc32: crc.toString(16).padStart(8, '0') };
}
