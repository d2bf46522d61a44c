/** The pages of a build and of its jobs, and the one of a log; made from records, into a tree of their own. */
import { dirname, join } from 'node:path';
import { plainLog } from '../src/logs/plain.ts';
import type { BuildRecord, JobRecord, ViewEntry } from '../src/model.ts';
import { renderBuild } from '../src/pages/build.ts';
import { describeJob } from '../src/pages/details.ts';
import { renderJob } from '../src/pages/job.ts';
import { renderLog } from '../src/pages/log.ts';
import { readBytes, removeFolder, writeDerived, writtenAt } from '../src/tree/files.ts';
import type { DataPaths, Place } from '../src/tree/paths.ts';
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
  const page = renderBuild({ build, merged, previous, next, details, folder: place.folder, url: settings.url });
  await writeDerived(paths, paths.page(...segments(place)), page);
  for (const job of records.values()) {
    if (isFresh(paths, place, job)) continue;
    await forgetListings(paths, place, join('jobs', job.id));
    await writeDerived(paths, paths.page(...segments(place), 'jobs', job.id), renderJob({ build, job }));
  }
}

/** The page of a log; reads the log once, in constant memory. */
export async function writeLogPage(
  paths: DataPaths,
  place: Place,
  build: { pipeline: string },
  job: JobRecord,
): Promise<void> {
  const { text, truncated, firstLine } = await plainLog(readBytes(paths.jobFile(place, job.id, 'log.txt')));
  const { organization, number } = place;
  const page = renderLog({
    build: { organization, pipeline: build.pipeline, number },
    job,
    text,
    truncated,
    firstLine,
  });
  await writeDerived(paths, paths.page(...segments(place), 'jobs', job.id, 'log'), page);
}

export function hasLogPage(paths: DataPaths, place: Place, job: JobRecord): boolean {
  return writtenAt(paths.page(...segments(place), 'jobs', job.id, 'log')) !== null;
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
