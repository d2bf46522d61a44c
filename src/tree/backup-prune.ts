/**
 * What goes from an earlier copy. Only what is gone here for a reason that holds for the copy too: bytes that a disk has
 * damaged here may be whole there, and then they are the last.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import type { FileState } from '../model.ts';
import { unlinkFile } from './blobs.ts';
import { listFolder, pruneFolders, readBytes } from './files.ts';
import type { DataPaths } from './paths.ts';
import { listDamaged } from './quarantine.ts';
import { filesUnder } from './scan.ts';
import { isBlobName } from './sweep.ts';
import { listTombstones } from './tombstones.ts';
import { readJobs, walkBuilds } from './walk.ts';

/** Removes files of a folder of the copy that are gone here, and the folders that become empty. @returns how many */
export async function pruneFiles(paths: DataPaths, copy: DataPaths, folder: string): Promise<number> {
  let removed = 0;
  for await (const file of filesUnder(folder)) {
    if (file === copy.rebuildDue || existsSync(join(paths.root, relative(copy.root, file)))) continue;
    unlinkFile(file);
    pruneFolders(folder, relative(folder, dirname(file)));
    removed += 1;
  }
  return removed;
}

/**
 * Removes blobs that are gone here, but for those that records of the copy name, or that were set aside here. To be called
 * when records and tombstones are as the copy is to have them.
 */
export async function pruneBlobs(paths: DataPaths, copy: DataPaths): Promise<number> {
  const purged = new Set((await listTombstones(copy)).flatMap(({ sha256 }) => sha256));
  const gone = new Map<string, string>();
  let removed = 0;
  const remove = (file: string): void => {
    unlinkFile(file);
    removed += 1;
  };
  for await (const file of filesUnder(copy.blobs)) {
    if (purged.has(digestIn(file))) remove(file);
    else if (!existsSync(join(paths.root, relative(copy.root, file)))) gone.set(file, digestIn(file));
  }
  if (gone.size === 0) return removed;
  const wanted = await wantedOf(paths, copy, new Set(gone.values()));
  for (const [file, sha256] of gone) {
    if (!wanted.has(sha256) || !(await isWhole(file, sha256))) remove(file);
  }
  return removed;
}

/** What was damaged here already when it was copied has its name and its size: it is to be copied anew. */
export async function removeRotten(paths: DataPaths, copy: DataPaths): Promise<void> {
  for (const sha256 of await setAside(paths)) {
    const file = copy.blob(sha256);
    if (existsSync(file) && !(await isWhole(file, sha256))) unlinkFile(file);
  }
}

function digestIn(file: string): string {
  return basename(file).slice(0, 64);
}

/** A later upload has taken the place of the one, and the others were removed on purpose. */
const unwanted: ReadonlySet<FileState> = new Set(['superseded', 'dropped', 'purged']);

/** @returns which of the digests are wanted */
async function wantedOf(paths: DataPaths, copy: DataPaths, digests: ReadonlySet<string>): Promise<Set<string>> {
  const wanted = await setAside(paths);
  for await (const place of walkBuilds(copy)) {
    for (const { artifacts, log } of (await readJobs(copy, place)).records) {
      for (const { state, sha256 } of [...artifacts, ...(log === null ? [] : [log])])
        if (sha256 !== null && digests.has(sha256) && !unwanted.has(state)) wanted.add(sha256);
    }
  }
  return wanted;
}

async function setAside(paths: DataPaths): Promise<Set<string>> {
  const orders = await listDamaged(paths);
  const files = (await listFolder(paths.quarantine)).map(({ name }) => digestIn(name));
  return new Set([...orders.map(({ sha256 }) => sha256), ...files.filter(isBlobName)]);
}

async function isWhole(file: string, sha256: string): Promise<boolean> {
  const sum = createHash('sha256');
  for await (const chunk of readBytes(file)) sum.update(chunk);
  return sum.digest('hex') === sha256;
}
