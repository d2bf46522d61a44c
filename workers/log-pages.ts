/** The page of a job's log and its index, as files: whether they are there, and how they go. */
import { dirname } from 'node:path';
import type { JobRecord } from '../src/model.ts';
import { holdsSomething, removeFolder, writtenAt } from '../src/tree/files.ts';
import type { DataPaths, Place } from '../src/tree/paths.ts';

export function logPage(paths: DataPaths, { organization, folder, number }: Place, job: string): string {
  return paths.page(organization, folder, 'builds', String(number), 'jobs', job, 'log');
}

/** Whether a log is there whose page is not: its task was lost, or is still to come. */
export function wantsLogPage(paths: DataPaths, place: Place, { id, log }: JobRecord): boolean {
  const isThere = log?.state === 'present' && writtenAt(paths.jobFile(place, id, 'log.txt')) !== null;
  return isThere && !hasLogPage(paths, place, id);
}

function hasLogPage(paths: DataPaths, place: Place, job: string): boolean {
  return holdsSomething(logPage(paths, place, job)) && holdsSomething(paths.logIndex(place, job));
}

export async function forgetLogPage(paths: DataPaths, place: Place, job: string): Promise<void> {
  await removeFolder(dirname(logPage(paths, place, job)));
}
