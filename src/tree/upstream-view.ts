/** upstream.json: the build as upstream had it when last asked, through the allow-list. Written by read-build alone. */
import { z } from 'zod';
import { AnnotationFacts, BuildFacts, JobFacts, type UpstreamView } from '../model.ts';
import { writeAtomic } from './files.ts';
import type { DataPaths, Place } from './paths.ts';
import { readRecord } from './records.ts';
import { sealed } from './sealed.ts';
import { temporaryFile } from './temporary.ts';

const Unsealed = z.object({
  read_at: z.string(),
  build: BuildFacts,
  jobs: z.array(JobFacts),
  annotations: z.array(AnnotationFacts).nullable(),
});

/** @throws MirrorError ERR_TREE_CORRUPT */
export async function readUpstreamView(paths: DataPaths, place: Place): Promise<UpstreamView | null> {
  return readRecord(paths.buildFile(place, 'upstream.json'), (value, isSealed) => {
    if (!isSealed) Unsealed.parse(value);
    return value as UpstreamView;
  });
}

export async function writeUpstreamView(paths: DataPaths, place: Place, view: UpstreamView): Promise<void> {
  const file = paths.buildFile(place, 'upstream.json');
  await writeAtomic(file, sealed(view), { temporary: temporaryFile(paths) });
}
