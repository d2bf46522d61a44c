/**
 * Keys of the mirror's own making, one a line in hexadecimal, the newest first: the first is used, the first two are
 * believed, so that a new one can take over. lighttpd/content.lua reads the same file.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { errnoOf } from '../errors.ts';

const keyBytes = 32;

/** Makes the file at the first start, whichever program comes first; afterwards it is left alone. */
export function ensureKeys(file: string): void {
  if (existsSync(file)) return;
  const folder = dirname(file);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const mine = join(folder, `.${randomBytes(8).toString('hex')}.tmp`);
  writeFileSync(mine, `${randomBytes(keyBytes).toString('hex')}\n`, { mode: 0o600, flush: true });
  try {
    linkSync(mine, file);
  } catch (thrown) {
    if (errnoOf(thrown) !== 'EEXIST') throw thrown;
  } finally {
    rmSync(mine);
  }
}
