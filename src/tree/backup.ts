/**
 * A copy of what cannot be made again: state, journal, records and blobs; made while the mirror runs. Names of files in the
 * tree are not copied: the copy says that they are to be made from its records, and whoever starts on it does so.
 */
import { constants, type Dirent, existsSync } from 'node:fs';
import { copyFile, mkdir, open, rename, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { MirrorError } from '../errors.ts';
import { pruneBlobs, pruneFiles, removeRotten } from './backup-prune.ts';
import { holdsMirror } from './data.ts';
import { isAbsent, listFolder, readIfPresent, removeFolder, syncFolder, writeAtomic } from './files.ts';
import { type DataPaths, dataPaths } from './paths.ts';
import { filesUnder } from './scan.ts';
import { isBlobName } from './sweep.ts';
import { listTombstones, writeTombstone } from './tombstones.ts';
import { walkPipelines } from './walk.ts';

export interface BackupOptions {
  readonly signal: AbortSignal;
  /** After each file. */
  readonly onProgress: (files: number, bytes: number) => void | Promise<void>;
}

export interface BackedUp {
  readonly files: number;
  readonly bytes: number;
  /** Files of an earlier copy that are gone here. */
  readonly removed: number;
}

const isBlob = ({ name }: Dirent): boolean => isBlobName(name);
const isState = ({ name }: Dirent): boolean => !name.startsWith('.');

/**
 * Up to when all builds are known is read before everything else and written last: what comes meanwhile, and what a backup that
 * breaks off leaves out, is found by whoever starts on the copy.
 * Blobs go first and once more at the end: whatever a record tells of was copied, though it is swept meanwhile. State goes
 * before records, and stays as it was then: a gap that is closed in between is looked at once more. What was taken away
 * meanwhile, and from whom, goes last: it is not to come back from a copy.
 * @throws MirrorError ERR_REQUEST_MALFORMED for a folder that is no place for it
 */
export async function backUp(paths: DataPaths, target: string, options: BackupOptions): Promise<BackedUp> {
  const copy = dataPaths(resolve(target));
  await refuseUnfit(paths, copy);
  await mkdir(copy.state, { recursive: true, mode: 0o700 });
  await writeFile(copy.rebuildDue, '');
  const marks = await readMarks(paths);
  // Where there was none, anything is better: without it a mirror looks back for an hour and no more.
  await writeMarks(
    paths,
    copy,
    [...marks].filter(([file]) => !existsSync(inCopyOf(paths, copy, file))),
  );
  const isRecord = recordsIn(paths);
  const { take, prune, total, end } = copying(paths, copy, options);
  const purged = new Set((await listTombstones(paths)).flatMap(({ id, done_at: done }) => (done === null ? [] : [id])));
  await take(paths.blobs, isBlob, true);
  await take(paths.spool, () => true);
  // Orders about damaged blobs are about the bytes here. Tombstones follow the records.
  const apart = new Set([paths.damaged, paths.purged]);
  const isMark = (file: string): boolean => isMarkOf(paths, file);
  await take(
    paths.state,
    (entry) => isState(entry) && !apart.has(entry.parentPath) && !isMark(join(entry.parentPath, entry.name)),
  );
  await removeFolder(copy.damaged);
  for (const folder of [paths.spool, paths.state]) await prune(folder);

  await take(paths.tree, isRecord);
  for await (const { organization, folder } of walkPipelines(paths)) {
    // Renamed meanwhile: what was copied under the name before goes.
    if (!existsSync(copy.pipeline(organization, folder))) await take(paths.pipeline(organization, folder), isRecord);
  }
  await removeRotten(paths, copy);
  await take(paths.blobs, isBlob, true);
  // Gaps that were opened before their records were copied.
  await take(paths.unsettled, isState);
  for (const folder of [paths.pins, paths.identity, paths.dropping, paths.dropped]) {
    await take(folder, isState);
    await prune(folder);
  }
  await copyTombstones(paths, copy, purged);
  await prune(paths.tree);
  total.removed += await pruneBlobs(paths, copy);
  await end();
  await writeMarks(paths, copy, marks);
  return total;
}

/** What tells up to when, or how far, builds are known: all of them are on disk as mirrored or as a gap then. */
function isMarkOf({ reconcileState, reconcileCopy, backfills }: DataPaths, file: string): boolean {
  return file === reconcileState || file === reconcileCopy || dirname(file) === backfills;
}

/** By their paths here. */
async function readMarks(paths: DataPaths): Promise<Map<string, string>> {
  const marks = new Map<string, string>();
  for await (const file of filesUnder(paths.state, isState)) {
    const text = isMarkOf(paths, file) ? await readIfPresent(file) : null;
    if (text !== null) marks.set(file, text);
  }
  return marks;
}

async function writeMarks(paths: DataPaths, copy: DataPaths, marks: Iterable<[string, string]>): Promise<void> {
  for (const [file, text] of marks) await writeAtomic(inCopyOf(paths, copy, file), text);
}

function inCopyOf(paths: DataPaths, copy: DataPaths, file: string): string {
  return join(copy.root, relative(paths.root, file));
}

/** With the sums, which are no record: they say what a record named that cannot be read. An artifact may be called as one is. */
function recordsIn({ tree }: DataPaths): (entry: Dirent) => boolean {
  const folder = /^[^/]+\/[^/]+\/builds\/\d+(\/jobs\/[^/]+)?$/;
  return ({ name, parentPath }) => {
    if (!ofBuild.has(name) && !ofJob.has(name)) return false;
    const found = folder.exec(parentPath.slice(tree.length + 1));
    return found !== null && (found[1] === undefined ? ofBuild : ofJob).has(name);
  };
}

const ofBuild = new Set(['build.json', 'upstream.json']);
const ofJob = new Set(['job.json', 'SHA256SUMS']);

function copying(paths: DataPaths, copy: DataPaths, { signal, onProgress }: BackupOptions) {
  const total = { files: 0, bytes: 0, removed: 0 };
  const folders = new Set<string>([copy.state]);
  const inCopy = (file: string): string => inCopyOf(paths, copy, file);
  return {
    total,
    take: async (folder: string, picks: (entry: Dirent) => boolean, isFixed = false): Promise<void> => {
      for await (const file of filesUnder(folder, picks)) {
        signal.throwIfAborted();
        const bytes = await copyOne(file, inCopy(file), isFixed);
        if (bytes === null) continue;
        total.files += 1;
        total.bytes += bytes;
        folders.add(dirname(inCopy(file)));
        await onProgress(total.files, total.bytes);
      }
    },
    prune: async (folder: string): Promise<void> => {
      total.removed += await pruneFiles(paths, copy, inCopy(folder));
    },
    /** What was copied survives a power cut once this has returned. */
    end: async (): Promise<void> => {
      const synced = new Set<string>();
      for (const folder of folders) if (existsSync(folder)) await syncUpTo(copy.root, folder, synced);
    },
  };
}

/**
 * A purge that has ended since records were first copied is open in the copy: whoever starts on that takes out of its records
 * what they still tell.
 */
async function copyTombstones(paths: DataPaths, copy: DataPaths, before: ReadonlySet<string>): Promise<void> {
  for (const tombstone of await listTombstones(paths)) {
    const isEnded = tombstone.done_at !== null && before.has(tombstone.id);
    await mkdir(copy.purged, { recursive: true });
    await writeTombstone(copy, isEnded ? tombstone : { ...tombstone, done_at: null });
  }
  await pruneFiles(paths, copy, copy.purged);
  // Nothing of a copy is under way.
  await removeFolder(copy.staging);
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
    const { size, mode } = await stat(from);
    // Set aside or purged this moment: nobody is to have it any more.
    if (isFixed && (mode & 0o444) === 0) return null;
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
