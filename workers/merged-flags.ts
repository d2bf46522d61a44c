/** Whether the merged view shows a job's artifacts: decided by publish-build, noted in the job's record by mirror-job. */
import type { JobRecord, ViewEntry } from '../src/model.ts';

/** @returns the same record where nothing changes */
export function markMerged(record: JobRecord, merged: readonly ViewEntry[]): JobRecord {
  const shown = new Set(merged.filter((entry) => entry.job === record.id).map((entry) => entry.artifact));
  if (!differs(record, shown)) return record;
  return {
    ...record,
    artifacts: record.artifacts.map((artifact) => ({ ...artifact, merged: shown.has(artifact.id) })),
  };
}

export function differs(record: JobRecord, shown: ReadonlySet<string>): boolean {
  return record.artifacts.some(
    (artifact) => artifact.state === 'present' && artifact.merged !== shown.has(artifact.id),
  );
}
