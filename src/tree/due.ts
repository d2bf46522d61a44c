/**
 * Tasks that derive something from what is on disk already. Redis alone knows of them, and may lose them when no gap is
 * open any more that would have them asked for again: a mark stands from before such a task is queued until it is done.
 *
 * A mark is not synced. It comes before the gap goes, and file systems with a journal keep that order over a power cut.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf } from '../errors.ts';
import { unlinkFile } from './blobs.ts';
import { diskError, listFolder, writtenAt } from './files.ts';
import type { DataPaths } from './paths.ts';

/** @param identity of the task, as the queue has it: `<name>/<key>` */
export function noteDue(paths: DataPaths, identity: string): void {
  const file = paths.dueTask(identity);
  try {
    writeMark(file);
  } catch (thrown) {
    throw diskError(thrown, 'cannot note what is due');
  }
}

function writeMark(file: string): void {
  try {
    writeFileSync(file, '');
  } catch (thrown) {
    if (errnoOf(thrown) !== 'ENOENT') throw thrown;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, '');
  }
}

/** When it was noted last, ms since 1970; null: it is not due. */
export function dueSince(paths: DataPaths, identity: string): number | null {
  return writtenAt(paths.dueTask(identity));
}

/** It is done. @param since as it was when that began: what was noted since then is still to come */
export function strikeDue(paths: DataPaths, identity: string, since: number | null): void {
  if (since !== null && dueSince(paths, identity) === since) unlinkFile(paths.dueTask(identity));
}

/** @returns identities */
export async function listDue(paths: DataPaths): Promise<string[]> {
  return (await listFolder(paths.due)).map(({ name }) => name.replaceAll(':', '/'));
}
