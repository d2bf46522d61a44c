/**
 * What stands in every page and is decided by settings or by this release. Pages are written once: where those were made
 * otherwise, all are made again from the records.
 */
import { existsSync } from 'node:fs';
import { readIfPresent, writeAtomic } from './files.ts';
import type { DataPaths } from './paths.ts';
import { temporaryFile } from './temporary.ts';

/** Greater with each release whose pages older ones should look like. */
const release = 1;

export interface PageForm {
  /** Whether pages lead to an account. */
  readonly accounts: boolean;
  /** The public base URL, which lines to copy hold. */
  readonly url: string;
}

/** Notes how pages are made from now on. @returns whether those there are made again, which a worker begins soon */
export async function notePageForm(paths: DataPaths, form: PageForm): Promise<boolean> {
  const now = `${JSON.stringify({ release, ...form })}\n`;
  const before = await readIfPresent(paths.pageForm);
  if (before === now) return false;
  const isFresh = before === null && !existsSync(paths.catalog);
  // First what is due: a crash in between asks for it once more, and never once less.
  if (!isFresh) await writeAtomic(paths.rebuildDue, '', { temporary: temporaryFile(paths) });
  await writeAtomic(paths.pageForm, now, { temporary: temporaryFile(paths) });
  return !isFresh;
}
