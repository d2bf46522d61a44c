/**
 * Immutable bytes named by their SHA-256. The tree holds hard links to them, so the file system counts the references:
 * a blob with one link is one that nobody shows.
 */
import {
  closeSync,
  constants,
  copyFileSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { errnoOf, MirrorError } from '../errors.ts';
import { diskError, listFolder, makeFolders } from './files.ts';
import type { DataPaths } from './paths.ts';
import { removeStaged, type Staged } from './staging.ts';
import { temporaryFile } from './temporary.ts';

function statIfPresent(file: string): Stats | undefined {
  return statSync(file, { throwIfNoEntry: false });
}

/**
 * Gives verified bytes their two names: the blob's, and the one under which the tree shows them. Where the same bytes
 * are already stored, those are linked and the staged copy goes.
 * @param base a folder that must be there · @param relative the file's place below it
 * @returns the bytes that this took on disk
 */
export function placeStaged(
  paths: DataPaths,
  staged: Staged,
  base: string,
  relative: string,
  known: Set<string>,
): number {
  try {
    while (!claimDigest(paths, staged)) {
      if (!linkStored(paths, staged.sha256, base, relative, known)) continue;
      removeStaged(staged.file);
      return 0;
    }
    makeFolders(base, dirname(relative), known);
    renameSync(staged.file, `${base}/${relative}`);
    return staged.size;
  } catch (thrown) {
    removeStaged(staged.file);
    if (errnoOf(thrown) !== 'ENOENT') throw diskError(thrown, 'cannot store a blob');
    throw missing(staged.sha256, base, thrown);
  }
}

/** Of the right size, and not set aside: what is damaged or purged has lost the permission to be read. */
function isSound(blob: string, size: number): boolean {
  const stat = statIfPresent(blob);
  return stat !== undefined && stat.size === size && isReadable(stat);
}

function isReadable({ mode }: Stats): boolean {
  return (mode & 0o444) !== 0;
}

/** @returns false when the blob was swept this very moment: it is to be claimed anew */
function linkStored(paths: DataPaths, sha256: string, base: string, relative: string, known: Set<string>): boolean {
  try {
    linkBlob(paths, sha256, base, relative, known);
    return true;
  } catch (thrown) {
    if (thrown instanceof MirrorError && thrown.code === 'ERR_TREE_CORRUPT' && !hasBlob(paths, sha256)) return false;
    throw thrown;
  }
}

/** Whether these bytes are stored. */
export function hasBlob(paths: DataPaths, sha256: string): boolean {
  return statIfPresent(paths.blob(sha256)) !== undefined;
}

/** @returns false when a blob of this digest is there already */
function claimDigest(paths: DataPaths, staged: Staged): boolean {
  const blob = paths.blob(staged.sha256);
  for (;;) {
    try {
      linkSync(staged.file, blob);
      return true;
    } catch (thrown) {
      const errno = errnoOf(thrown);
      if (errno === 'EEXIST' && isSound(blob, staged.size)) return false;
      // Of another size it is no blob of this digest: what is there was torn, and what we hold is verified.
      if (errno === 'EEXIST') unlinkFile(blob);
      else if (errno === 'ENOENT') mkdirSync(dirname(blob), { recursive: true });
      else throw thrown;
    }
  }
}

/**
 * Makes `base/relative` a link to the blob, atomically also where another file is in its place.
 * @returns whether anything changed
 * @throws MirrorError ERR_TREE_MOVED when `base` is gone, ERR_TREE_CORRUPT when the blob is
 */
export function linkBlob(
  paths: DataPaths,
  sha256: string,
  base: string,
  relative: string,
  known: Set<string>,
): boolean {
  const target = `${base}/${relative}`;
  makeFolders(base, dirname(relative), known);
  for (let copy = 1; ; copy += 1) {
    const blob = paths.blob(sha256, copy);
    try {
      return linkOrReplace(paths, blob, target);
    } catch (thrown) {
      const errno = errnoOf(thrown);
      if (errno === 'EMLINK') {
        copyBlob(paths, sha256, copy);
        continue;
      }
      throw errno === 'ENOENT' ? missing(sha256, base, thrown) : diskError(thrown, 'cannot link a blob');
    }
  }
}

function missing(sha256: string, base: string, cause: unknown): MirrorError {
  if (statIfPresent(base) === undefined) return new MirrorError('ERR_TREE_MOVED', 'the build was moved', {}, cause);
  return new MirrorError('ERR_TREE_CORRUPT', `the blob ${sha256} is missing`, { sha256 }, cause);
}

function linkOrReplace(paths: DataPaths, blob: string, target: string): boolean {
  try {
    linkSync(blob, target);
    return true;
  } catch (thrown) {
    if (errnoOf(thrown) !== 'EEXIST') throw thrown;
  }
  const [wanted, there] = [statIfPresent(blob), statIfPresent(target)];
  if (wanted !== undefined && there !== undefined && wanted.ino === there.ino) return false;
  if (there?.isDirectory()) throw new MirrorError('ERR_TREE_CORRUPT', 'a folder stands where a file belongs', {});
  renameInto(paths, target, (temporary) => linkSync(blob, temporary));
  return true;
}

/** Makes a file in staging and gives it its name at once; nothing stays where that fails. */
function renameInto(paths: DataPaths, target: string, make: (temporary: string) => void): void {
  const temporary = temporaryFile(paths);
  try {
    make(temporary);
    renameSync(temporary, target);
  } catch (thrown) {
    unlinkFile(temporary);
    throw diskError(thrown, 'cannot link a blob');
  }
}

/** ext4 allows 65,000 links to a file: from there on the same bytes begin another. */
function copyBlob(paths: DataPaths, sha256: string, copy: number): void {
  const next = paths.blob(sha256, copy + 1);
  if (statIfPresent(next) !== undefined) return;
  renameInto(paths, next, (temporary) => copyDurably(paths.blob(sha256, copy), temporary));
}

function copyDurably(from: string, to: string): void {
  copyFileSync(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  const fd = openSync(to, 'r+');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** The files of a blob's bytes: more than one where it had all the links that a file may have. */
export async function copiesOf(paths: DataPaths, sha256: string): Promise<string[]> {
  const folder = dirname(paths.blob(sha256));
  const names = (await listFolder(folder)).map(({ name }) => name);
  return names.filter((name) => name.startsWith(sha256)).map((name) => join(folder, name));
}

/** Gives a blob its name back from a link that the tree still has: a power cut may have taken the name alone. */
export function restoreBlob(paths: DataPaths, sha256: string, source: string): void {
  const blob = paths.blob(sha256);
  if (statIfPresent(blob) !== undefined) return;
  const stat = statIfPresent(source);
  if (stat === undefined || !isReadable(stat))
    throw new MirrorError('ERR_TREE_CORRUPT', `the bytes of ${sha256} are nowhere`, { sha256 });
  mkdirSync(dirname(blob), { recursive: true });
  linkSync(source, blob);
}

/** Removes a link; fine when it is not there. */
export function unlinkFile(file: string): void {
  try {
    unlinkSync(file);
  } catch (thrown) {
    const errno = errnoOf(thrown);
    if (errno !== 'ENOENT' && errno !== 'ENOTDIR') throw thrown;
  }
}
