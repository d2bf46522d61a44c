/** The pages of a build and of its jobs, and the one of a log; made from records, into a tree of their own. */
import { dirname, join } from 'node:path';
import { composeBuildPage, failingLines } from '../src/build-page.ts';
import type { BuildRecord, JobRecord, ViewEntry } from '../src/model.ts';
import { groupAttempts } from '../src/pages/attempts.ts';
import { renderJob } from '../src/pages/job.ts';
import { holdsSomething, removeFolder, writeDerived, writtenAt } from '../src/tree/files.ts';
import type { DataPaths, Place } from '../src/tree/paths.ts';
import type { Settings, WorkerContext } from './context.ts';

export interface PageParts extends Pick<WorkerContext, 'paths' | 'catalog'> {
  readonly settings: Pick<Settings, 'url' | 'ruleFor'>;
}

export async function writeBuildPages(
  { paths, catalog, settings }: PageParts,
  place: Place,
  build: BuildRecord,
  merged: readonly ViewEntry[],
  records: ReadonlyMap<string, JobRecord>,
): Promise<void> {
  const failing = await failingLines(paths, place, records);
  const beside = catalog.neighbours(place.organization, place.folder, place.number);
  const { url, ruleFor } = settings;
  const page = await composeBuildPage({ paths, url, ruleFor }, { place, build, merged, records, failing, beside });
  await writeDerived(paths, paths.page(...segments(place)), page);
  const at = { folder: place.folder, url };
  const attempts = attemptsOf(build);
  for (const job of records.values()) {
    const why = failing.get(job.id);
    const isOld = !isFresh(paths, place, job, attempts.get(job.id) ?? [job.id]);
    if (isOld) await forgetListings(paths, place, join('jobs', job.id));
    // A log is read after its job's record was written.
    else if (why === undefined) continue;
    await writeDerived(
      paths,
      paths.page(...segments(place), 'jobs', job.id),
      renderJob({ build, job, at, ...(why !== undefined && { failing: why }) }),
    );
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

/** The jobs that a job's page shows side by side: all attempts, itself among them. */
function attemptsOf({ jobs }: BuildRecord): Map<string, readonly string[]> {
  const all = groupAttempts(jobs).map(({ last, earlier }) => [...earlier, last].map(({ id }) => id));
  return new Map(all.flatMap((ids) => ids.map((id) => [id, ids])));
}

/** Whether the job's page was written after its record was, and after those of all attempts that it shows. */
function isFresh(paths: DataPaths, place: Place, job: JobRecord, attempts: readonly string[]): boolean {
  const file = paths.page(...segments(place), 'jobs', job.id);
  const page = holdsSomething(file) ? writtenAt(file) : null;
  const isNewer = (id: string): boolean => {
    const record = writtenAt(paths.jobFile(place, id, 'job.json'));
    return page !== null && (record === null || page > record);
  };
  return attempts.every(isNewer);
}
