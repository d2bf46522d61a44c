/** verify: reads a slice of the blobs again, so that all have been read once in a while; what is wrong is set aside. */
import { MirrorError } from '../src/errors.ts';
import { logError } from '../src/log.ts';
import type { Outcome, TaskContext } from '../src/queue/run.ts';
import { isDue, running } from '../src/tree/marks.ts';
import { quarantineBlob } from '../src/tree/quarantine.ts';
import { type Verified, verifyBlobs } from '../src/tree/verify.ts';
import { newCursor, readCursor, type VerifyCursor, writeCursor } from '../src/tree/verify-cursor.ts';
import { walkBuilds } from '../src/tree/walk.ts';
import { checkOne, endCheck, newChecked } from './check-tree.ts';
import type { Upkeep } from './upkeep.ts';

const verifyEveryMs = 60_000;
/** Nothing is read more often than this, however little there is. */
const passEveryMs = 7 * 86_400_000;
/** A slice's share of a minute is read in a burst, and the disk is left alone for the rest. */
const burst = 4;
/** So long of a minute builds are looked at. */
const checkForMs = 2000;

/** Whether there is a slice to be read: a minute after the last one, and a week after all was read. */
export async function isVerifyDue({ paths, verifyRate }: Upkeep): Promise<boolean> {
  if (verifyRate === null || !isDue(paths, 'verify', verifyEveryMs)) return false;
  const ended = (await readCursor(paths))?.ended_at ?? null;
  // Also where it ended later than now: the clock was set back.
  return ended === null || Math.abs(Date.now() - Date.parse(ended)) > passEveryMs;
}

export async function verify(upkeep: Upkeep, context: TaskContext): Promise<Outcome> {
  const { signal, log } = context;
  const { paths, verifyRate: rate } = upkeep;
  if (rate === null) return undefined;
  const known = await readCursor(paths);
  const cursor = known === null || known.ended_at !== null ? newCursor() : known;
  if (cursor.tree !== undefined) return checkSlice(upkeep, cursor, context);
  const slice = await running(paths, 'verify', () =>
    verifyBlobs(paths, {
      after: cursor.after,
      rate: rate * burst,
      maxBytes: (rate * verifyEveryMs) / 1000,
      signal,
      onDamage: async (damage) => {
        await quarantineBlob(paths, damage);
        const { name, found } = damage;
        const fault = new MirrorError('ERR_TREE_CORRUPT', 'a blob is damaged', { blob: name, found });
        logError(log, fault, 'a blob is not what its name says; it is set aside and fetched again');
      },
    }),
  );
  await noteSlice(upkeep, cursor, slice);
  if (slice.damaged > 0) await upkeep.queue.enqueue({ name: 'repair', payload: {} });
  return undefined;
}

async function noteSlice({ paths, onVerified }: Upkeep, cursor: VerifyCursor, slice: Verified): Promise<void> {
  const [blobs, bytes, damaged] = [
    cursor.blobs + slice.blobs,
    cursor.bytes + slice.bytes,
    cursor.damaged + slice.damaged,
  ];
  const next = slice.after === null ? { tree: null } : {};
  await writeCursor(paths, { ...cursor, after: slice.after, blobs, bytes, damaged, ended_at: null, ...next });
  onVerified(slice.blobs - slice.damaged, slice.damaged, slice.bytes);
}

/** Records and names of some builds; which were the last, the cursor tells. */
async function checkSlice(upkeep: Upkeep, cursor: VerifyCursor, context: TaskContext): Promise<Outcome> {
  const total = newChecked();
  const until = performance.now() + checkForMs;
  await running(upkeep.paths, 'verify', async () => {
    for await (const place of walkBuilds(upkeep.paths, cursor.tree ?? null)) {
      context.signal.throwIfAborted();
      await checkOne(upkeep, place, total, context);
      if (performance.now() < until) continue;
      await writeCursor(upkeep.paths, { ...cursor, tree: place });
      return;
    }
    await writeCursor(upkeep.paths, { ...cursor, ended_at: new Date().toISOString() });
  });
  await endCheck(upkeep, total, context);
  return undefined;
}
