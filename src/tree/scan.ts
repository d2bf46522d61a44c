/** Looks for bytes in files: where a leaked value is, and whether none of it is left. */
import { closeSync, type Dirent, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { errnoOf } from '../errors.ts';
import { listFolder } from './files.ts';
import { encodePath } from './paths.ts';

const chunkBytes = 1024 * 1024;

/** Every file below a folder that `picks` picks; its path. A name that comes or goes meanwhile may be missed. */
export async function* filesUnder(
  folder: string,
  picks: (entry: Dirent) => boolean = () => true,
): AsyncGenerator<string> {
  for (const entry of await listFolder(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesUnder(path, picks);
    else if (entry.isFile() && picks(entry)) yield path;
  }
}

/** Whether a file holds any of these bytes. One that is gone holds nothing. */
export async function holds(file: string, needles: readonly Buffer[]): Promise<boolean> {
  const overlap = Math.max(...needles.map(({ length }) => length)) - 1;
  const buffer = Buffer.allocUnsafe(chunkBytes + overlap);
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT') return false;
    throw thrown;
  }
  try {
    let kept = 0;
    for (;;) {
      const count = readSync(fd, buffer, kept, chunkBytes, null);
      if (count === 0) return false;
      const seen = buffer.subarray(0, kept + count);
      if (needles.some((needle) => seen.includes(needle))) return true;
      kept = Math.min(overlap, seen.length);
      buffer.copyWithin(0, seen.length - kept, seen.length);
      await nextTurn();
    }
  } finally {
    closeSync(fd);
  }
}

/** A text as files may hold it: as it is, and as JSON, HTML and addresses write it. */
export function spellings(literal: Buffer): Buffer[] {
  const text = literal.toString('utf8');
  if (!Buffer.from(text).equals(literal)) return [literal];
  const html = text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
  const all = [text, JSON.stringify(text).slice(1, -1), html, encodeURIComponent(text), encodePath(text)];
  return [...new Set(all)].map((each) => Buffer.from(each));
}
