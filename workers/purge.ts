/**
 * purge: removes what tombstones name from everywhere. Readers were cut off by the inode's permission before; here follow
 * records, names, what is derived, and last the blobs' own names. Each step may have been done before.
 */
import { dirname, join, relative } from 'node:path';
import { logError } from '../src/log.ts';
import { countFiles, type JobRecord } from '../src/model.ts';
import type { Outcome, TaskContext } from '../src/queue/run.ts';
import { writeAudit } from '../src/tree/audit.ts';
import { copiesOf, unlinkFile } from '../src/tree/blobs.ts';
import { listFolder, readIfPresent, writeAtomic } from '../src/tree/files.ts';
import { type OnProgress, running } from '../src/tree/marks.ts';
import { type DataPaths, fileOf, type Place, possibleFiles } from '../src/tree/paths.ts';
import { damaged, orDamaged, readJobRecord } from '../src/tree/records.ts';
import { unlinkFiles, unlinkNamesOf } from '../src/tree/remove.ts';
import { forgetKept } from '../src/tree/salvaged.ts';
import { filesUnder } from '../src/tree/scan.ts';
import {
  listTombstones,
  type Redact,
  redactor,
  type Tombstone,
  withoutPurgedNames,
  writeTombstone,
} from '../src/tree/tombstones.ts';
import { listOpenGaps, listStubs, readStub, removeStub, writeStub } from '../src/tree/unsettled.ts';
import { readUpstreamView, writeUpstreamView } from '../src/tree/upstream-view.ts';
import { readJobs, walkBuilds } from '../src/tree/walk.ts';
import { forgetListings } from './build-pages.ts';
import { askForLook, workAt } from './damaged-record.ts';
import { forgetLogPage } from './log-pages.ts';
import { publishBuild } from './publish-build.ts';
import { publishPipeline } from './publish-pipeline.ts';
import { type Lost, newTally } from './purge-tally.ts';
import { saveJob } from './save-job.ts';
import type { Upkeep } from './upkeep.ts';

export async function purge(upkeep: Upkeep, context: TaskContext): Promise<Outcome> {
  await running(upkeep.paths, 'purge', (at) => purgeAll(upkeep, context, at));
  return undefined;
}

interface Purged {
  /** Files of jobs that are not shown any more. */
  readonly files: number;
  readonly builds: number;
}

async function purgeAll(upkeep: Upkeep, { signal, log }: TaskContext, at: OnProgress): Promise<Purged> {
  const { paths, catalog } = upkeep;
  const open = (await listTombstones(paths)).filter(({ done_at: done }) => done === null);
  const total = { files: 0, builds: 0 };
  if (open.length === 0) return total;
  const digests = new Set(open.flatMap(({ sha256 }) => sha256));
  const redact = redactor(open);
  const builds = catalog.totals().builds;
  const tally = newTally(paths, open);
  let seen = 0;
  try {
    for await (const place of walkBuilds(paths)) {
      signal.throwIfAborted();
      at((seen += 1), Math.max(seen, builds));
      const wanted = { digests, redact, isBegun: tally.isBegun(place), begin: () => tally.begin(place) };
      const files = await purgeBuild(upkeep, place, wanted, signal);
      tally.end(place);
      if (files === null) continue;
      tally.count(files);
      total.builds += 1;
      total.files += files.length;
    }
  } catch (thrown) {
    // The next run counts on from there; one that cannot be noted now is not counted then.
    await tally.note().catch((error: unknown) => logError(log, error, 'what was purged so far could not be noted'));
    throw thrown;
  }
  await purgeStubs(upkeep, redact, signal);
  for (const sha256 of digests) await removeBytes(paths, sha256);
  await forgetKept(paths, (file) => says(file, redact));
  catalog.scrub();
  await upkeep.search.scrub();
  for (const tombstone of tally.counted()) await finish(upkeep, tombstone);
  log.warn({ ...total, blobs: digests.size }, 'purged');
  return total;
}

