/** Which artifacts an address means: of the merged view, of a step, of a job, each with the job that it came from. */
import type { Request } from 'express';
import type { BuildRecord, JobRecord } from '../model.ts';
import { type Place, stepFolder } from '../tree/paths.ts';
import { readBuildRecord, readJobRecord, type Views } from '../tree/records.ts';
import { jobOf, notFound, placeOf, tailOf } from './address.ts';
import { viewsNow } from './folders.ts';
import { filesOfJob } from './listing.ts';
import type { ReaderParts } from './parts.ts';

export interface ShownFile {
  /** Below the build's folder. */
  readonly path: string;
  readonly size: number;
  readonly type: string | null;
  readonly sha256: string | null;
  readonly job: string;
}

export interface Shown {
  readonly place: Place;
  readonly build: BuildRecord;
  /** Below the build's folder. */
  readonly tail: readonly string[];
  readonly files: readonly ShownFile[];
  /** The job whose folder it is in; null in a view that spans jobs. */
  readonly job: JobRecord | null;
}

/** @throws MirrorError ERR_NOT_FOUND where there is no such build or job */
export async function shownAt(
  parts: ReaderParts,
  request: Request,
  top: 'artifacts' | 'steps' | 'jobs',
): Promise<Shown> {
  const place = placeOf(request.params, parts.organization);
  const build = await readBuildRecord(parts.paths, place);
  if (build === null) throw notFound('this build is not mirrored');
  if (top !== 'jobs') {
    const files = filesOf(await viewsNow(parts.paths, place, build));
    return { place, build, tail: [top, ...tailOf(request.params)], files, job: null };
  }
  const job = await readJobRecord(parts.paths, place, jobOf(request.params));
  if (job === null) throw notFound('this job is not mirrored');
  return { place, build, tail: ['jobs', job.id, ...tailOf(request.params)], files: artifactsOf(job), job };
}

function filesOf({ merged, steps }: Views): ShownFile[] {
  const below = (prefix: string, entries: Views['merged']): ShownFile[] =>
    entries.map(({ path, size, mimeType, sha256, job }) => ({
      path: prefix + path,
      size,
      type: mimeType,
      sha256,
      job,
    }));
  const ofSteps = Object.entries(steps).flatMap(([key, entries]) =>
    below(`steps/${stepFolder(key)}/artifacts/`, entries),
  );
  return [...below('artifacts/', merged), ...ofSteps];
}

/** Not its log and records, which are no artifacts. */
export function artifactsOf(job: JobRecord): ShownFile[] {
  return filesOfJob(job).flatMap(({ path, size, type, sha256 }) =>
    path.startsWith('artifacts')
      ? [{ path: `jobs/${job.id}/${path}`, size: size ?? 0, type, sha256, job: job.id }]
      : [],
  );
}

/** The path below the job's own folder of artifacts: what the same file is called in another attempt. */
export function ownPath(path: string): string | null {
  return /^(?:artifacts|steps\/[^/]+\/artifacts|jobs\/[^/]+\/artifacts)\/(.*)$/s.exec(path)?.[1] ?? null;
}
