/**
 * The ledger: every build that is unsettled or incomplete, and why. Made from the index of gaps, the catalog and the job
 * records; what it costs depends on how many builds it shows, not on how many are mirrored.
 */
import { unseenReason } from '../buildkite/sight.ts';
import type { BuildRecord, BuildSummary, FileState, JobRecord } from '../model.ts';
import type { Catalog } from '../search/catalog.ts';
import type { Entry } from '../search/catalog-rows.ts';
import type { DataPaths, Place } from '../tree/paths.ts';
import { damaged, orDamaged, readBuildRecord, readJobRecord } from '../tree/records.ts';
import { listOpenGaps, readUnsettled, type UnsettledBuild } from '../tree/unsettled.ts';

export interface LedgerReason {
  readonly state: FileState;
  readonly reason: string;
  /** Files; 0 where it is not known how many there are. */
  readonly count: number;
  /** Some of their paths. */
  readonly examples: readonly string[];
}

export interface LedgerEntry {
  readonly id: string;
  readonly organization: string;
  readonly pipeline: string;
  readonly number: number;
  /** The build's page; null while there is none. */
  readonly url: string | null;
  readonly branch: string | null;
  readonly state: string | null;
  readonly learned_from: UnsettledBuild['learnedFrom'];
  /** ISO 8601: since when it is a gap; of a settled build, when it was last published. */
  readonly since: string;
  readonly settled: boolean;
  readonly complete: boolean;
  readonly expected: number;
  readonly present: number;
  readonly reasons: readonly LedgerReason[];
}

export interface LedgerParts {
  readonly paths: DataPaths;
  readonly catalog: Pick<Catalog, 'incomplete' | 'find'> | null;
}

export interface LedgerPage {
  readonly builds: readonly LedgerEntry[];
  /** To be given as `after`; null: that was the last page. */
  readonly next: string | null;
}

/** Of a larger build the reasons are those of its first jobs with a gap. */
const jobsRead = 50;
const examplesShown = 3;

/** By the builds' uuids, which are in the order of time. @param after the last one of the page before */
export async function readLedger(
  { paths, catalog }: LedgerParts,
  { after, limit }: { readonly after: string | null; readonly limit: number },
): Promise<LedgerPage> {
  const open = (await listOpenGaps(paths)).filter((name) => name > (after ?? ''));
  const incomplete = new Map(
    catalog?.incomplete({ after, limit: limit + 1 }).map((found) => [found.summary.id, found]),
  );
  const ids = [...new Set([...open, ...incomplete.keys()])].toSorted().slice(0, limit + 1);
  const builds: LedgerEntry[] = [];
  for (const id of ids.slice(0, limit)) {
    const entry = await entryOf(paths, id, incomplete.get(id) ?? catalog?.find(id) ?? null);
    if (entry !== null) builds.push(entry);
  }
  return { builds, next: ids.length > limit ? (ids[limit - 1] ?? null) : null };
}

/** @returns null where the gap was closed meanwhile */
async function entryOf(paths: DataPaths, id: string, entry: Entry | null): Promise<LedgerEntry | null> {
  const gap = await readUnsettled(paths, id);
  if (entry === null) return gap === null ? null : unread(gap);
  const { summary, folder } = entry;
  if (gap === null && summary.complete) return null;
  const place: Place = { organization: summary.organization, folder, number: summary.number };
  const found = await reasonsOf(paths, place, summary, gap !== null);
  const reasons = [...unseenOf(gap, found), ...found];
  return {
    ...identityOf(summary),
    url: `/${summary.organization}/${folder}/builds/${summary.number}/`,
    branch: summary.branch,
    state: summary.state,
    learned_from: summary.learned_from,
    since: gap?.since ?? summary.mirrored_at,
    settled: summary.settled && gap === null,
    complete: summary.complete,
    expected: summary.expected,
    present: summary.present,
    reasons: reasons.length > 0 ? reasons : [plainReason(summary)],
  };
}

function identityOf({ id, organization, pipeline, number }: BuildSummary) {
  return { id, organization, pipeline, number };
}

function unread(gap: UnsettledBuild): LedgerEntry {
  const { build, organization, pipeline, number, learnedFrom, since } = gap;
  return {
    id: build,
    organization,
    pipeline,
    number,
    url: null,
    branch: null,
    state: null,
    learned_from: learnedFrom,
    since,
    settled: false,
    complete: false,
    expected: 0,
    present: 0,
    reasons: gap.unseenSince == null ? [unasked] : unseenOf(gap, []),
  };
}

const unasked: LedgerReason = {
  state: 'pending',
  reason: 'Buildkite has not been asked yet, or has not answered',
  count: 0,
  examples: [],
};

/** Where upstream shows nothing of the pipeline and no file says so. */
function unseenOf(gap: UnsettledBuild | null, files: readonly LedgerReason[]): LedgerReason[] {
  if (gap?.unseenSince == null || files.some(({ reason }) => reason === unseenReason)) return [];
  return [{ state: 'pending', reason: unseenReason, count: 0, examples: [] }];
}

function plainReason({ finished_at: end, complete }: BuildSummary): LedgerReason {
  const reason =
    end === null ? 'the build has not ended' : complete ? 'it is looked at again' : 'jobs of it are still to be listed';
  return { state: 'pending', reason, count: 0, examples: [] };
}

const notMissing: ReadonlySet<FileState> = new Set([
  'present',
  'errored',
  'excluded',
  'superseded',
  'dropped',
  'purged',
]);

const damagedRecord = 'a record of it was damaged, and is being made again';

async function reasonsOf(
  paths: DataPaths,
  place: Place,
  summary: BuildSummary,
  isOpen: boolean,
): Promise<LedgerReason[]> {
  const build = await orDamaged(readBuildRecord(paths, place));
  if (build === damaged) return [{ state: 'pending', reason: damagedRecord, count: 0, examples: ['build.json'] }];
  if (build === null || build.id !== summary.id) return [];
  const found = new Map<string, LedgerReason>();
  const lacking = lackingJobs(build);
  // Where nothing is said to be missing, what is open may be a record itself.
  const jobs = lacking.length === 0 && isOpen ? build.jobs.filter(({ url }) => url !== null) : lacking;
  for (const job of jobs.slice(0, jobsRead)) {
    const record = await orDamaged(readJobRecord(paths, place, job.id));
    if (record === damaged) {
      found.set(job.id, {
        state: 'pending',
        reason: damagedRecord,
        count: job.expected,
        examples: [job.name ?? job.id],
      });
      continue;
    }
    for (const file of record === null ? [] : missingOf(record)) {
      const key = `${file.state} ${file.reason}`;
      const known = found.get(key) ?? { ...file, count: 0, examples: [] };
      const examples = known.examples.length < examplesShown ? [...known.examples, file.path] : known.examples;
      found.set(key, { state: file.state, reason: file.reason, count: known.count + 1, examples });
    }
  }
  return [...found.values()].toSorted((left, right) => right.count - left.count);
}

function lackingJobs({ jobs }: BuildRecord): BuildRecord['jobs'] {
  return jobs.filter(({ url, settled, expected, present }) => url !== null && (!settled || present < expected));
}

function missingOf({ artifacts, log }: JobRecord): { state: FileState; reason: string; path: string }[] {
  const files = [...artifacts, ...(log === null ? [] : [{ ...log, path: 'log.txt' }])];
  return files
    .filter(({ state }) => !notMissing.has(state))
    .map(({ state, reason, path }) => ({ state, reason: reason ?? 'not fetched yet', path }));
}
