/** Keeps the access log within bounds: full, it becomes `access.log.1`, and the oldest goes. */
import { renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { unlinkFile } from './blobs.ts';
import { isAbsent } from './files.ts';
import type { DataPaths } from './paths.ts';

/** The current one and three older ones. */
const kept = 4;

/**
 * @param maxBytes of all of them together
 * @returns whether it was rotated: then Lighttpd is to open it anew
 */
export function rotateAccessLog(paths: DataPaths, maxBytes: number): boolean {
  const log = join(paths.logs, 'access.log');
  const size = statSync(log, { throwIfNoEntry: false })?.size ?? 0;
  if (size < maxBytes / kept) return false;
  unlinkFile(`${log}.${kept - 1}`);
  for (let older = kept - 2; older >= 1; older -= 1) renameIfThere(`${log}.${older}`, `${log}.${older + 1}`);
  renameIfThere(log, `${log}.1`);
  return true;
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (thrown) {
    if (!isAbsent(thrown)) throw thrown;
  }
}