interface Wanted {
  readonly digests: ReadonlySet<string>;
  readonly redact: Redact;
  /** An earlier run had begun with this build, and may not have come to what is derived of it. */
  readonly isBegun: boolean;
  /** To be called before something of it is changed. */
  readonly begin: () => Promise<void>;
}

/** @returns the files that it lost; null where it had nothing of it */
async function purgeBuild(upkeep: Upkeep, place: Place, wanted: Wanted, signal: AbortSignal): Promise<Lost[] | null> {
  const { paths } = upkeep;
  const read = await orDamaged(readUpstreamView(paths, place));
  const view = read === damaged ? null : read;
  const files: Lost[] = [];
  let changed = wanted.isBegun;
  const { records, unreadable } = await readJobs(paths, place);
  const work = unreadable.length === 0 ? null : await workAt(upkeep, place);
  for (const job of unreadable) {
    await upkeep.holding(`mirror-job/${work?.build ?? ''}/${job}`, signal, async () => {
      files.push(...(await purgeUnreadable(upkeep, place, job, wanted)));
    });
  }
  changed ||= files.length > 0;
  if (work !== null) await askForLook(upkeep, work);
  for (const { id, build_id: build } of records) {
    const done = await upkeep.holding(`mirror-job/${build}/${id}`, signal, () => purgeJob(upkeep, place, id, wanted));
    files.push(...(done ?? []));
    changed ||= done !== null;
  }
  if (view === null) return changed ? files : null;
  const { id: build, number, pipeline } = view.build;
  const clean = wanted.redact(view);
  if (clean !== view) {
    changed = true;
    await wanted.begin();
    await upkeep.holding(`read-build/${build}`, signal, async () => {
      const now = await orDamaged(readUpstreamView(paths, place));
      if (now !== damaged && now !== null) await writeUpstreamView(paths, place, wanted.redact(now));
    });
  }
  if (!changed) return null;
  const { organization } = place;
  const task = { organization, pipeline: pipeline.slug, number, build, pipelineId: pipeline.id };
  await upkeep.holding(`publish-build/${build}`, signal, async () => {
    unlinkFile(paths.views(place));
    await publishBuild(upkeep, task);
  });
  // Its title and branch stand on these pages too, and the proof that follows looks at them.
  const { folder } = place;
  await upkeep.holding(`publish-pipeline/${organization}/${folder}`, signal, async () => {
    await publishPipeline(upkeep, { organization, folder, number });
  });
  return files;
}

/** A record that cannot be read names no files: those of the same bytes lose their names, and the record goes where it holds a purged value. */
async function purgeUnreadable(
  { paths }: Upkeep,
  place: Place,
  job: string,
  { digests, redact, begin }: Wanted,
): Promise<Lost[]> {
  await begin();
  const base = paths.job(place, job);
  // By its sum a file would get its name back; the others are needed for that.
  const sums = paths.jobFile(place, job, 'SHA256SUMS');
  const lines = ((await readIfPresent(sums)) ?? '').split('\n');
  const left = lines.filter((line) => redact(line) === line);
  if (left.length < lines.length) await writeAtomic(sums, left.join('\n'));
  const files: Lost[] = await unlinkNamesOf(paths, base, digests);
  for await (const file of filesUnder(base)) {
    const below = relative(base, file);
    if (redact(below) === below) continue;
    unlinkFiles(base, [below]);
    files.push(null);
  }
  const record = paths.jobFile(place, job, 'job.json');
  if (!(await says(record, redact))) return files;
  unlinkFile(record);
  return [...files, null];
}

/** Whether a text holds a purged value. */
async function says(file: string, redact: Wanted['redact']): Promise<boolean> {
  const text = (await readIfPresent(file)) ?? '';
  return redact(text) !== text;
}

