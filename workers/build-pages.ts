/** The pages of a build and of its jobs, and the one of a log; made from records, into a tree of their own. */
import { dirname, join } from 'node:path';
import type { BuildRecord, JobRecord, ViewEntry } from '../src/model.ts';
import { renderBuild } from '../src/pages/build.ts';
import { describeJob } from '../src/pages/details.ts';
import { renderJob } from '../src/pages/job.ts';
import { removeFolder, writeDerived, writtenAt } from '../src/tree/files.ts';
import type { DataPaths, Place } from '../src/tree/paths.ts';
import { isPinned } from '../src/tree/pins.ts';
import { outlookOf } from '../src/tree/retention.ts';
import type { WorkerContext } from './context.ts';

export async function writeBuildPages(
  { paths, catalog, settings }: WorkerContext,
  place: Place,
  build: BuildRecord,
  merged: readonly ViewEntry[],
  records: ReadonlyMap<string, JobRecord>,
): Promise<void> {
  const details = new Map(Array.from(records, ([id, record]) => [id, describeJob(record)]));
  const { previous, next } = catalog.neighbours(place.organization, place.folder, place.number);
  const page = renderBuild({
    build,
    merged,
    previous,
    next,
    details,
    folder: place.folder,
    url: settings.url,
    outlook: outlookOf(build, settings.ruleFor(build)),
    pinned: await isPinned(paths, build.id),
  });
  await writeDerived(paths, paths.page(...segments(place)), page);
  for (const job of records.values()) {
    if (isFresh(paths, place, job)) continue;
    await forgetListings(paths, place, join('jobs', job.id));
    await writeDerived(paths, paths.page(...segments(place), 'jobs', job.id), renderJob({ build, job }));
  }
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
