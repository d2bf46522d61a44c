/**
 * Room that is kept for what must not stop on a full disk: the journal, and Redis' file beside it. A file of real bytes that
 * is removed when the disk is full; downloads wait for KITEMIRROR_MIN_FREE and so never take what it leaves.
 */
import { randomFillSync } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import { unlinkFile } from './blobs.ts';
import { readFreeBytes } from './free.ts';
import type { DataPaths } from './paths.ts';
import { temporaryFile } from './temporary.ts';

export interface Reserve {
  /** @returns whether there was something to give */
  release(): boolean;
  /** Gives it when next to nothing is free, and makes it again when there is ample room. */
  look(): Promise<'kept' | 'released' | 'made' | 'none'>;
}

const mib = 1024 ** 2;
const reserveBytes = 16 * mib;
/** Made only where it is a small part of what is free: it must not be what fills the disk. */
const partOfFree = 8;

export function createReserve(paths: DataPaths, bytes: number = reserveBytes): Reserve {
  const release = (): boolean => {
    if (!existsSync(paths.reserve)) return false;
    unlinkFile(paths.reserve);
    return true;
  };
  return {
    release,
    look: async () => {
      const free = await readFreeBytes(paths.root);
      if (free < bytes / 8) return release() ? 'released' : 'none';
      if (existsSync(paths.reserve)) return 'kept';
      if (free < bytes * partOfFree) return 'none';
      await fill(paths, bytes);
      return 'made';
    },
  };
}

/** Random bytes: a file system that compresses would not keep room for zeros. */
async function fill(paths: DataPaths, bytes: number): Promise<void> {
  // The receiver may be there before the first worker has made the folders.
  await mkdir(paths.staging, { recursive: true });
  const temporary = temporaryFile(paths);
  const handle = await open(temporary, 'wx', 0o600);
  try {
    const chunk = randomFillSync(Buffer.allocUnsafe(Math.min(mib, bytes)));
    for (let written = 0; written < bytes; written += chunk.length) await handle.write(chunk);
    await handle.sync();
  } catch (thrown) {
    unlinkFile(temporary);
    throw thrown;
  } finally {
    await handle.close();
  }
  await rename(temporary, paths.reserve);
}
