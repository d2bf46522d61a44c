/** Takes files out of the tree: what records name, and never a file that they do not know. */
import { mkdirSync, renameSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { JobRecord } from '../model.ts';
import { copiesOf, unlinkFile } from './blobs.ts';
import { isAbsent, listFolder, pruneFolders, removeFolder, syncFolder } from './files.ts';
import { type DataPaths, fileOf, type Place, stepFolder } from './paths.ts';
import { damaged, orDamaged, readJobRecord, type Views } from './records.ts';
import { filesUnder } from './scan.ts';
import { temporaryFile } from './temporary.ts';

/** Removes names of a job's files; those that are gone already are fine. @param files below the job's folder */
export function unlinkFiles(base: string, files: readonly string[]): void {
  for (const file of files) {
    unlinkFile(join(base, file));
    if (file.includes('/')) pruneFolders(base, dirname(file));
  }
}

/** Takes away every name below a folder that a blob with one of these digests has there. @returns the digest of each */
export async function unlinkNamesOf(paths: DataPaths, folder: string, digests: ReadonlySet<string>): Promise<string[]> {
  const inodes = new Map<number, string>();
  for (const sha256 of digests) {
    for (const copy of await copiesOf(paths, sha256)) {
      const blob = statSync(copy, { throwIfNoEntry: false });
      if (blob !== undefined) inodes.set(blob.ino, sha256);
    }
  }
  const gone: string[] = [];
  for await (const file of filesUnder(folder)) {
    const inode = statSync(file, { throwIfNoEntry: false })?.ino;
    const sha256 = inode === undefined ? undefined : inodes.get(inode);
    if (sha256 === undefined) continue;
    unlinkFile(file);
    gone.push(sha256);
  }
  return gone;
}

/**
 * Files of a build's folder that nothing tells of: another build's of the same number, or somebody's own.
 * @returns paths below the build's folder, [] where all is known
 */
export async function unknownFiles(
  paths: DataPaths,
  place: Place,
  build: string,
  views: Views | null,
): Promise<string[]> {
  const known = new Set(['build.json', 'upstream.json']);
  for (const { path } of views?.merged ?? []) known.add(`artifacts/${path}`);
  for (const [key, entries] of Object.entries(views?.steps ?? {})) {
    for (const { path } of entries) known.add(`steps/${stepFolder(key)}/artifacts/${path}`);
  }
  for (const { name } of await listFolder(join(paths.build(place), 'jobs'))) {
    const record = await orDamaged(readJobRecord(paths, place, name));
    if (record === damaged || record === null || record.build_id !== build) continue;
    for (const file of ownFiles(record)) known.add(`jobs/${name}/${file}`);
  }
  return (await filesBelow(paths.build(place), '')).filter((file) => !known.has(file));
}

function ownFiles(record: JobRecord): string[] {
  const artifacts = record.artifacts.flatMap((artifact) => fileOf(artifact) ?? []);
  return ['job.json', 'SHA256SUMS', 'log.txt', ...artifacts];
}

async function filesBelow(base: string, relative: string, found: string[] = []): Promise<string[]> {
  for (const entry of await listFolder(join(base, relative))) {
    const path = relative === '' ? entry.name : `${relative}/${entry.name}`;
    if (entry.isDirectory()) await filesBelow(base, path, found);
    else found.push(path);
  }
  return found;
}

/** Takes folders away, each in one step as readers see it, one right after the other; then removes what was in them. */
export async function takeAway(paths: DataPaths, folders: readonly string[]): Promise<void> {
  const taken: string[] = [];
  mkdirSync(paths.staging, { recursive: true });
  try {
    for (const folder of folders) {
      const aside = temporaryFile(paths);
      try {
        renameSync(folder, aside);
      } catch (thrown) {
        if (isAbsent(thrown)) continue;
        throw thrown;
      }
      taken.push(aside);
      await syncFolder(dirname(folder));
    }
  } finally {
    // Whoever tries again finds the others alone.
    for (const aside of taken) await removeFolder(aside);
  }
}
