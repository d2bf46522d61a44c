/** A log may end a little after its job: when it has all of it, and when it is to be looked at once more. */
import type { JobFacts, JobRecord } from '../src/model.ts';

/** A log that was fetched this long after its job's end has all of it. */
export const logSettlesMs = 60_000;

export function mayHaveGrown(job: JobFacts, record: JobRecord | null, finishedAt: string | null): boolean {
  const fetchedAt = record?.log?.state === 'present' ? record.log.fetched_at : null;
  if (fetchedAt === null || fetchedAt === undefined || job.finished_at === null) return false;
  const early = Date.parse(fetchedAt) - Date.parse(job.finished_at) < logSettlesMs;
  return early && finishedAt !== null && fetchedAt < finishedAt;
}
