/** sweep: deletes blobs that nothing shows any more. */
import type { Outcome, TaskContext } from '../src/queue/run.ts';
import type { Payload } from '../src/queue/tasks.ts';
import { writeAudit } from '../src/tree/audit.ts';
import { dueSince, strikeDue } from '../src/tree/due.ts';
import { writtenAt } from '../src/tree/files.ts';
import { running } from '../src/tree/marks.ts';
import { shardCount, sweepBlobs } from '../src/tree/sweep.ts';
import { sweepNow } from './derived.ts';
import { releaseSweep } from './rebuild.ts';
import type { Upkeep } from './upkeep.ts';

/** What lost its last name only now may be on its way to another. Safe without; it spares a second download. */
const graceMs = 10 * 60_000;

export async function sweep(upkeep: Upkeep, task: Payload<'sweep'>, context: TaskContext): Promise<Outcome> {
  const { signal, log } = context;
  const { paths } = upkeep;
  const grace = task.graceMs ?? graceMs;
  const since = dueSince(paths, sweepNow);
  // Blobs of a restored backup have no name in the tree yet.
  if (writtenAt(paths.rebuildDue) !== null) {
    log.warn('nothing is swept before all was made again from the records (kitemirror rebuild)');
    return undefined;
  }
  const swept = await running(paths, 'sweep', async (at) => {
    if (!(await releaseSweep(upkeep, context))) return null;
    const onProgress = (shards: number): void => at(shards, shardCount);
    return sweepBlobs(paths, { graceMs: grace, signal, onProgress });
  });
  if (swept === null) return undefined;
  if (grace === 0) strikeDue(paths, sweepNow, since);
  if (swept.unknown.length > 0)
    log.warn({ files: swept.unknown }, 'files among the blobs that are none are left alone');
  // Every blob was looked at: what was counted along and lost by a crash, a purge or a repair is made good.
  upkeep.catalog.noteStored(swept.keptBytes);
  if (swept.removed === 0) return undefined;
  upkeep.onRemoved('blob', 'unlinked', swept.removed);
  upkeep.onFreed(swept.bytes);
  const reason = 'nothing showed them any more';
  await writeAudit(paths, { action: 'sweep', what: 'blobs', files: swept.removed, bytes: swept.bytes, reason });
  log.info({ blobs: swept.removed, bytes: swept.bytes, of: swept.seen }, 'blobs that nothing shows were removed');
  return undefined;
}
