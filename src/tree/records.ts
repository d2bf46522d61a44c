/** The records as files: what the mirror holds of a job, of a build, and what the merged and step views show. */
import { z } from 'zod';
import { errnoOf, MirrorError, toMirrorError } from '../errors.ts';
import { BuildRecord, JobRecord } from '../model.ts';
import { readIfPresent, writeAtomic, writeDerived } from './files.ts';
import { type DataPaths, fileOf, type Place } from './paths.ts';
import { sealed, unsealed } from './sealed.ts';
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

/** What a reading of a record gives where the file is there and is no record. */
export const damaged = Symbol('damaged');

/** @returns `damaged` instead of throwing ERR_TREE_CORRUPT */
export async function orDamaged<T>(reading: Promise<T>): Promise<T | typeof damaged> {
  try {
    return await reading;
  } catch (thrown) {
    if (toMirrorError(thrown).code === 'ERR_TREE_CORRUPT') return damaged;
    throw thrown;
  }
}

/** @throws MirrorError ERR_TREE_CORRUPT */
export async function readJobRecord(paths: DataPaths, place: Place, job: string): Promise<JobRecord | null> {
  return readRecord(paths.jobFile(place, job, 'job.json'), (value, isSealed) => {
    const record = isSealed ? (value as JobRecord) : checked(JobRecord, value as JobRecord);
    if (record.id !== job) throw new Error('it is another job’s');
    if (!isSealed) refusePaths(record);
    return record;
  });
}

export async function writeJobRecord(paths: DataPaths, place: Place, record: JobRecord): Promise<void> {
  await write(paths, paths.jobFile(place, record.id, 'job.json'), record);
}

/** @throws MirrorError ERR_TREE_CORRUPT */
export async function readBuildRecord(paths: DataPaths, place: Place): Promise<BuildRecord | null> {
  return readRecord(paths.buildFile(place, 'build.json'), (value, isSealed) => {
    const record = isSealed ? (value as BuildRecord) : checked(BuildRecord, value as BuildRecord);
    if (record.number !== place.number) throw new Error('it is another build’s');
    return record;
  });
}

export async function writeBuildRecord(paths: DataPaths, place: Place, record: BuildRecord): Promise<void> {
  await write(paths, paths.buildFile(place, 'build.json'), record);
}

/** The record's folder is made by who claims its place, and by nobody else: a build that was moved is not begun anew. */
async function write(paths: DataPaths, file: string, record: JobRecord | BuildRecord): Promise<void> {
  await writeAtomic(file, sealed(record), { temporary: temporaryFile(paths) });
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

/** Fields that this version does not know stay. */
function checked<T>(schema: z.ZodType, value: T): T {
  schema.parse(value);
  return value;
}

/** What nobody vouches for must not lead out of its folder. */
function refusePaths({ artifacts, log }: JobRecord): void {
  for (const { url } of [...artifacts, ...(log === null ? [] : [log])])
    if (url !== null && fileOf({ url }) === null) throw new Error(`${url} is no place in a job's folder`);
}

/** The disk itself says that it cannot give the bytes, or gives another thing than a file. */
const unreadable = new Set(['EIO', 'EBADMSG', 'EUCLEAN', 'EISDIR', 'ELOOP']);

/**
 * Our own files, written whole and sealed: a version that we know is taken at its word (a full parse of 50,000 artifacts
 * on every publish would cost more than the publish). One without a seal is parsed by `read`.
 * @throws MirrorError ERR_TREE_CORRUPT for a file that is no record
 */
export async function readRecord<T extends { readonly version: 1 }>(
  file: string,
  read: (value: unknown, isSealed: boolean) => T,
): Promise<T | null> {
  try {
    const text = await readIfPresent(file);
    if (text === null) return null;
    const { value, isSealed } = unsealed(text);
    const { version } = value as { version?: unknown };
    if (version !== 1) throw new Error(`version ${String(version)} is not known`);
    return read(value, isSealed);
  } catch (cause) {
    const errno = cause instanceof MirrorError ? undefined : errnoOf(cause);
    if (errno !== undefined && !unreadable.has(errno)) throw cause;
    throw new MirrorError('ERR_TREE_CORRUPT', 'a record cannot be read', { file, why: whyOf(cause) }, cause);
  }
}

function whyOf(cause: unknown): string {
  if (cause instanceof MirrorError) return cause.message;
  if (cause instanceof z.ZodError) return 'it has another shape';
  return errnoOf(cause) ?? (cause instanceof SyntaxError ? 'it is torn' : String(cause));
}
