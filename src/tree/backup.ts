/**
 * A copy of what cannot be made again: state, journal, records and blobs; made while the mirror runs. Names of files in the
 * tree are not copied: the copy says that they are to be made from its records, and whoever starts on it does so.
 */
import { constants, existsSync } from 'node:fs';
import { copyFile, mkdir, open, rename, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { MirrorError } from '../errors.ts';
import { unlinkFile } from './blobs.ts';
import { holdsMirror } from './data.ts';
import { isAbsent, listFolder, readIfPresent, syncFolder } from './files.ts';
import { type DataPaths, dataPaths } from './paths.ts';
import { filesUnder } from './scan.ts';
import { isBlobName } from './sweep.ts';

export interface BackupOptions {
  readonly signal: AbortSignal;
  readonly onProgress: (files: number, bytes: number) => void;
}

export interface BackedUp {
  readonly files: number;
  readonly bytes: number;
  /** Files of an earlier copy that are gone here. */
  readonly removed: number;
}

const records = new Set(['job.json', 'build.json', 'upstream.json']);

/**
 * Blobs go first and once more at the end: whatever a record tells of was copied, though it is swept meanwhile. State goes
 * before records: a gap that is closed in between is looked at once more.
 * @throws MirrorError ERR_REQUEST_MALFORMED for a folder that is no place for it
 */
export async function backUp(paths: DataPaths, target: string, options: BackupOptions): Promise<BackedUp> {
  const copy = dataPaths(resolve(target));
  await refuseUnfit(paths, copy);
  await mkdir(copy.state, { recursive: true, mode: 0o700 });
  await writeFile(copy.rebuildDue, '');
  const total = { files: 0, bytes: 0 };
  const folders = new Set<string>([copy.state]);
  const synced = new Set<string>();
  const take = async (folder: string, picks: (name: string) => boolean, isFixed: boolean): Promise<void> => {
    for await (const file of filesUnder(folder, ({ name }) => picks(name))) {
      options.signal.throwIfAborted();
      const bytes = await copyOne(file, join(copy.root, relative(paths.root, file)), isFixed);
      if (bytes === null) continue;
      total.files += 1;
      total.bytes += bytes;
      folders.add(dirname(join(copy.root, relative(paths.root, file))));
      options.onProgress(total.files, total.bytes);
    }
  };
  await take(paths.blobs, isBlobName, true);
  await take(paths.spool, () => true, false);
  await take(paths.state, (name) => !name.startsWith('.'), false);
  await take(paths.tree, (name) => records.has(name), false);
  await take(paths.blobs, isBlobName, true);
  const removed = await prune(paths, copy);
  for (const folder of folders) await syncUpTo(copy.root, folder, synced);
  return { ...total, removed };
}

/** What is gone here is removed from the copy: so it must be this very mirror that is looked at, and its earlier copy. */
async function refuseUnfit(paths: DataPaths, copy: DataPaths): Promise<void> {
  const inside = relative(paths.root, copy.root);
  if (inside === '' || !(inside === '..' || inside.startsWith(`..${sep}`)))
    throw unfit(`${copy.root} lies in the data folder; a backup belongs on another disk`);
  if (!holdsMirror(paths))
    throw unfit(`${paths.root} holds no mirror: is KITEMIRROR_DATA right, and is its disk mounted?`);
  if (await isHollow(copy.root)) return;
  if (!existsSync(copy.rebuildDue)) throw unfit(`${copy.root} is neither empty nor an earlier backup`);
  const [own, copied] = [await readIfPresent(paths.dataId), await readIfPresent(copy.dataId)];
  if (copied === null || copied === own) return;
  const remedy = `is the disk of ${paths.root} mounted? A mirror that was begun anew needs a folder of its own`;
  throw unfit(`${copy.root} is the backup of another data folder; ${remedy}`);
}

/** Nothing but folders: all that a backup leaves which was killed in its first moment. */
async function isHollow(folder: string): Promise<boolean> {
  for (const entry of await listFolder(folder)) {
    if (!entry.isDirectory() || !(await isHollow(join(folder, entry.name)))) return false;
  }
  return true;
}

function unfit(why: string): MirrorError {
  return new MirrorError('ERR_REQUEST_MALFORMED', why);
}

/** @param isFixed a file of that name never changes · @returns null where it was there, or is gone here */
async function copyOne(from: string, to: string, isFixed: boolean): Promise<number | null> {
  try {
    const { size } = await stat(from);
    if (isFixed && (await stat(to).catch(() => null))?.size === size) return null;
    await mkdir(dirname(to), { recursive: true });
    const temporary = join(dirname(to), `.${basename(to)}.tmp`);
    await copyFile(from, temporary, constants.COPYFILE_FICLONE);
    // On disk before it has its name: the next backup believes a name and its size.
    await syncFile(temporary);
    await rename(temporary, to);
    return size;
  } catch (thrown) {
    // Swept, moved or struck out since it was listed.
    if (isAbsent(thrown) && !existsSync(from)) return null;
    throw thrown;
  }
}

async function syncFile(file: string): Promise<void> {
  const handle = await open(file, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The names in a folder, and those of the folders that lead to it. */
async function syncUpTo(root: string, folder: string, synced: Set<string>): Promise<void> {
  for (let each = folder; !synced.has(each); each = dirname(each)) {
    synced.add(each);
    await syncFolder(each);
    if (each === root) return;
  }
}

/** What was dropped, purged or settled here is not to come back from a copy. */
async function prune(paths: DataPaths, copy: DataPaths): Promise<number> {
  let removed = 0;
  for (const folder of [copy.tree, copy.blobs, copy.state, copy.spool]) {
    for await (const file of filesUnder(folder)) {
      if (file === copy.rebuildDue || existsSync(join(paths.root, relative(copy.root, file)))) continue;
      unlinkFile(file);
      removed += 1;
    }
  }
  return removed;
}
