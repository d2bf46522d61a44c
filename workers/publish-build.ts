/**
 * publish-build: derives from a build's job records all that spans them — the merged and step views, build.json, the
 * catalog's entry, `latest` and its kin, the build's page — and ends the build's gap when nothing is open any more.
 */
import { join, relative } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { BuildRecord, JobRecord, UpstreamView, ViewEntry } from '../src/model.ts';
import type { Outcome } from '../src/queue/run.ts';
import { identityOf, type Payload } from '../src/queue/tasks.ts';
import { unlinkFile } from '../src/tree/blobs.ts';
import { dueSince, noteDue, strikeDue } from '../src/tree/due.ts';
import { listFolder } from '../src/tree/files.ts';
import { labelFacts, writeLabel } from '../src/tree/labels.ts';
import type { DataPaths, Place } from '../src/tree/paths.ts';
import { placeOf } from '../src/tree/pipelines.ts';
import {
  damaged,
  orDamaged,
  readBuildRecord,
  readViews,
  type Views,
  writeBuildRecord,
  writeViews,
} from '../src/tree/records.ts';
import { closeUnsettled, hasStubs, readUnsettled } from '../src/tree/unsettled.ts';
import { readUpstreamView } from '../src/tree/upstream-view.ts';
import { linkView, mergeJobs, mergeSteps, syncFolders } from '../src/tree/views.ts';
import { readJobs } from '../src/tree/walk.ts';
import { forgetListings, type PageParts, writeBuildPages } from './build-pages.ts';
import { buildRecord, summaryOf } from './build-record.ts';
import type { WorkerContext } from './context.ts';
import { askForLook, setRecordAside } from './damaged-record.ts';
import { type DerivedTask, enqueueDerived } from './derived.ts';
import { pick } from './enqueue-work.ts';
import { indexBuild } from './index-build.ts';
import { wantsLogPage } from './log-pages.ts';
import { differs } from './merged-flags.ts';
import { noteInCatalog } from './note-in-catalog.ts';

/** A neighbour's page is no hurry, and several builds that come at once touch it once. */
const neighbourDelayMs = 2000;
/** Pages of pipelines show many builds: those that come at once are shown by one writing. */
const pipelineDelayMs = 250;

/** Of a worker, what publishing a build needs. */
export type BuildParts = PageParts & Pick<WorkerContext, 'queue' | 'search' | 'reports' | 'onDamaged'>;

/** @param adjust how a job's record is about to be: what is derived goes before it */
export async function publishBuild(
  worker: BuildParts,
  task: Payload<'publish-build'>,
  adjust: (record: JobRecord) => JobRecord = (record) => record,
): Promise<Outcome> {
  const { paths, catalog } = worker;
  const self = identityOf({ name: 'publish-build', payload: task });
  // What others note from now on may be for something that is not seen here: it stays.
  let due = dueSince(paths, self);
  // Before all that it is closed for: a gap that is opened again from now on is for something that may not be seen here.
  const gap = await readUnsettled(paths, task.build);
  const place = await placeOf(paths, task.pipelineId, task.number);
  const view = await orDamaged(readUpstreamView(paths, place));
  const noted = await orDamaged(readBuildRecord(paths, place));
  const before = noted === damaged || noted?.id !== task.build ? null : noted;
  const found = await readRecords(paths, place, task.build);
  if (view === damaged || (view !== null && found.unreadable.some((job) => isOf(job, view, before)))) {
    // What a record told stays as it is shown until that is made again.
    await askForLook(worker, { ...pick(task), pipelineId: task.pipelineId });
    return undefined;
  }
  // The build was never read to its end: read-build will come by again.
  if (view === null || view.build.id !== task.build) return undefined;
  const records = new Map(Array.from(found.records, ([id, record]) => [id, adjust(record)]));
  const jobs = [...records.values()];

  const views: Views = { version: 1, merged: mergeJobs(jobs), steps: mergeSteps(jobs) };
  const relinked = await linkViews(paths, place, views);
  const relabelled = await relabel(worker, task, jobs, views.merged);

  const known = before ?? catalog.find(task.build)?.summary ?? null;
  const made = buildRecord({
    organization: place.organization,
    view,
    records,
    learnedFrom: known?.learned_from ?? gap?.learnedFrom ?? 'webhook',
    mirroredAt: new Date().toISOString(),
  });
  // Often only a neighbour or a log is new: then the pages are made again and nothing else.
  const absences = absencesOf(jobs);
  const isKnown = before !== null && !relinked && isNoted(worker, before, { made, folder: place.folder, absences });
  const record = isKnown ? before : made;
  if (!isKnown) {
    await writeLabel(paths, place, labelFacts(view.build));
    if (record.settled) await syncFolders(await viewFolders(paths, place));
    if (noted === damaged)
      await setRecordAside(worker, paths.buildFile(place, 'build.json'), { record: 'build', ...pick(task) });
    await writeBuildRecord(paths, place, record);
    // Noted before the catalog has it, as a crash in between leaves it new, and asked for behind that, as they look there.
    const beside = catalog.find(task.build) === null ? neighboursOf(worker, place) : [];
    for (const each of beside) noteDue(paths, identityOf(each));
    noteInCatalog(worker, place, summaryOf(record), absences);
    for (const each of beside) await enqueueDerived(worker, each, { workClass: 'bulk', delayMs: neighbourDelayMs });
  }
  await writeBuildPages(worker, place, record, views.merged, records);
  const done = record.settled && !relabelled && !hasStubs(paths, task.build);
  // Before the gap is closed: until then a Redis that loses these tasks is given them again.
  await enqueueDerived(
    worker,
    {
      name: 'publish-pipeline',
      payload: { organization: place.organization, folder: place.folder, number: record.number },
    },
    { delayMs: pipelineDelayMs },
  );
  if (done)
    for (const job of jobs.filter((each) => wantsLogPage(paths, place, each)))
      await enqueueDerived(worker, { name: 'index-log', payload: { ...task, job: job.id } });
  // One that was only just opened is for upstream to be asked: until then nobody knows what it is for.
  if (done && gap !== null && gap.pipelineId !== null) {
    if (dueSince(paths, self) === due) {
      noteDue(paths, self);
      due = dueSince(paths, self);
    }
    await closeUnsettled(paths, gap);
  }
  // Last, as nothing depends on it: an index that cannot be written holds nothing up, but is written in the end.
  await indexBuild(worker, place, record, jobs);
  strikeDue(paths, self, due);
  return undefined;
}

