/** A record that cannot be read: it is kept and told of, and what it told is made again. Nothing that is derived changes before that. */
import type { BuildRef } from '../src/model.ts';
import type { Place } from '../src/tree/paths.ts';
import { damaged, orDamaged, readBuildRecord } from '../src/tree/records.ts';
import { type DamagedRecord, keepDamaged } from '../src/tree/salvaged.ts';
import { openUnsettled, readUnsettled, type UnsettledBuild } from '../src/tree/unsettled.ts';
import { readUpstreamView } from '../src/tree/upstream-view.ts';
import type { WorkerContext } from './context.ts';
import { pick, type Work } from './enqueue-work.ts';

/** To be called by who writes the record anew, right before that. */
export async function setRecordAside(
  { paths, onDamaged }: Pick<WorkerContext, 'paths' | 'onDamaged'>,
  file: string,
  of: DamagedRecord,
): Promise<void> {
  await keepDamaged(paths, file, of);
  onDamaged(of);
}

export type Asking = Pick<WorkerContext, 'paths'> & { readonly queue: Pick<WorkerContext['queue'], 'enqueue'> };

/** Has the build looked at anew: the gap is on disk, so that neither a crash nor a loss of Redis forgets it. */
export async function askForLook({ paths, queue }: Asking, work: Work): Promise<void> {
  const gap = await readUnsettled(paths, work.build);
  const learnedFrom = gap?.learnedFrom ?? 'reconcile';
  const entry = { version: 1, ...pick(work), pipelineId: work.pipelineId } as const;
  if (gap === null) await openUnsettled(paths, { ...entry, since: new Date().toISOString(), learnedFrom });
  await enqueueLook({ queue }, { ...work, learnedFrom }, 0);
}

/** For a build whose gap is open. */
export async function enqueueLook(
  { queue }: Pick<Asking, 'queue'>,
  of: BuildRef & Pick<UnsettledBuild, 'learnedFrom'>,
  delayMs: number,
): Promise<void> {
  const payload = { ...pick(of), learnedFrom: of.learnedFrom, heardAt: null, finishedAt: null, job: null };
  await queue.enqueue({ name: 'read-build', payload }, { workClass: 'reconcile', delayMs });
}

/** Where of a build nothing but its record is wrong: it is derived, and made again without upstream. */
export async function askForPublish({ paths, queue }: Asking, work: Work): Promise<void> {
  if ((await readUnsettled(paths, work.build)) === null)
    await openUnsettled(paths, { version: 1, ...work, since: new Date().toISOString(), learnedFrom: 'reconcile' });
  await queue.enqueue({ name: 'publish-build', payload: work }, { urgent: true });
}

/** Which build a folder holds, by what of it can be read. @returns null where nothing tells */
export async function workAt(
  { paths, catalog }: Pick<WorkerContext, 'paths' | 'catalog'>,
  place: Place,
): Promise<Work | null> {
  const { organization, folder, number } = place;
  const view = await orDamaged(readUpstreamView(paths, place));
  if (view !== damaged && view !== null) {
    const { id: build, pipeline } = view.build;
    return { organization, pipeline: pipeline.slug, number, build, pipelineId: pipeline.id };
  }
  const record = await orDamaged(readBuildRecord(paths, place));
  const [noted] = catalog.builds({ organization, folder, before: number + 1, limit: 1 });
  const known = record === damaged || record === null ? (noted?.number === number ? noted : null) : record;
  return known === null
    ? null
    : { organization, pipeline: known.pipeline, number, build: known.id, pipelineId: known.pipeline_id };
}
