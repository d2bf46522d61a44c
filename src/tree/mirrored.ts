/** Whether the tree holds what a hint tells of: then a duplicate or a replay costs upstream nothing. */
import type { BuildRecord, Hint, JobRecord } from '../model.ts';
import type { DataPaths, Place } from './paths.ts';
import { damaged, orDamaged, readBuildRecord, readJobRecord } from './records.ts';

/**
 * A job that has ended is that attempt for good (a retry has an id of its own); a build may end several times, each with
 * another time. What is told without a time is never old news.
 */
export async function isMirrored(paths: DataPaths, hint: Hint): Promise<boolean> {
  if (hint.finishedAt === null) return false;
  const place: Place = { organization: hint.organization, folder: hint.pipeline, number: hint.number };
  const reading = hint.job === null ? readBuildRecord(paths, place) : readJobRecord(paths, place, hint.job);
  const record = await orDamaged<BuildRecord | JobRecord | null>(reading);
  // Who looks at the build then makes a record that cannot be read again.
  if (record === damaged || record === null || !record.settled) return false;
  const build = 'build_id' in record ? record.build_id : record.id;
  return build === hint.build && sameInstant(record.finished_at, hint.finishedAt);
}

/** Deliveries may round to seconds what the API tells in milliseconds. */
function sameInstant(iso: string | null, ms: number): boolean {
  return iso !== null && Math.abs(Date.parse(iso) - ms) < 1000;
}