/** Whether record and catalog say already what a publish would have them say, apart from when it was. */
function isNoted(
  { catalog }: BuildParts,
  before: BuildRecord,
  { made, folder, absences }: { made: BuildRecord; folder: string; absences: ReturnType<typeof absencesOf> },
): boolean {
  return (
    isDeepStrictEqual({ ...made, mirrored_at: before.mirrored_at }, before) &&
    isDeepStrictEqual(catalog.find(before.id), { folder, summary: summaryOf(before), ...absences })
  );
}

/** What has the builds beside this one show that they have another neighbour. */
export function neighboursOf(
  { catalog }: Pick<WorkerContext, 'catalog'>,
  { organization, folder, number }: Place,
): DerivedTask[] {
  const { previous, next } = catalog.neighbours(organization, folder, number);
  return [previous, next].flatMap((beside): DerivedTask[] => {
    const [summary] = beside === null ? [] : catalog.builds({ organization, folder, before: beside + 1, limit: 1 });
    if (summary === undefined) return [];
    const { id: build, pipeline, pipeline_id: pipelineId } = summary;
    return [{ name: 'publish-build', payload: { organization, pipeline, number: summary.number, build, pipelineId } }];
  });
}

/** Of this build alone: its number may have been another's, whose files stay where they are. */
export async function readRecords(
  paths: DataPaths,
  place: Place,
  build: string,
): Promise<{ records: Map<string, JobRecord>; unreadable: readonly string[] }> {
  const { records, unreadable } = await readJobs(paths, place);
  const ours = records.filter((record) => record.build_id === build);
  return { records: new Map(ours.map((record) => [record.id, record])), unreadable };
}

/** Whether a job is the build's own, where its record cannot say so. */
function isOf(job: string, view: UpstreamView, before: BuildRecord | null): boolean {
  return view.jobs.some(({ id }) => id === job) || before?.jobs.some(({ id }) => id === job) === true;
}

/** @returns whether anything changed. While links change, no file says what they are: after a crash the next publish looks at the folders themselves. */
async function linkViews(paths: DataPaths, place: Place, views: Views): Promise<boolean> {
  const before = await readViews(paths, place);
  if (before !== null && JSON.stringify(before) === JSON.stringify(views)) return false;
  unlinkFile(paths.views(place));
  const sourceOf = ({ job, path }: ViewEntry): string => paths.jobFile(place, job, `artifacts/${path}`);
  const build = paths.build(place);
  const link = (folder: string, wanted: readonly ViewEntry[], there: readonly ViewEntry[] | null): Promise<void> =>
    linkView(paths, { build, below: relative(build, folder) }, wanted, there, sourceOf);
  await link(paths.merged(place), views.merged, before?.merged ?? null);
  // Maps, because a step may be called `constructor`.
  const now = new Map(Object.entries(views.steps));
  const then = new Map(Object.entries(before?.steps ?? {}));
  for (const step of new Set([...now.keys(), ...then.keys()])) {
    await link(paths.step(place, step), now.get(step) ?? [], before === null ? null : (then.get(step) ?? []));
  }
  await writeViews(paths, place, views);
  await forgetListings(paths, place, '');
  return true;
}

async function viewFolders(paths: DataPaths, place: Place): Promise<string[]> {
  const below = async (folder: string): Promise<string[]> => {
    const entries = await listFolder(folder);
    const inner = await Promise.all(
      entries.filter((entry) => entry.isDirectory()).map(({ name }) => below(join(folder, name))),
    );
    return [folder, ...inner.flat()];
  };
  return [...(await below(paths.merged(place))), ...(await below(join(paths.build(place), 'steps')))];
}

/** Jobs whose records say something else of the merged view than it shows are told to look again. */
async function relabel(
  worker: BuildParts,
  task: Payload<'publish-build'>,
  jobs: readonly JobRecord[],
  merged: readonly ViewEntry[],
): Promise<boolean> {
  const shown = Map.groupBy(merged, (entry) => entry.job);
  const wrong = jobs.filter((job) => differs(job, new Set(shown.get(job.id)?.map((entry) => entry.artifact))));
  await Promise.all(
    wrong.map((job) => enqueueDerived(worker, { name: 'mirror-job', payload: { ...task, job: job.id } })),
  );
  return wrong.length > 0;
}

/** Files that are lost, and those that other settings would let in. */
function absencesOf(jobs: readonly JobRecord[]): { lost: number; withheld: number } {
  const states = jobs.flatMap((job) =>
    [...job.artifacts, ...(job.log === null ? [] : [job.log])].map(({ state }) => state),
  );
  return {
    lost: states.filter((state) => state === 'lost').length,
    withheld: states.filter((state) => state === 'excluded' || state === 'refused').length,
  };
}
