/** The index of a log where it is kept: beside the log's page, made again at will. */
import { readIfPresent, writeDerived } from '../tree/files.ts';
import type { DataPaths, Place } from '../tree/paths.ts';
import { LogIndex } from './index-format.ts';

/** `failure.decisive` are the lines that say why the job failed. @returns null where there is none yet, or one that this version does not know */
export async function readLogIndex(paths: DataPaths, place: Place, job: string): Promise<LogIndex | null> {
  const text = await readIfPresent(paths.logIndex(place, job));
  if (text === null) return null;
  try {
    return LogIndex.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

export async function writeLogIndex(paths: DataPaths, place: Place, job: string, index: LogIndex): Promise<void> {
  await writeDerived(paths, paths.logIndex(place, job), JSON.stringify(index));
}
