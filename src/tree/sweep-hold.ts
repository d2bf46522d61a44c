/**
 * What keeps blobs from being swept: builds with a record that cannot be read, or that is about to show again what it had
 * lost. After a restored backup those bytes have no other name than their blob's.
 */
import { z } from 'zod';
import { unlinkFile } from './blobs.ts';
import { writeAtomic } from './files.ts';
import type { DataPaths, Place } from './paths.ts';
import { readRecord } from './records.ts';
import { sealed } from './sealed.ts';
import { throughStaging } from './temporary.ts';

/** state/sweep-held.json */
const SweepHold = z.object({
  version: z.literal(1),
  since: z.string(),
  places: z.array(z.object({ organization: z.string(), folder: z.string(), number: z.number() })),
});
export type SweepHold = z.infer<typeof SweepHold>;

/**
 * @returns null where nothing is held
 * @throws MirrorError ERR_TREE_CORRUPT
 */
export async function readSweepHold(paths: DataPaths): Promise<SweepHold | null> {
  return readRecord(paths.sweepHeld, (value) => SweepHold.parse(value));
}

/** In the place of what held it before. @param places of such builds; none lets it go */
export async function holdSweep(paths: DataPaths, places: readonly Place[], since: string | null): Promise<void> {
  if (places.length === 0) return unlinkFile(paths.sweepHeld);
  const hold: SweepHold = { version: 1, since: since ?? new Date().toISOString(), places: [...places] };
  await writeAtomic(paths.sweepHeld, sealed(hold), throughStaging(paths));
}

export function addressOf({ organization, folder, number }: Place): string {
  return `/${organization}/${folder}/builds/${number}`;
}
