/** Waits a while for builds whose records are made again: their gaps tell when that is done. */
import { setTimeout as sleep } from 'node:timers/promises';
import { writtenAt } from '../tree/files.ts';
import type { CommandContext } from './command.ts';
import { openPaths } from './parts.ts';

/** Upstream may be slow, and its budget spent. */
const mendedWithinMs = 60_000;
const lookEveryMs = 200;

/** @param builds uuids @returns how many are still open */
export async function awaitMended(context: CommandContext, builds: readonly string[]): Promise<number> {
  const paths = openPaths(context);
  const until = Date.now() + mendedWithinMs;
  for (;;) {
    const open = builds.filter((build) => writtenAt(paths.unsettledBuild(build)) !== null).length;
    if (open === 0 || Date.now() > until) return open;
    await sleep(lookEveryMs, undefined, { signal: context.signal });
  }
}
