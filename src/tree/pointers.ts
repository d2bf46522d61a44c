/** Pointer files: a stable address is answered by Lighttpd from one small file that names a build's number. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf } from '../errors.ts';
import { unlinkFile } from './blobs.ts';
import { diskError } from './files.ts';

/**
 * Synchronous, because it runs inside the catalog's transaction, which is what orders the writers.
 * @param number null removes the pointer
 */
export function writePointer(file: string, number: number | null): void {
  if (number === null) {
    unlinkFile(file);
    return;
  }
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`;
  const write = (): void => writeFileSync(temporary, `${number}\n`, { flag: 'wx' });
  try {
    try {
      write();
    } catch (thrown) {
      if (errnoOf(thrown) !== 'ENOENT') throw thrown;
      mkdirSync(dirname(file), { recursive: true });
      write();
    }
    renameSync(temporary, file);
  } catch (thrown) {
    throw diskError(thrown, 'cannot write a pointer');
  }
}
