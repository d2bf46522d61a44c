/** The pages of a build and of its jobs, and the one of a log; made from records, into a tree of their own. */
import { dirname, join } from 'node:path';
import { readLogIndex } from '../src/logs/index-file.ts';
import type { BuildRecord, JobRecord, ViewEntry } from '../src/model.ts';
import { renderBuild } from '../src/pages/build.ts';
import { type DecisiveLine, describeJob } from '../src/pages/details.ts';
import { renderJob } from '../src/pages/job.ts';
import { isFailedJob } from '../src/pages/parts.ts';
import { removeFolder, writeDerived, writtenAt } from '../src/tree/files.ts';
import type { DataPaths, Place } from '../src/tree/paths.ts';
import { isPinned } from '../src/tree/pins.ts';
import { outlookOf } from '../src/tree/retention.ts';
import { readUpstreamView } from '../src/tree/upstream-view.ts';
import type { WorkerContext } from './context.ts';

export async function writeBuildPages(
  { paths, catalog, settings }: WorkerContext,
  place: Place,
  build: BuildRecord,
  merged: readonly ViewEntry[],
  records: ReadonlyMap<string, JobRecord>,
): Promise<void> {
  const failing = await failingLines(paths, place, records);
  const details = new Map(Array.from(records, ([id, record]) => [id, describeJob(record, failing.get(id))]));
  const { previous, next } = catalog.neighbours(place.organization, place.folder, place.number);
  const page = renderBuild({
    build,
    merged,
    previous,
    next,
    details,
    annotations: (await readUpstreamView(paths, place))?.annotations ?? [],
    folder: place.folder,
    url: settings.url,
    outlook: outlookOf(build, settings.ruleFor(build)),
    pinned: await isPinned(paths, build.id),
  });
  await writeDerived(paths, paths.page(...segments(place)), page);
  for (const job of records.values()) {
    const why = failing.get(job.id);
    const isOld = !isFresh(paths, place, job);
    if (isOld) await forgetListings(paths, place, join('jobs', job.id));
    // A log is read after its job's record was written.
    else if (why === undefined) continue;
    await writeDerived(
      paths,
      paths.page(...segments(place), 'jobs', job.id),
      renderJob({ build, job, ...(why !== undefined && { failing: why }) }),
    );
  }
}

const [jobsLookedAt, linesShown] = [20, 3];

/** What the logs of failed jobs say; the builds of which they do are published again when they are read. */
async function failingLines(
  paths: DataPaths,
  place: Place,
  records: ReadonlyMap<string, JobRecord>,
): Promise<Map<string, DecisiveLine[]>> {
  const failed = [...records.values()].filter(
    (job) => !job.retried && isFailedJob(job) && job.log?.state === 'present',
  );
  const found = new Map<string, DecisiveLine[]>();
  for (const { id } of failed.slice(0, jobsLookedAt)) {
    const failure = (await readLogIndex(paths, place, id))?.failure;
    if (failure === undefined) continue;
    // What comes after the one to look at first mostly counts or repeats.
    const telling = failure.decisive.filter(({ line }) => failure.line === null || line <= failure.line);
    found.set(id, telling.slice(-linesShown));
  }
  return found;
}

/** Listings are made on request and kept until what they list changes. @param below a folder of the build's */
export async function forgetListings(paths: DataPaths, place: Place, below: string): Promise<void> {
  const folder = dirname(paths.page(...segments(place), below));
  await Promise.all(['artifacts', 'artifacts-by-id', 'steps'].map((name) => removeFolder(join(folder, name))));
}

function segments(place: Place): string[] {
  return [place.organization, place.folder, 'builds', String(place.number)];
}

/** Whether the job's page was written after its record was. */
function isFresh(paths: DataPaths, place: Place, job: JobRecord): boolean {
  const page = writtenAt(paths.page(...segments(place), 'jobs', job.id));
  const record = writtenAt(paths.jobFile(place, job.id, 'job.json'));
  return page !== null && record !== null && page > record;
}
