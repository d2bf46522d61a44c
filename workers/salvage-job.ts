/**
 * A job's record that cannot be read, made again: from what upstream lists, what lies in the job's folder, and what is
 * derived from the record that was. Nothing that is there by its size and digest is fetched again, and what upstream has no
 * more stays: under an id of our own where nothing tells the one it had.
 */
import { createHash } from 'node:crypto';
import {
  type ArtifactFacts,
  type ArtifactRecord,
  countFiles,
  type JobFacts,
  type JobRecord,
  type JobSummary,
  type LogRecord,
} from '../src/model.ts';
import { restoreBlob } from '../src/tree/blobs.ts';
import { type FoundFile, nameBySums, readJobFolder } from '../src/tree/job-folder.ts';
import { type DataPaths, encodePath, type Place, possibleFiles } from '../src/tree/paths.ts';
import { damaged, orDamaged, readBuildRecord, readViews } from '../src/tree/records.ts';
import type { WorkerContext } from './context.ts';

export interface Remains {
  readonly build: string;
  readonly job: JobFacts;
  /** What upstream lists; nothing where it has the build no more. */
  readonly listed: readonly ArtifactFacts[];
  readonly isGone: boolean;
}

/** @returns a record that says what is there; what else upstream lists is for a plan to add */
export async function salvageJob(
  { paths, isPurged }: Pick<WorkerContext, 'paths' | 'isPurged'>,
  place: Place,
  { build, job, listed, isGone }: Remains,
  signal: AbortSignal,
): Promise<JobRecord> {
  await nameBySums(paths, place, job.id, isPurged);
  const files = new Map((await readJobFolder(paths, place, job.id, signal)).map((found) => [found.file, found]));
  const log = files.get('log.txt');
  files.delete('log.txt');
  const known = listed.flatMap((facts) => {
    const found = possibleFiles(facts)
      .map((file) => files.get(file))
      .find((each) => each !== undefined && isOf(each, facts) && !isPurged(each.sha256));
    return found === undefined ? [] : [{ found, record: recordOf(job.id, found, facts) }];
  });
  for (const { found } of known) files.delete(found.file);
  const rest = [...files.values()].filter(({ isOurs, sha256 }) => isOurs && !isPurged(sha256));
  const names = await namesOf(paths, place, job.id);
  const unlisted = rest.map((found) => ({
    found,
    record: unlistedOf(job.id, found, names.get(`${found.sha256} ${found.file}`)),
  }));
  for (const { found } of [...known, ...unlisted]) keepBlob(paths, place, job.id, found);

  const artifacts = [...known, ...unlisted].map(({ record }) => record);
  const ownLog = log?.isOurs === true && !isPurged(log.sha256) ? logOf(job.id, log) : null;
  if (log !== undefined && ownLog !== null) keepBlob(paths, place, job.id, log);
  const summary = isGone ? await summaryOf(paths, place, build, job.id) : null;
  const lost = lostOf(job.id, artifacts.length + Number(ownLog !== null), summary);
  const all = [...artifacts, ...lost];
  const states = [...all, ...(ownLog === null ? [] : [ownLog])].map(({ state }) => state);
  const now = new Date().toISOString();
  return {
    version: 1,
    build_id: build,
    ...job,
    ...countFiles(states),
    log: ownLog,
    artifacts: all,
    // Never: what upstream says is to be looked at.
    listed_at: '',
    mirrored_at: now,
    salvaged_at: now,
  };
}

function isOf({ size, sha1, sha256 }: FoundFile, facts: ArtifactFacts): boolean {
  if (facts.size !== size || (facts.sha1 === null && facts.sha256 === null)) return false;
  return (facts.sha1 ?? sha1) === sha1 && (facts.sha256 ?? sha256) === sha256;
}

function recordOf(
  job: string,
  { file, size, sha1, sha256, crc32 }: FoundFile,
  { id, path, mime_type, state }: Pick<ArtifactFacts, 'id' | 'path' | 'mime_type' | 'state'>,
): ArtifactRecord {
  const url = encodePath(`jobs/${job}/${file}`);
  const merged = file.startsWith('artifacts/');
  return {
    ...{ id, path, url, size, sha1, sha256, crc32, mime_type },
    ...{ state: 'present', upstream_state: state, reason: null, merged },
  };
}

