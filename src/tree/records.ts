/** The records as files: what the mirror holds of a job, of a build, and what the merged and step views show. */
import { z } from 'zod';
import { MirrorError } from '../errors.ts';
import type { BuildRecord, JobRecord } from '../model.ts';
import { readIfPresent, writeAtomic, writeDerived } from './files.ts';
import type { DataPaths, Place } from './paths.ts';
import { temporaryFile } from './temporary.ts';

const ViewEntry = z.object({
  path: z.string(),
  job: z.string(),
  artifact: z.string(),
  sha256: z.string(),
  crc32: z.string().nullable().optional(),
  size: z.number(),
  mimeType: z.string(),
});

/** What the views' folders hold: `merged` is <build>/artifacts, `steps` by step key. Derived by publish-build. */
export const Views = z.object({
  version: z.literal(1),
  merged: z.array(ViewEntry),
  steps: z.record(z.string(), z.array(ViewEntry)),
});
export type Views = z.infer<typeof Views>;

export async function readJobRecord(paths: DataPaths, place: Place, job: string): Promise<JobRecord | null> {
  return readRecord<JobRecord>(paths.jobFile(place, job, 'job.json'));
}

export async function writeJobRecord(paths: DataPaths, place: Place, record: JobRecord): Promise<void> {
  await write(paths, paths.jobFile(place, record.id, 'job.json'), record);
}

export async function readBuildRecord(paths: DataPaths, place: Place): Promise<BuildRecord | null> {
  return readRecord<BuildRecord>(paths.buildFile(place, 'build.json'));
}

export async function writeBuildRecord(paths: DataPaths, place: Place, record: BuildRecord): Promise<void> {
  await write(paths, paths.buildFile(place, 'build.json'), record);
}

/** The record's folder is made by who claims its place, and by nobody else: a build that was moved is not begun anew. */
async function write(paths: DataPaths, file: string, record: JobRecord | BuildRecord): Promise<void> {
  await writeAtomic(file, `${JSON.stringify(record)}\n`, { temporary: temporaryFile(paths) });
}

/** @returns null where there are none or where they cannot be trusted: they are made again from the records */
export async function readViews(paths: DataPaths, place: Place): Promise<Views | null> {
  const text = await readIfPresent(paths.views(place));
  if (text === null) return null;
  try {
    return Views.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

export async function writeViews(paths: DataPaths, place: Place, views: Views): Promise<void> {
  await writeDerived(paths, paths.views(place), JSON.stringify(views));
}

/**
 * Our own files, written whole: a version that we know is taken at its word (a full parse of 50,000 artifacts on every
 * publish would cost more than the publish).
 * @throws MirrorError ERR_TREE_CORRUPT for a file that is no record
 */
async function readRecord<T extends { version: 1 }>(file: string): Promise<T | null> {
  const text = await readIfPresent(file);
  if (text === null) return null;
  try {
    const value = JSON.parse(text) as T;
    if (value.version !== 1) throw new Error(`version ${String(value.version)} is not known`);
    return value;
  } catch (cause) {
    throw new MirrorError('ERR_TREE_CORRUPT', 'a record cannot be read', { file }, cause);
  }
}
