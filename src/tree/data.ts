/** The data folder as a whole: made, tried out, and cleared of what a dead worker left in staging. */
import { randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { errnoOf, MirrorError } from '../errors.ts';
import { listFolder, readIfPresent, removeFolder, writeAtomic, writtenAt } from './files.ts';
import type { DataPaths } from './paths.ts';
import { ownerOf, temporaryFile } from './temporary.ts';

/** The layout's version; a change of it is a new folder name, never a migration in place. */
const format = '1';

/**
 * Makes the folders, and refuses a data folder of another format or of more than one file system (hard links).
 * @throws MirrorError ERR_TREE_UNSUITABLE
 */
export async function prepareData(paths: DataPaths): Promise<void> {
  const { tree, pages, blobs, staging, quarantine, spool, unsettled, logs } = paths;
  try {
    for (const folder of [tree, pages, blobs, staging, quarantine, spool, unsettled, logs])
      mkdirSync(folder, { recursive: true });
    for (let shard = 0; shard < 256; shard += 1)
      mkdirSync(join(blobs, shard.toString(16).padStart(2, '0')), { recursive: true });
  } catch (thrown) {
    throw new MirrorError(
      'ERR_TREE_UNSUITABLE',
      `KITEMIRROR_DATA (${paths.root}) cannot be written: ${String(errnoOf(thrown))}`,
      {},
      thrown,
    );
  }
  if (!(await hasOurFormat(paths))) await writeAtomic(paths.format, `${format}\n`);
  if ((await readIfPresent(paths.dataId)) === null) await writeAtomic(paths.dataId, `${randomUUID()}\n`);
  tryLinks(paths);
}

/**
 * For programs that make no data folder their own, and read or write one all the same.
 * @returns false where no worker has made it its own yet @throws MirrorError ERR_TREE_UNSUITABLE for one of another format
 */
export async function hasOurFormat(paths: DataPaths): Promise<boolean> {
  const found = (await readIfPresent(paths.format))?.trim();
  if (found === undefined || found === format) return found !== undefined;
  throw new MirrorError('ERR_TREE_UNSUITABLE', `the data folder has format ${found}; this version knows ${format}`);
}

/** Whether a worker has ever made this folder its own. */
export function holdsMirror(paths: DataPaths): boolean {
  return writtenAt(paths.format) !== null;
}

function tryLinks(paths: DataPaths): void {
  const { root, tree, pages, blobs, state } = paths;
  const probe = temporaryFile(paths);
  writeFileSync(probe, '');
  try {
    for (const folder of [tree, pages, blobs, state]) {
      const link = join(folder, `.${basename(probe)}`);
      linkSync(probe, link);
      rmSync(link);
    }
  } catch (thrown) {
    const why =
      errnoOf(thrown) === 'EXDEV' ? 'spans several file systems' : `allows no hard links (${String(errnoOf(thrown))})`;
    throw new MirrorError(
      'ERR_TREE_UNSUITABLE',
      `KITEMIRROR_DATA (${root}) ${why}; it must be one file system with hard links`,
      {},
      thrown,
    );
  } finally {
    rmSync(probe, { force: true });
  }
}

const strayAfterMs = 24 * 3_600_000;

/** Removes what dead workers of this host left; what may be another host's is removed when it is a day old. */
export async function sweepStaging(paths: DataPaths): Promise<number> {
  let removed = 0;
  for (const file of [...(await leftInStaging(paths)), ...(await leftProbes(paths))]) {
    const owner = ownerOf(basename(file).replace(/^\./, ''));
    const age = Date.now() - (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (owner?.host === hostname() ? isAlive(owner.pid) : age < strayAfterMs) continue;
    // A whole build that was taken away is a folder.
    await removeFolder(file);
    removed += 1;
  }
  return removed;
}

async function leftInStaging(paths: DataPaths): Promise<string[]> {
  return (await listFolder(paths.staging)).map(({ name }) => paths.stagingFile(name));
}

/** Of a start that was killed while it tried the links, and of who was killed while a file of state was written beside its name. */
async function leftProbes({ tree, pages, blobs, state, spool, pins, dropping, purged }: DataPaths): Promise<string[]> {
  const found: string[] = [];
  for (const folder of [tree, pages, blobs, state, spool, pins, dropping, purged]) {
    for (const { name } of await listFolder(folder))
      if (/^\..+\.(part|tmp)$/.test(name)) found.push(join(folder, name));
  }
  return found;
}

function isAlive(pid: number): boolean {
  // In a container every worker may be process 1: then its own leftovers are those of an earlier life.
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return errnoOf(thrown) === 'EPERM';
  }
}
