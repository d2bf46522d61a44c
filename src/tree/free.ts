/** Room on the disk of the data folder. */
import { statfs } from 'node:fs/promises';

/** Bytes that an unprivileged process may still write. */
export async function readFreeBytes(root: string): Promise<number> {
  const { bavail, bsize } = await statfs(root);
  return bavail * bsize;
}
