/**
 * Tasks that see to what is behind what is on disk already. Redis alone knows of them, and may lose them when no gap is
 * open any more that would have them asked for again: a mark stands from before such a task is queued until it is done.
 *
 * A mark is not synced. It comes before the gap goes, and the journals of ext4 and XFS keep that order over a power cut.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { errnoOf } from '../errors.ts';
import { unlinkFile } from './blobs.ts';
import { diskError, pruneFolders, writtenAt } from './files.ts';
import type { DataPaths } from './paths.ts';
import { filesUnder } from './scan.ts';

/** @param identity of the task, as the queue has it: `<name>/<key>` */
export function noteDue(paths: DataPaths, identity: string): void {
  const file = join(paths.due, identity);
  try {
    for (;;) {
      mkdirSync(dirname(file), { recursive: true });
      if (isWritten(file)) return;
    }
  } catch (thrown) {
    throw diskError(thrown, 'cannot note what is due');
  }
}

/** @returns false where another process removed the folder, which was empty until now */
function isWritten(file: string): boolean {
  try {
    writeFileSync(file, '');
    return true;
  } catch (thrown) {
    if (errnoOf(thrown) !== 'ENOENT') throw thrown;
    return false;
  }
}

/** When it was noted last, ms since 1970; null: it is not due. */
export function dueSince(paths: DataPaths, identity: string): number | null {
  return writtenAt(join(paths.due, identity));
}

/** It is done. @param since as it was when that began: what was noted since then is still to come */
export function strikeDue(paths: DataPaths, identity: string, since: number | null): void {
  if (since === null || dueSince(paths, identity) !== since) return;
  unlinkFile(join(paths.due, identity));
  pruneFolders(paths.due, dirname(identity));
}

/** @returns identities */
export async function listDue(paths: DataPaths): Promise<string[]> {
  const identities: string[] = [];
  for await (const file of filesUnder(paths.due)) identities.push(relative(paths.due, file));
  return identities;
}
