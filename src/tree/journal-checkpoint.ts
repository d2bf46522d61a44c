/** spool/enqueued.json: up to which place of the journal the queue that bears `mark` was given everything. */
import { join } from 'node:path';
import { z } from 'zod';
import type { Log } from '../log.ts';
import { readIfPresent, writeAtomic } from './files.ts';
import { Position } from './journal-segments.ts';

const StoredCheckpoint = z.object({ version: z.literal(1), mark: z.string(), position: Position });
export type Checkpoint = Omit<z.infer<typeof StoredCheckpoint>, 'version'>;

/** @returns null when there is none, or none that can be read: then nothing counts as enqueued */
export async function readCheckpoint(folder: string, log: Log): Promise<Checkpoint | null> {
  const text = await readIfPresent(checkpointFile(folder));
  if (text === null) return null;
  try {
    const { mark, position } = StoredCheckpoint.parse(JSON.parse(text));
    return { mark, position };
  } catch (fault) {
    log.warn({ error: String(fault) }, 'the journal’s checkpoint cannot be read; all entries are enqueued again');
    return null;
  }
}

export async function writeCheckpoint(folder: string, { mark, position }: Checkpoint): Promise<void> {
  await writeAtomic(checkpointFile(folder), JSON.stringify({ version: 1, mark, position }));
}

function checkpointFile(folder: string): string {
  return join(folder, 'enqueued.json');
}
