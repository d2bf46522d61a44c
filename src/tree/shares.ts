/**
 * What the processes of one data folder have reserved of its disk: a number of each, in a file that counts while its process
 * runs, read and raised by one at a time, so that no two of them are promised the same bytes.
 */
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MirrorError } from '../errors.ts';
import { isAbsent } from './files.ts';
import { takeLock } from './lock.ts';
import type { DataPaths } from './paths.ts';
import { bePresent, isDead, namedFiles } from './present.ts';

export interface Shares {
  /**
   * Does it while no other process does; it must not wait for anything.
   * @throws MirrorError ERR_TREE_FULL when that is not to be had for a while
   */
  alone<T>(work: (table: Table) => T): Promise<T>;
}

export interface Table {
  /** What all others hold, bytes. @param sure also looks which of them have died: theirs counts no more */
  others(sure: boolean): number;
  /** What we hold from now on. */
  hold(bytes: number): void;
}

const patienceMs = 10_000;
/** Of one width, so that it is written over in its place: that works on a full disk. */
const digits = 16;

/** @throws the errno of a disk on which no file can be made */
export function openShares({ shares: folder }: Pick<DataPaths, 'shares'>): Shares {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const mutex = join(folder, 'mutex');
  writeFileSync(mutex, '', { flag: 'a' });
  const own = bePresent(folder);
  const fd = openSync(own.file, 'w');
  const hold = (bytes: number): void => void writeSync(fd, String(bytes).padStart(digits, '0'), 0);
  try {
    hold(0);
  } catch (thrown) {
    closeSync(fd);
    own.leave();
    throw thrown;
  }
  const others = (sure: boolean): number =>
    namedFiles(folder)
      .filter((file) => file !== own.file)
      .map((file) => [file, heldIn(file)] as const)
      .filter(([file, bytes]) => bytes > 0 && !(sure && isDead(file)))
      .reduce((sum, [, bytes]) => sum + bytes, 0);
  // What earlier processes left.
  for (const file of namedFiles(folder)) if (file !== own.file) isDead(file);
  return {
    alone: async (work) => {
      const lock = await taking(mutex);
      try {
        return work({ others, hold });
      } finally {
        lock.release();
      }
    },
  };
}

async function taking(mutex: string): Promise<{ release(): void }> {
  const until = performance.now() + patienceMs;
  for (;;) {
    const lock = takeLock(mutex);
    if (lock !== null) return lock;
    if (performance.now() > until)
      throw new MirrorError('ERR_TREE_FULL', 'another worker keeps what is reserved of the disk to itself');
    await sleep(1 + Math.random() * 5);
  }
}

/** One that has only just come, or is gone, holds nothing. */
function heldIn(file: string): number {
  try {
    return Number(readFileSync(file, 'utf8')) || 0;
  } catch (thrown) {
    if (isAbsent(thrown)) return 0;
    throw thrown;
  }
}
