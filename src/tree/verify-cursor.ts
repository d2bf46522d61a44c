/** How far the reading of all blobs is, for who reads a little now and then and for who goes on after a break. */
import { z } from 'zod';
import { readIfPresent, writeDerived } from './files.ts';
import type { DataPaths } from './paths.ts';

/** state/verify.json */
const VerifyCursor = z.object({
  version: z.literal(1),
  began_at: z.string(),
  /** The blob that was read last; null: none yet. */
  after: z.string().nullable(),
  blobs: z.number(),
  bytes: z.number(),
  damaged: z.number(),
  /** Blobs are read, and now it is the turn of records and names: the build that was looked at last; absent: not yet. */
  tree: z.object({ organization: z.string(), folder: z.string(), number: z.number() }).nullable().optional(),
  /** When all had been read; the next reading begins anew. */
  ended_at: z.string().nullable(),
});
export type VerifyCursor = z.infer<typeof VerifyCursor>;

/** A cursor that cannot be read costs a reading from the start. */
export async function readCursor(paths: DataPaths): Promise<VerifyCursor | null> {
  const text = await readIfPresent(paths.verifyCursor);
  if (text === null) return null;
  try {
    return VerifyCursor.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

export async function writeCursor(paths: DataPaths, cursor: VerifyCursor): Promise<void> {
  await writeDerived(paths, paths.verifyCursor, `${JSON.stringify(cursor)}\n`);
}

export function newCursor(): VerifyCursor {
  const began = new Date().toISOString();
  return { version: 1, began_at: began, after: null, blobs: 0, bytes: 0, damaged: 0, ended_at: null };
}
