/** Every build of the tree, from its folders alone. */
import { join } from 'node:path';
import type { JobRecord } from '../model.ts';
import { listFolder } from './files.ts';
import type { DataPaths, Place } from './paths.ts';
import { readJobRecord } from './records.ts';

export async function* walkBuilds(paths: DataPaths): AsyncGenerator<Place> {
  for await (const { organization, folder } of walkPipelines(paths)) {
    for (const name of await foldersIn(join(paths.pipeline(organization, folder), 'builds'))) {
      if (/^[1-9]\d*$/.test(name)) yield { organization, folder, number: Number(name) };
    }
  }
}

/** The folders that builds are in. */
export async function* walkPipelines(paths: DataPaths): AsyncGenerator<Omit<Place, 'number'>> {
  for (const organization of await foldersIn(paths.tree)) {
    for (const folder of await foldersIn(join(paths.tree, organization))) yield { organization, folder };
  }
}

/** The jobs of a build's folder that have a record; also of another build that had its number before. */
export async function readJobs(paths: DataPaths, place: Place): Promise<JobRecord[]> {
  const records: JobRecord[] = [];
  for (const name of await foldersIn(join(paths.build(place), 'jobs'))) {
    const record = await readJobRecord(paths, place, name);
    if (record !== null) records.push(record);
  }
  return records;
}

export async function foldersIn(folder: string): Promise<string[]> {
  return (await listFolder(folder)).filter((entry) => entry.isDirectory()).map(({ name }) => name);
}
