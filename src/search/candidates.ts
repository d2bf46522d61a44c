/** What retention looks at, and what it comes to: the same for the worker that removes and for who only asks. */
import type { RetentionPolicy } from '../config/retention.ts';
import { formatDuration } from '../durations.ts';
import { MirrorError } from '../errors.ts';
import type { DataPaths } from '../tree/paths.ts';
import { pinnedBuilds } from '../tree/pins.ts';
import { readComparedAt } from '../tree/reconcile-state.ts';
import { damaged, orDamaged } from '../tree/records.ts';
import { type Candidate, type Selection, selectDrops } from '../tree/retention.ts';
import { measureBlobs } from '../tree/sweep.ts';
import { unsettledBuilds } from '../tree/unsettled.ts';
import type { Catalog } from './catalog.ts';

export interface Judged extends Selection {
  /** Every build of the catalog, with what keeps it. */
  readonly candidates: readonly Candidate[];
  /** Why no limit of age applies, for people; null: they do. */
  readonly agesWait: string | null;
}

export interface JudgeOptions {
  readonly policy: RetentionPolicy;
  /** ms between two comparisons with upstream. */
  readonly compareEveryMs: number;
  /** Our clock, ms since 1970. */
  readonly now: number;
}

/**
 * Our clock is believed so far beyond the last comparison, whose time is upstream's. Ages are hours at the finest, so that one
 * hour too early removes next to nothing too early; and a comparison that fails or takes long once or twice holds nothing up.
 */
const believedMs = 3_600_000;
const believedIntervals = 3;

/** @throws MirrorError ERR_NOT_READY while the catalog may lack builds: another would pass for the latest */
export async function judgeBuilds(
  paths: DataPaths,
  catalog: Pick<Catalog, 'entries' | 'totals' | 'stage'>,
  { policy, compareEveryMs, now }: JudgeOptions,
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
  const agesWait = await clockDoubt(paths, now, Math.max(believedMs, believedIntervals * compareEveryMs));
  const selection = selectDrops(candidates, policy, { now: agesWait === null ? now : null, storedBytes });
  return { candidates, agesWait, ...selection };
}

/**
 * A clock that jumped ahead would make everything old at once, and what ran while the mirror was down is not known before
 * a comparison. A mirror that never came to the end of one has nothing to go by, and its policy applies.
 */
async function clockDoubt(paths: DataPaths, now: number, atMostMs: number): Promise<string | null> {
  const comparedAt = await orDamaged(readComparedAt(paths));
  if (comparedAt === damaged) return 'when this mirror was last compared with Buildkite cannot be read';
  const beyondMs = comparedAt === null ? 0 : now - comparedAt;
  if (beyondMs <= atMostMs) return null;
  return `the clock is ${formatDuration(beyondMs)} beyond the last complete comparison with Buildkite`;
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
