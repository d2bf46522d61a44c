/** Pins: builds of which retention removes nothing, whatever the policy says. Only their uuid counts. */
import { z } from 'zod';
import { Uuid } from '../model.ts';
import { unlinkFile } from './blobs.ts';
import { listFolder, readIfPresent, writeAtomic } from './files.ts';
import type { DataPaths } from './paths.ts';
import { throughStaging } from './temporary.ts';

/** state/pins/<build>.json */
export const Pin = z.object({
  version: z.literal(1),
  build: Uuid,
  /** As it was called when it was pinned, for people. */
  organization: z.string(),
  pipeline: z.string(),
  number: z.number(),
  reason: z.string().nullable(),
  pinned_at: z.string(),
});
export type Pin = z.infer<typeof Pin>;

export async function writePin(paths: DataPaths, pin: Pin): Promise<void> {
  await writeAtomic(paths.pin(pin.build), `${JSON.stringify(pin)}\n`, throughStaging(paths));
}

export async function isPinned(paths: DataPaths, build: string): Promise<boolean> {
  return (await readIfPresent(paths.pin(build))) !== null;
}

export function removePin(paths: DataPaths, build: string): void {
  unlinkFile(paths.pin(build));
}

/** By the file's name alone: a pin that cannot be read is a pin. */
export async function pinnedBuilds(paths: DataPaths): Promise<Set<string>> {
  const names = (await listFolder(paths.pins)).map(({ name }) => name);
  return new Set(names.flatMap((name) => (name.endsWith('.json') ? [name.slice(0, -'.json'.length)] : [])));
}

export async function listPins(paths: DataPaths): Promise<Pin[]> {
  const pins: Pin[] = [];
  for (const build of await pinnedBuilds(paths)) {
    const text = await readIfPresent(paths.pin(build));
    if (text !== null) pins.push(Pin.parse(JSON.parse(text)));
  }
  return pins.toSorted((a, b) => (a.pinned_at < b.pinned_at ? -1 : 1));
}
