/**
 * Sizes of files that were refused because the disk could never hold them: each an empty file of that name, so that any
 * number of workers may note one. When the disk can, the builds that lack files are looked at again.
 */
import { join } from 'node:path';
import { unlinkFile } from './blobs.ts';
import { listFolder, writeAtomic } from './files.ts';
import type { DataPaths } from './paths.ts';

export async function noteTooLarge({ tooLarge }: Pick<DataPaths, 'tooLarge'>, bytes: number): Promise<void> {
  await writeAtomic(join(tooLarge, String(bytes)), '');
}

/** @param most bytes that the disk can hold when it is empty · @returns the sizes noted that it can hold now */
export async function noLongerTooLarge({ tooLarge }: Pick<DataPaths, 'tooLarge'>, most: number): Promise<number[]> {
  const names = (await listFolder(tooLarge)).map(({ name }) => name);
  return names.filter((name) => /^\d+$/.test(name) && Number(name) <= most).map(Number);
}

export function forgetTooLarge({ tooLarge }: Pick<DataPaths, 'tooLarge'>, sizes: readonly number[]): void {
  for (const bytes of sizes) unlinkFile(join(tooLarge, String(bytes)));
}