/** @returns its files that were purged now; null where nothing of it is wanted */
async function purgeJob(
  upkeep: Upkeep,
  place: Place,
  job: string,
  { digests, redact, begin }: Wanted,
): Promise<Lost[] | null> {
  const { paths } = upkeep;
  const before = await readJobRecord(paths, place, job);
  if (before === null) return null;
  const isKnown = ({ sha256 }: { sha256: string | null }): boolean => sha256 !== null && digests.has(sha256);
  const isNamed = ({ path }: { path: string }): boolean => redact(path) !== path;
  const mine = before.artifacts.filter((each) => isKnown(each) || isNamed(each));
  const ids = new Set(mine.map(({ id }) => id));
  const log = before.log !== null && isKnown(before.log) ? before.log : null;
  const clean = redact(before);
  if (mine.length === 0 && log === null && clean === before) return null;
  await begin();
  // Before the record: it does not tell their names any more then, and a run that is ended in between comes back to them.
  const base = paths.job(place, job);
  // What another artifact shows there now stays.
  const keeps = new Set(before.artifacts.filter(({ id }) => !ids.has(id)).flatMap((each) => fileOf(each) ?? []));
  unlinkFiles(
    base,
    mine.flatMap(possibleFiles).filter((file) => !keeps.has(file)),
  );
  if (log !== null) unlinkFiles(base, ['log.txt']);
  await saveJob(upkeep, place, withoutPurged(clean, ids, log !== null), [], null);
  const page = dirname(paths.page(place.organization, place.folder, 'builds', String(place.number), 'jobs', job));
  if (log !== null) await forgetLogPage(paths, place, job);
  unlinkFile(join(page, 'index.html'));
  await forgetListings(paths, place, join('jobs', job));
  const lost = [...mine, ...(log === null ? [] : [log])].filter(({ state }) => state !== 'purged');
  return lost.map((each) => (isKnown(each) ? each.sha256 : null));
}

/** What is still to be mirrored was listed before the purge. Behind the records: what they show under such a name goes by it first. */
async function purgeStubs({ paths, holding }: Upkeep, redact: Redact, signal: AbortSignal): Promise<void> {
  for (const build of await listOpenGaps(paths))
    for (const job of await listStubs(paths, build))
      await holding(`mirror-job/${build}/${job}`, signal, () => purgeStub(paths, build, job, redact));
}

async function purgeStub(paths: DataPaths, build: string, job: string, redact: Redact): Promise<void> {
  const found = await readStub(paths, build, job);
  if (found === null) return;
  const listed = found.stub.artifacts;
  const artifacts = withoutPurgedNames(listed, [], redact);
  if (artifacts.every((each, index) => each === listed[index])) return;
  await writeStub(paths, { ...found.stub, artifacts });
  await removeStub(paths, build, job, found.name);
}

function withoutPurged(record: JobRecord, ids: ReadonlySet<string>, withLog: boolean): JobRecord {
  const gone = { state: 'purged', reason: 'removed by an operator', url: null } as const;
  const artifacts = record.artifacts.map((each) => (ids.has(each.id) ? { ...each, ...gone, merged: false } : each));
  const log = record.log !== null && withLog ? { ...record.log, ...gone } : record.log;
  const states = [...artifacts, ...(log === null ? [] : [log])].map(({ state }) => state);
  return { ...record, ...countFiles(states), artifacts, log };
}

/** All copies of a blob, and what was ever set aside of it. */
async function removeBytes(paths: DataPaths, sha256: string): Promise<void> {
  for (const copy of await copiesOf(paths, sha256)) unlinkFile(copy);
  for (const { name } of await listFolder(paths.quarantine))
    if (name.startsWith(sha256)) unlinkFile(join(paths.quarantine, name));
}

async function finish({ paths, onRemoved }: Upkeep, tombstone: Tombstone): Promise<void> {
  onRemoved('blob', 'purge', tombstone.sha256.length);
  const what = tombstone.literal === null ? `${tombstone.sha256.length} digests` : 'a value, and what held it';
  await writeAudit(paths, { action: 'purge', what, files: tombstone.files, reason: tombstone.reason });
  await writeTombstone(paths, { ...tombstone, begun: [], done_at: new Date().toISOString() });
}
