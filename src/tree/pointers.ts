/**
 * Pointer files: a stable address is answered by Lighttpd from one small file that names a build's number, or the folder
 * that a renamed pipeline's builds are in now.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { errnoOf } from '../errors.ts';
import { unlinkFile } from './blobs.ts';
import { diskError, isAbsent, listFolder, readIfPresent, writeDerived, writtenAt } from './files.ts';
import type { DataPaths } from './paths.ts';
import { temporaryFile } from './temporary.ts';

/**
 * Synchronous, because it runs inside the catalog's transaction, which is what orders the writers.
 * @param number null removes the pointer
 */
export function writePointer(paths: DataPaths, file: string, number: number | null): void {
  writeOrRemove(paths, file, number === null ? null : `${number}\n`);
}

/** Beside the pointer, and like it. @param svg null removes the badge */
export function writeBadge(paths: DataPaths, file: string, svg: string | null): void {
  writeOrRemove(paths, file, svg);
}

/** Whether a branch has one: where none of its builds may be led to, there is none. */
export function hasBadge(paths: DataPaths, organization: string, folder: string, branch: string): boolean {
  return writtenAt(paths.badge(organization, folder, branch)) !== null;
}

function writeOrRemove(paths: DataPaths, file: string, text: string | null): void {
  if (text === null) {
    unlinkFile(file);
    return;
  }
  // A build is published some times, and to look costs less than to write.
  if (readNow(file) === text) return;
  const temporary = temporaryFile(paths);
  try {
    writeFileSync(temporary, text, { flag: 'wx' });
    try {
      renameSync(temporary, file);
    } catch (thrown) {
      if (errnoOf(thrown) !== 'ENOENT') throw thrown;
      mkdirSync(dirname(file), { recursive: true });
      renameSync(temporary, file);
    }
  } catch (thrown) {
    unlinkFile(temporary);
    throw diskError(thrown, 'cannot write a pointer');
  }
}

function readNow(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch (thrown) {
    if (isAbsent(thrown)) return null;
    throw thrown;
  }
}

/** Removes pointers to builds that are not there. @param numbers the builds of the folder */
export async function removeStalePointers(
  paths: DataPaths,
  organization: string,
  folder: string,
  numbers: ReadonlySet<number>,
): Promise<void> {
  for (const kind of ['latest', 'commits', 'pulls']) {
    const below = join(paths.pages, organization, folder, kind);
    for (const { name } of await listFolder(below)) {
      // A badge is as stale as the pointer that it is a picture of.
      const pointer = name.endsWith('.svg') ? `${name.slice(0, -'.svg'.length)}.any` : name;
      const number = Number(await readIfPresent(join(below, pointer)));
      if (!numbers.has(number)) unlinkFile(join(below, name));
    }
  }
}

interface Move {
  readonly from: string;
  readonly to: string;
}

/** Who asks for the folder's old name is led to its new one. */
export async function leavePointer(paths: DataPaths, organization: string, { from, to }: Move): Promise<void> {
  await writeDerived(paths, paths.movedPointer(organization, from), `${to}\n`);
}

/** @returns null where the name leads nowhere else */
export async function readMoved(paths: DataPaths, organization: string, slug: string): Promise<string | null> {
  return (await readIfPresent(paths.movedPointer(organization, slug)))?.trim() ?? null;
}

/** A name that holds builds itself leads nowhere else. */
export function removePointer(paths: DataPaths, organization: string, slug: string): void {
  unlinkFile(paths.movedPointer(organization, slug));
}

/** What led to the folder's old name leads to the new one: whoever has that name next is somebody else. */
export async function retargetPointers(paths: DataPaths, organization: string, { from, to }: Move): Promise<void> {
  const folder = join(paths.pages, organization);
  for (const { name } of await listFolder(folder)) {
    if (!name.endsWith(suffix)) continue;
    const slug = name.slice(0, -suffix.length);
    if ((await readIfPresent(join(folder, name)))?.trim() !== from) continue;
    if (slug === to) removePointer(paths, organization, slug);
    else await leavePointer(paths, organization, { from: slug, to });
  }
}

/** The names that lead to a folder: those that its pipeline had before, and nobody has now. */
export async function formerFolders(paths: DataPaths, organization: string, folder: string): Promise<string[]> {
  const below = join(paths.pages, organization);
  const former: string[] = [];
  for (const { name } of await listFolder(below)) {
    if (name.endsWith(suffix) && (await readIfPresent(join(below, name)))?.trim() === folder)
      former.push(name.slice(0, -suffix.length));
  }
  return former;
}

const suffix = '.moved';
