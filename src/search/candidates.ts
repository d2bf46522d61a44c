/** What retention looks at, and what it comes to: the same for the worker that removes and for who only asks. */
import type { RetentionPolicy } from '../config/retention.ts';
import { MirrorError } from '../errors.ts';
import type { DataPaths } from '../tree/paths.ts';
import { pinnedBuilds } from '../tree/pins.ts';
import { type Candidate, type Selection, selectDrops } from '../tree/retention.ts';
import { measureBlobs } from '../tree/sweep.ts';
import { unsettledBuilds } from '../tree/unsettled.ts';
import type { Catalog } from './catalog.ts';

export interface Judged extends Selection {
  /** Every build of the catalog, with what keeps it. */
  readonly candidates: readonly Candidate[];
}

/** @throws MirrorError ERR_NOT_READY while the catalog may lack builds: another would pass for the latest */
export async function judgeBuilds(
  paths: DataPaths,
  catalog: Pick<Catalog, 'entries' | 'totals' | 'stage'>,
  policy: RetentionPolicy,
  signal: AbortSignal,
): Promise<Judged> {
  if (catalog.stage() === 'partial') {
    const why = 'the catalog is being made again from the records; nothing is removed before it has all builds';
    throw new MirrorError('ERR_NOT_READY', why);
  }
  const [pins, open] = [await pinnedBuilds(paths), await unsettledBuilds(paths)];
  const storedBytes = await readStoredBytes(paths, catalog, policy, signal);
  const candidates = Array.from(catalog.entries(), ({ folder, summary }) => ({
    folder,
    summary,
    pinned: pins.has(summary.id),
    unsettled: open.has(summary.id),
  }));
  return { candidates, ...selectDrops(candidates, policy, { now: Date.now(), storedBytes }) };
}

/**
 * Before anything goes because of its size, the blobs themselves are looked at, and only those that something shows: bytes
 * that wait for a sweep are no reason to remove more, and the sum that is counted along may be behind after a crash.
 */
async function readStoredBytes(
  paths: DataPaths,
  catalog: Pick<Catalog, 'totals'>,
  { maxBytes }: RetentionPolicy,
  signal: AbortSignal,
): Promise<number> {
  const { storedBytes } = catalog.totals();
  if (maxBytes === null || storedBytes <= maxBytes) return storedBytes;
  return (await measureBlobs(paths, signal)).shownBytes;
}
