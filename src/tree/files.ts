/** Small files written whole: a reader sees the old one or the new one, also after a power cut. */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  type Dirent,
  existsSync,
  fchownSync,
  fsync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  statSync,
  writeSync,
} from 'node:fs';
import { open, readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { errnoOf, MirrorError } from '../errors.ts';
import type { Owner } from './owner.ts';
import type { DataPaths } from './paths.ts';
import { throughStaging } from './temporary.ts';

/** Errno of the disk → our code; anything else as it was. */
export function diskError(thrown: unknown, what: string): unknown {
  const errno = errnoOf(thrown);
  if (errno === 'ENOSPC' || errno === 'EDQUOT' || errno === 'EMFILE' || errno === 'ENFILE') {
    return new MirrorError('ERR_TREE_FULL', `${what}: ${errno}`, { errno }, thrown);
  }
  return thrown;
}

export interface WriteOptions {
  readonly durable?: boolean;
  /**
   * Where the bytes are written first: in staging/, which every start sweeps, so that nothing is left of a writer that was
   * killed. Else it is a file beside.
   */
  readonly temporary?: string;
  /** With `temporary`: whether a missing folder is made, or is a sign that the build was moved. */
  readonly makesFolder?: boolean;
  /** Permissions; everybody may read unless told otherwise. */
  readonly mode?: number;
  /** Whose it is from the first; null: whoever writes it. */
  readonly owner?: Owner | null;
}

/** Bytes of a file that is read or written at once: in the thread pool it would be a tenth of the work and nine tenths of the way there. */
const smallBytes = 256 * 1024;

const sync = promisify(fsync);

/** Temp file, fsync, rename, fsync of the folder. @throws MirrorError ERR_TREE_MOVED for a folder that must be there */
export async function writeAtomic(file: string, data: string | Buffer, options: WriteOptions = {}): Promise<void> {
  const folder = dirname(file);
  const temporary = options.temporary ?? join(folder, `.${randomBytes(8).toString('hex')}.tmp`);
  const bytes = typeof data === 'string' ? Buffer.from(data) : data;
  try {
    await (bytes.length <= smallBytes ? writeSmall : writeLarge)(temporary, bytes, options);
    renameTo(temporary, file, options.makesFolder === true);
    if (options.durable !== false) await syncFolder(folder);
  } catch (thrown) {
    await rm(temporary, { force: true });
    if (options.temporary !== undefined && options.makesFolder !== true && isAbsent(thrown))
      throw new MirrorError('ERR_TREE_MOVED', 'the build was moved', {}, thrown);
    throw diskError(thrown, 'cannot write a file');
  }
}

/** Derived files (pages, pointers) need not survive a power cut: they are made again. */
export async function writeDerived(paths: DataPaths, file: string, data: string): Promise<void> {
  await writeAtomic(file, data, { durable: false, ...throughStaging(paths) });
}

async function writeLarge(file: string, bytes: Buffer, { mode = 0o644, owner, durable }: WriteOptions): Promise<void> {
  const handle = await makingFolder(file, () => open(file, 'wx', mode));
  try {
    if (owner) await handle.chown(owner.uid, owner.gid);
    await handle.writeFile(bytes);
    if (durable !== false) await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Only the disk itself is waited for in the thread pool. */
async function writeSmall(file: string, bytes: Buffer, { mode = 0o644, owner, durable }: WriteOptions): Promise<void> {
  const fd = await makingFolder(file, () => openSync(file, 'wx', mode));
  try {
    if (owner) fchownSync(fd, owner.uid, owner.gid);
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    if (durable !== false) await sync(fd);
  } finally {
    closeSync(fd);
  }
}

function renameTo(temporary: string, file: string, makesFolder: boolean): void {
  try {
    renameSync(temporary, file);
  } catch (thrown) {
    if (!makesFolder || errnoOf(thrown) !== 'ENOENT') throw thrown;
    mkdirSync(dirname(file), { recursive: true });
    renameSync(temporary, file);
  }
}

/** Does it again in a folder that was made for it, where there was none. */
async function makingFolder<T>(file: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (errnoOf(thrown) !== 'ENOENT') throw thrown;
    mkdirSync(dirname(file), { recursive: true });
    return work();
  }
}

/** Makes the names in a folder survive a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  const fd = openSync(folder, 'r');
  try {
    await sync(fd);
  } finally {
    closeSync(fd);
  }
}

/** The ETag of a file, as Lighttpd spells it (lighttpd/files.lua). @throws the errno of a file that is not there */
export function tagOf(file: string): string {
  const { ino, size, mtimeNs } = statSync(file, { bigint: true });
  const parts = [ino, size, mtimeNs / 1_000_000_000n].map((part) => part.toString(16));
  return `"${parts.join('-')}.${(mtimeNs % 1_000_000_000n).toString(16)}"`;
}

/** @returns null where there is no such file */
export async function readIfPresent(file: string): Promise<string | null> {
  // Most names that are asked for are not there, and most files that are, are small and were written a moment ago.
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined) return null;
  try {
    if (found.size <= smallBytes) return readFileSync(file, 'utf8');
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
  if (existsSync(folder)) await rm(folder, { recursive: true, force: true });
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

/** Removes folders that became empty, upwards until `base`, which stays. */
export function pruneFolders(base: string, relative: string): void {
  for (let folder = relative; folder !== '.' && folder !== ''; folder = dirname(folder)) {
    if (!removeIfEmpty(join(base, folder))) return;
  }
}

/** Removes a folder that holds nothing, or nothing but such folders. @returns whether it is gone */
export function removeHollow(folder: string): boolean {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    return (
      entries.every((entry) => entry.isDirectory() && removeHollow(join(folder, entry.name))) && removeIfEmpty(folder)
    );
  } catch (thrown) {
    if (isAbsent(thrown)) return false;
    throw thrown;
  }
}

function removeIfEmpty(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch (thrown) {
    const errno = errnoOf(thrown);
    if (errno === 'ENOTEMPTY' || errno === 'EEXIST' || isAbsent(thrown)) return false;
    throw thrown;
  }
}

/** When a file was last written, ms since 1970; null where there is none. */
export function writtenAt(file: string): number | null {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? null;
}

/** Of a file that is never empty: whether it is there, and no power cut took what was in it. */
export function holdsSomething(file: string): boolean {
  return (statSync(file, { throwIfNoEntry: false })?.size ?? 0) > 0;
}

/** All of a file that an operator names; `-` is stdin. */
export async function readInput(file: string): Promise<Buffer> {
  return file === '-' ? buffer(process.stdin) : readFile(file);
}

/** A file's bytes in large pieces. */
export function readBytes(file: string): AsyncIterable<Buffer> {
  return createReadStream(file, { highWaterMark: 1024 * 1024 });
}

/** Gives the bytes from `start` up to `end`; fewer where the file ends before. */
export type ReadRange = (start: number, end: number) => Promise<Buffer>;

/** Opens a file for as long as `work` reads parts of it. */
export async function withRanges<T>(file: string, work: (read: ReadRange) => Promise<T>): Promise<T> {
  const handle = await open(file, 'r');
  try {
    return await work(async (start, end) => {
      const bytes = Buffer.allocUnsafe(end - start);
      let filled = 0;
      while (filled < bytes.length) {
        const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, start + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return bytes.subarray(0, filled);
    });
  } finally {
    await handle.close();
  }
}

/** None where the folder is absent. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (thrown) {
    if (isAbsent(thrown)) return [];
    throw thrown;
  }
}
