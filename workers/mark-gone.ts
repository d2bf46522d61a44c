/** What is mirrored and gone upstream: its files stay, and its records say that upstream has them no more. */
import { join } from 'node:path';
import { type BuildRef, JobFacts, type JobRecord, type UpstreamView } from '../src/model.ts';
import type { Place } from '../src/tree/paths.ts';
import { damaged, orDamaged, readBuildRecord, readJobRecord } from '../src/tree/records.ts';
import { type JobStub, openUnsettled, readUnsettled, writeStub } from '../src/tree/unsettled.ts';
import { readUpstreamView, writeUpstreamView } from '../src/tree/upstream-view.ts';
import { foldersIn, readJobs } from '../src/tree/walk.ts';
import { factsOf, viewOf } from './build-view.ts';
import type { WorkerContext } from './context.ts';
import { setRecordAside } from './damaged-record.ts';
import { pick, type Work } from './enqueue-work.ts';

/** What upstream no longer has is not waited for. */
export const looksInVain = 99;

/** Writes a stub for each job whose record still speaks of files upstream, or cannot be read; mirror-job does the rest. */
export async function markGone(worker: WorkerContext, ref: BuildRef): Promise<void> {
  const { paths, catalog } = worker;
  const folder = catalog.find(ref.build)?.folder ?? ref.pipeline;
  const place: Place = { organization: ref.organization, folder, number: ref.number };
  const gap = await readUnsettled(paths, ref.build);
  const view = gap === null ? null : await viewKept(worker, place, ref);
  if (gap === null || view === null) return;
  const pipelineId = view.build.pipeline.id;
  await openUnsettled(paths, { ...gap, pipelineId });
  const all = await foldersIn(join(paths.build(place), 'jobs'));
  await leaveGoneStubs(worker, { ...pick(ref), pipelineId }, { place, jobs: all, known: view.jobs });
}

/** The same for jobs that upstream lists no more while it has the build: of these only records that cannot be read are made again. */
export async function markUnlisted(
  worker: Pick<WorkerContext, 'paths'>,
  work: Work,
  place: Place,
  listed: readonly JobFacts[],
): Promise<void> {
  const ids = new Set(listed.map(({ id }) => id));
  const jobs: string[] = [];
  for (const id of await foldersIn(join(worker.paths.build(place), 'jobs')))
    if (!ids.has(id) && (await orDamaged(readJobRecord(worker.paths, place, id))) === damaged) jobs.push(id);
  if (jobs.length === 0) return;
  const build = await orDamaged(readBuildRecord(worker.paths, place));
  const known = build === damaged || build?.id !== work.build ? [] : build.jobs.map(factsOf);
  await leaveGoneStubs(worker, work, { place, jobs, known });
}

interface Gone {
  readonly place: Place;
  /** Those that upstream does not list. */
  readonly jobs: readonly string[];
  /** What is known of the build's own jobs; a record that cannot be read and is of none of these is left alone. */
  readonly known: readonly JobFacts[];
}

async function leaveGoneStubs(
  { paths }: Pick<WorkerContext, 'paths'>,
  work: Work,
  { place, jobs, known }: Gone,
): Promise<void> {
  const facts = new Map(known.map((job) => [job.id, job]));
  for (const id of jobs) {
    const record = await orDamaged(readJobRecord(paths, place, id));
    const job = record === damaged ? facts.get(id) : openFacts(record, work.build);
    if (job === undefined) continue;
    await writeStub(paths, stubOf(work, job, known.length));
  }
}

/** @returns undefined where nothing is to be said any more */
function openFacts(record: JobRecord | null, build: string): JobFacts | undefined {
  return record?.build_id === build && saysOtherwise(record) ? JobFacts.parse(record) : undefined;
}

function saysOtherwise({ settled, artifacts }: JobRecord): boolean {
  return !settled || artifacts.some(({ upstream_state: state }) => state !== 'deleted');
}

/** What upstream last said of the build. Where that cannot be read it is made again, because upstream will not say it again. */
async function viewKept(worker: WorkerContext, place: Place, ref: BuildRef): Promise<UpstreamView | null> {
  const { paths, catalog } = worker;
  const view = await orDamaged(readUpstreamView(paths, place));
  if (view !== damaged && view !== null) return view.build.id === ref.build ? view : null;
  const record = await orDamaged(readBuildRecord(paths, place));
  const build = record === damaged || record?.id !== ref.build ? null : record;
  const summary = build ?? catalog.find(ref.build)?.summary ?? null;
  if (summary === null) return null;
  const { records } = await readJobs(paths, place);
  const ours = records.filter(({ build_id: of }) => of === ref.build);
  const made = viewOf(summary, build?.jobs ?? [], ours);
  if (view === damaged)
    await setRecordAside(worker, paths.buildFile(place, 'upstream.json'), { record: 'upstream', ...pick(ref) });
  await writeUpstreamView(paths, place, made);
  return made;
}

function stubOf(work: Work, job: JobFacts, jobsInBuild: number): JobStub {
  return {
    version: 1,
    ...work,
    job,
    artifacts: [],
    listedAt: new Date().toISOString(),
    jobsInBuild,
    looks: looksInVain,
    buildFinished: true,
    logMayHaveGrown: false,
  };
}
