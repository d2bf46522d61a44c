/**
 * Files that are stored and whose place in the job's folder has changed: a late upload may need as a folder what was a
 * file, or give such a place free. The same artifacts end in the same places, in whatever order they were learned of.
 */
import { dirname } from 'node:path';
import type { ArtifactRecord, JobRecord } from '../src/model.ts';
import { linkBlob, unlinkFile } from '../src/tree/blobs.ts';
import { pruneFolders, removeHollow } from '../src/tree/files.ts';
import type { DataPaths } from '../src/tree/paths.ts';
import type { PlannedArtifact } from './plan-job.ts';

export interface Relocation {
  /** To be done once the new places are on record: nobody is led to the old ones any more. */
  removeOld(): void;
}

/**
 * Links what has moved, or is shown again, under its new name.
 * @param base the job's folder · @param known folders below it that are there
 * @returns null where nothing has moved
 */
export function relocate(
  paths: DataPaths,
  base: string,
  before: JobRecord | null,
  planned: readonly PlannedArtifact[],
  known: Set<string>,
): Relocation | null {
  const then = new Map(before?.artifacts.map((artifact) => [artifact.id, artifact]));
  const moved = planned.filter(({ record }) => record.state === 'present' && !isThere(record, then.get(record.id)));
  const now = new Set(planned.map(({ record }) => record.url));
  const left = (before?.artifacts ?? []).filter(({ url }) => url !== null && !now.has(url));
  if (moved.length === 0 && left.length === 0) return null;
  for (const { record, file } of moved) {
    if (record.sha256 === null) continue;
    removeHollow(`${base}/${file}`);
    linkBlob(paths, record.sha256, base, file, known);
  }
  return {
    removeOld: () => {
      for (const artifact of left) removeOld(base, artifact);
      known.clear();
    },
  };
}

function isThere({ url }: ArtifactRecord, before: ArtifactRecord | undefined): boolean {
  return before?.state === 'present' && before.url === url;
}

function removeOld(base: string, { url }: ArtifactRecord): void {
  // jobs/<id>/<file>
  const file = (url ?? '').split('/').slice(2).map(decodeURIComponent).join('/');
  unlinkFile(`${base}/${file}`);
  pruneFolders(base, dirname(file));
}