interface Name {
  readonly artifact: string;
  readonly mimeType: string;
}

function unlistedOf(job: string, found: FoundFile, name: Name | undefined): ArtifactRecord {
  const [folder = '', ...parts] = found.file.split('/');
  const isById = folder === 'artifacts-by-id';
  const id = name?.artifact ?? (isById ? parts[0] : undefined) ?? idOf(job, found.file);
  const path = parts.slice(isById ? 1 : 0).join('/');
  const mimeType = name?.mimeType ?? 'application/octet-stream';
  return { ...recordOf(job, found, { id, path, mime_type: mimeType, state: 'deleted' }), salvaged: true };
}

/** A UUID of version 8 that comes before any that is made of a time: an upload that upstream lists is the later one. */
function idOf(job: string, file: string): string {
  const digest = createHash('sha256').update(`${job}/${file}`).digest('hex');
  return `00000000-0000-8${digest.slice(0, 3)}-8${digest.slice(3, 6)}-${digest.slice(6, 18)}`;
}

/**
 * What the merged view of the build tells of this job's files: it is derived from the record that was.
 * @returns by digest and file
 */
async function namesOf(paths: DataPaths, place: Place, job: string): Promise<Map<string, Name>> {
  const views = await readViews(paths, place);
  const entries = views === null ? [] : [...views.merged, ...Object.values(views.steps).flat()];
  return new Map(
    entries.filter((entry) => entry.job === job).map((entry) => [`${entry.sha256} artifacts/${entry.path}`, entry]),
  );
}

function logOf(job: string, { size, sha256, writtenAt }: FoundFile): LogRecord {
  const url = `jobs/${job}/log.txt`;
  return { url, size, sha256, state: 'present', reason: null, fetched_at: writtenAt };
}

/** The blob's own name may have been lost with whatever took the record. */
function keepBlob(paths: DataPaths, place: Place, job: string, { file, sha256 }: FoundFile): void {
  restoreBlob(paths, sha256, paths.jobFile(place, job, file));
}

async function summaryOf(paths: DataPaths, place: Place, build: string, job: string): Promise<JobSummary | null> {
  const record = await orDamaged(readBuildRecord(paths, place));
  if (record === damaged || record?.id !== build) return null;
  return record.jobs.find(({ id }) => id === job) ?? null;
}

/** What the record counted and nobody can name any more. */
function lostOf(job: string, present: number, summary: JobSummary | null): ArtifactRecord[] {
  const missing = Math.max(0, (summary?.expected ?? 0) - present);
  return Array.from({ length: missing }, (_, index) => ({
    ...{ id: idOf(job, `lost/${index}`), path: `unknown-${index + 1}`, url: null, size: 0, sha1: null, sha256: null },
    ...{ crc32: null, mime_type: 'application/octet-stream', state: 'lost', upstream_state: 'deleted' },
    ...{ reason: 'its name went with a record that was damaged', merged: false, salvaged: true },
  }));
}

/**
 * What was salvaged under an id of our own and is listed again after all, as after an outage that looked like a deletion.
 * @returns the same artifacts, those under upstream's ids
 */
export function adopted(known: readonly ArtifactRecord[], listed: readonly ArtifactFacts[]): ArtifactRecord[] {
  if (!known.some(({ salvaged }) => salvaged)) return [...known];
  const ids = new Set(listed.map(({ id }) => id));
  const taken = new Set(known.map(({ id }) => id));
  return known.map((artifact) => {
    if (artifact.salvaged !== true || artifact.state !== 'present' || ids.has(artifact.id)) return artifact;
    const facts = listed.find(
      ({ id, path, size, sha1 }) =>
        !taken.has(id) && path === artifact.path && size === artifact.size && sha1 === artifact.sha1,
    );
    if (facts === undefined) return artifact;
    taken.add(facts.id);
    const { salvaged: _, ...rest } = artifact;
    return { ...rest, id: facts.id };
  });
}
