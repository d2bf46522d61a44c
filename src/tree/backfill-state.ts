/** state/backfills/<name>.json: how far a backfill has read the list of builds, so that it goes on there. */
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { listFolder, readIfPresent, writeAtomic, writtenAt } from './files.ts';
import type { DataPaths } from './paths.ts';
import { WalkPlace } from './reconcile-state.ts';
import { throughStaging } from './temporary.ts';

const BackfillState = z.object({
  version: z.literal(2),
  /** Between which it lists (ISO 8601), from when it was begun on. */
  since: z.string().nullable(),
  until: z.string().nullable(),
  begun_at: z.string(),
  /** Which of the pipelines that were named; 0 where none was. Beyond them: the same once more, of what came later. */
  list: z.number(),
  place: WalkPlace,
  recorded: z.number(),
});
export type BackfillState = z.infer<typeof BackfillState>;

/** "The last 14 days" is another range by then. */
const goodForMs = 7 * 86_400_000;

/**
 * @returns null where it was not begun, or long ago, or what was written cannot be read: then it begins anew, which loses
 *   nothing
 */
export async function readBackfill(paths: DataPaths, name: string): Promise<BackfillState | null> {
  const text = await readIfPresent(paths.backfill(name));
  if (text === null) return null;
  try {
    const state = BackfillState.safeParse(JSON.parse(text)).data ?? null;
    return state !== null && Date.now() - Date.parse(state.begun_at) < goodForMs ? state : null;
  } catch (fault) {
    if (fault instanceof SyntaxError) return null;
    throw fault;
  }
}

export async function writeBackfill(paths: DataPaths, name: string, state: BackfillState): Promise<void> {
  await writeAtomic(paths.backfill(name), `${JSON.stringify(state)}\n`, throughStaging(paths));
}

/** Removes its note, and those of others that were broken off so long ago that nothing goes on from them. */
export async function endBackfill(paths: DataPaths, name: string): Promise<void> {
  const own = paths.backfill(name);
  await rm(own, { force: true });
  for (const { name: file } of await listFolder(dirname(own))) {
    const note = join(dirname(own), file);
    if (Date.now() - (writtenAt(note) ?? Date.now()) >= goodForMs) await rm(note, { force: true });
  }
}
