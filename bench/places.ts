/** Where a bench works: on a memory file system, and on the disk that the system's temporary folder is on. */
import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Place {
  readonly name: 'memory' | 'disk';
  /** Made for this bench, and removed with all that is in it. */
  readonly folder: string;
  remove(): void;
}

/** TMPFS_MAGIC of statfs(2) */
const tmpfs = 0x01021994;
const roots = { memory: '/dev/shm', disk: tmpdir() } as const;

/** @returns why it cannot be had, where it cannot. @param bytes that it must have room for */
export function openPlace(name: Place['name'], bytes: number): Place | string {
  const root = roots[name];
  const isMemory = typeOf(root) === tmpfs;
  if (isMemory !== (name === 'memory')) return `${root} is ${isMemory ? '' : 'not '}a memory file system`;
  const { bavail, bsize } = statfsSync(root);
  if (bavail * bsize < bytes * 1.1) return `${root} has too little room (${Math.ceil(bytes / 1e6)} MB are needed)`;
  const folder = mkdtempSync(join(root, 'kitemirror-bench-'));
  return { name, folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

function typeOf(folder: string): number | null {
  try {
    return statfsSync(folder).type;
  } catch {
    // No such folder on this machine: then it is of no type.
    return null;
  }
}
