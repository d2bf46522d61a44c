/** A part of a file of the tree, bounded, for who shows it. */
import { open } from 'node:fs/promises';
import { isAbsent } from './files.ts';

export interface FilePart {
  readonly bytes: Buffer;
  /** Of the whole file. */
  readonly size: number;
}

const regular = 0o100000;
const kindMask = 0o170000;
const readable = 0o444;

/** @returns null where there is no such file, or it was taken out of everyone's reach */
export async function readPart(file: string, from: number, length: number): Promise<FilePart | null> {
  const handle = await open(file, 'r').catch((thrown: unknown) => {
    if (isAbsent(thrown)) return null;
    throw thrown;
  });
  if (handle === null) return null;
  try {
    const { mode, size } = await handle.stat();
    // Root could read it all the same.
    if ((mode & kindMask) !== regular || (mode & readable) === 0) return null;
    const bytes = Buffer.alloc(Math.max(0, Math.min(length, size - from)));
    let held = 0;
    while (held < bytes.length) {
      const { bytesRead } = await handle.read(bytes, held, bytes.length - held, from + held);
      if (bytesRead === 0) break;
      held += bytesRead;
    }
    return { bytes: bytes.subarray(0, held), size };
  } finally {
    await handle.close();
  }
}
