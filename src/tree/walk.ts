/** Every build of the tree, from its folders alone. */
import { join } from 'node:path';
import type { JobRecord } from '../model.ts';
import { listFolder } from './files.ts';
import type { DataPaths, Place } from './paths.ts';
import { damaged, orDamaged, readJobRecord } from './records.ts';

/** In the order of names and numbers. @param after only those that come behind this one; null: all */
export async function* walkBuilds(paths: DataPaths, after: Place | null = null): AsyncGenerator<Place> {
  for await (const { organization, folder } of walkPipelines(paths)) {
    if (after !== null && isBefore(organization, folder, after)) continue;
    const isSame = after?.organization === organization && after.folder === folder;
    const names = await foldersIn(join(paths.pipeline(organization, folder), 'builds'));
    const numbers = names.flatMap((name) => (/^[1-9]\d*$/.test(name) ? [Number(name)] : []));
    for (const number of numbers.toSorted((left, right) => left - right))
      if (!isSame || number > after.number) yield { organization, folder, number };
  }
}

function isBefore(organization: string, folder: string, after: Place): boolean {
  return organization < after.organization || (organization === after.organization && folder < after.folder);
}

/** The folders that builds are in. */
export async function* walkPipelines(paths: DataPaths): AsyncGenerator<Omit<Place, 'number'>> {
  for (const organization of await foldersIn(paths.tree)) {
    for (const folder of await foldersIn(join(paths.tree, organization))) yield { organization, folder };
  }
}

export interface JobsRead {
  readonly records: readonly JobRecord[];
  /** The uuids of jobs whose records cannot be read. */
  readonly unreadable: readonly string[];
}

/** The jobs of a build's folder that have a record; also of another build that had its number before. */
export async function readJobs(paths: DataPaths, place: Place): Promise<JobsRead> {
  const [records, unreadable]: [JobRecord[], string[]] = [[], []];
  for (const name of await foldersIn(join(paths.build(place), 'jobs'))) {
    const record = await orDamaged(readJobRecord(paths, place, name));
    if (record === damaged) unreadable.push(name);
    else if (record !== null) records.push(record);
  }
  return { records, unreadable };
}

export async function foldersIn(folder: string): Promise<string[]> {
  const entries = (await listFolder(folder)).filter((entry) => entry.isDirectory());
  return entries.map(({ name }) => name).toSorted();
}
