/** Room on the disk of the data folder. */
import { statfs } from 'node:fs/promises';

/** Bytes that an unprivileged process may still write. */
export async function readFreeBytes(root: string): Promise<number> {
  const { bavail, bsize } = await statfs(root);
  return bavail * bsize;
}

export interface Disk {
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** 0 where the file system does not count them. */
  readonly totalInodes: number;
  readonly freeInodes: number;
}

export async function readDisk(root: string): Promise<Disk> {
  const { bavail, blocks, bsize, files, ffree } = await statfs(root);
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize, totalInodes: files, freeInodes: ffree };
}
