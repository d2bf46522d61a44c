/**
 * Files that count for as long as the process runs that made them: what one worker tells the others of a data folder, and
 * commands. Beside each lies a lock of the kernel's, so that no process id that another has now, or that is another
 * container's, speaks for a dead one.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { unlinkFile } from './blobs.ts';
import { namesIn } from './files.ts';
import { takeLock } from './lock.ts';

export interface Present {
  /** Ours to write. */
  readonly file: string;
  /** What it says counts no more. */
  leave(): void;
}

/** @param folder made when absent */
export function bePresent(folder: string): Present {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, randomUUID());
  // Under a name that nobody asks for until it is locked.
  const hidden = join(folder, `.${randomUUID()}`);
  writeFileSync(hidden, '');
  const lock = takeLock(hidden);
  if (lock === null) throw new Error('a file that nobody knows is locked');
  renameSync(hidden, lockOf(file));
  return {
    file,
    leave: () => {
      unlinkFile(file);
      unlinkFile(lockOf(file));
      lock.release();
    },
  };
}

/** Those of processes that still run, also where they have not yet written them; of a dead one nothing is left after that. */
export function presentFiles(folder: string): string[] {
  return namedFiles(folder).filter((file) => !isDead(file));
}

/** Also those of processes that have died. */
export function namedFiles(folder: string): string[] {
  const ends = '.lock';
  return namesIn(folder)
    .filter((name) => !name.startsWith('.') && name.endsWith(ends))
    .map((name) => join(folder, name.slice(0, -ends.length)));
}

/** @returns whether its process has ended; then it is gone */
export function isDead(file: string): boolean {
  const lock = takeLock(lockOf(file));
  if (lock === null) return false;
  unlinkFile(file);
  unlinkFile(lockOf(file));
  lock.release();
  return true;
}

function lockOf(file: string): string {
  return `${file}.lock`;
}
