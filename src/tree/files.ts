/** Small files written whole: a reader sees the old one or the new one, also after a power cut. */
import { randomBytes } from 'node:crypto';
import { type Dirent, existsSync, mkdirSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoOf, MirrorError } from '../errors.ts';

/** Errno of the disk → our code; anything else as it was. */
export function diskError(thrown: unknown, what: string): unknown {
  const errno = errnoOf(thrown);
  if (errno === 'ENOSPC' || errno === 'EDQUOT' || errno === 'EMFILE' || errno === 'ENFILE') {
    return new MirrorError('ERR_TREE_FULL', `${what}: ${errno}`, { errno }, thrown);
  }
  return thrown;
}

/** Temp file in the same folder, fsync, rename, fsync of the folder. Creates missing folders. */
export async function writeAtomic(
  file: string,
  data: string | Buffer,
  options: { durable?: boolean } = {},
): Promise<void> {
  const folder = dirname(file);
  const temporary = join(folder, `.${randomBytes(8).toString('hex')}.tmp`);
  try {
    const handle = await openCreating(temporary);
    try {
      await handle.writeFile(data);
      if (options.durable !== false) await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
    if (options.durable !== false) await syncFolder(folder);
  } catch (thrown) {
    await rm(temporary, { force: true });
    throw diskError(thrown, 'cannot write a file');
  }
}

/** Derived files (pages, pointers) need not survive a power cut: they are made again. */
export async function writeDerived(file: string, data: string): Promise<void> {
  await writeAtomic(file, data, { durable: false });
}

async function openCreating(file: string) {
  try {
    return await open(file, 'wx', 0o644);
  } catch (thrown) {
    if (errnoOf(thrown) !== 'ENOENT') throw thrown;
    await mkdir(dirname(file), { recursive: true });
    return open(file, 'wx', 0o644);
  }
}

/** Makes the names in a folder survive a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** @returns null where there is no such file */
export async function readIfPresent(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (thrown) {
    if (isAbsent(thrown)) return null;
    throw thrown;
  }
}

/** @returns [] where there is no such folder */
export async function listFolder(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (thrown) {
    if (isAbsent(thrown)) return [];
    throw thrown;
  }
}

export function isAbsent(thrown: unknown): boolean {
  const errno = errnoOf(thrown);
  return errno === 'ENOENT' || errno === 'ENOTDIR';
}

/** Removes a folder with all in it; nothing when it is not there. */
export async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}

/** Creates folders below one that must already be there: a tree that was moved away meanwhile is not begun anew. */
export function makeFolders(base: string, relative: string, known: Set<string>): void {
  if (relative === '' || relative === '.' || known.has(relative)) return;
  const cut = relative.lastIndexOf('/');
  if (cut > 0) makeFolders(base, relative.slice(0, cut), known);
  const folder = join(base, relative);
  try {
    mkdirSync(folder);
  } catch (thrown) {
    const errno = errnoOf(thrown);
    if (errno === 'ENOENT' && !existsSync(base))
      throw new MirrorError('ERR_TREE_MOVED', 'the build was moved', {}, thrown);
    if (errno !== 'EEXIST') throw diskError(thrown, 'cannot make a folder');
  }
  known.add(relative);
}
