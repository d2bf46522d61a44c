/** One build of a rebuild: its files' names and its marks from its records, and then all that spans them. */
import { MirrorError } from '../src/errors.ts';
import { isFinishedBuild, type JobRecord } from '../src/model.ts';
import { unlinkFile } from '../src/tree/blobs.ts';
import { hasComeBack } from '../src/tree/check-job.ts';
import type { Place } from '../src/tree/paths.ts';
import { adoptFolder } from '../src/tree/pipelines.ts';
import { damaged, orDamaged, readJobRecord } from '../src/tree/records.ts';
import { readUpstreamView } from '../src/tree/upstream-view.ts';
import { readJobs } from '../src/tree/walk.ts';
import { askForLook, workAt } from './damaged-record.ts';
import { enqueueDerived } from './derived.ts';
import { wantsLogPage } from './log-pages.ts';
import { type Mended, mendJob } from './mend-job.ts';
import { publishBuild } from './publish-build.ts';
import { leaveWork } from './repair.ts';
import { saveJob } from './save-job.ts';
import type { Upkeep } from './upkeep.ts';

export interface BuildRebuilt extends Mended {
  /** Its uuid. */
  readonly build: string;
  /** A record of it could not be read: it is made again. */
  readonly isSalvaged: boolean;
  /** It is not known of all its blobs yet that they are its. */
  readonly isOpen: boolean;
}

/**
 * @returns null where the folder holds no build that was ever read to its end
 * @throws MirrorError ERR_TREE_CORRUPT where nothing tells which build it was
 */
export async function rebuildBuild(upkeep: Upkeep, place: Place, signal: AbortSignal): Promise<BuildRebuilt | null> {
  const { paths } = upkeep;
  const view = await orDamaged(readUpstreamView(paths, place));
  const { records, unreadable } = await readJobs(paths, place);
  const work = await workAt(upkeep, place);
  const isBegun = work !== null || records.length > 0;
  if (view === damaged || (view === null && isBegun) || unreadable.length > 0) {
    // Who makes the records again looks at jobs that have none: the others' files get their names here or never.
    const done = await nameFiles(upkeep, place, records, signal);
    if (work === null) throw new MirrorError('ERR_TREE_CORRUPT', 'nothing tells which build this was');
    await askForLook(upkeep, work);
    return { build: work.build, ...done, isSalvaged: true, isOpen: true };
  }
  if (view === null) return null;
  const { id: build, pipeline, state, finished_at: end } = view.build;
  await adoptFolder(paths, { ...place, slug: pipeline.slug, pipelineId: pipeline.id });
  const { organization, number } = place;
  const task = { organization, pipeline: pipeline.slug, number, build, pipelineId: pipeline.id };
  // Where the number was another build's before: its files stay, and are of no account to this one.
  const foreign = records.filter(({ build_id: of }) => of !== build);
  await nameFiles(upkeep, place, foreign, signal);
  const done = { build, linked: 0, gone: 0, isSalvaged: false, isOpen: false };
  for (const { id, build_id } of records) {
    if (build_id !== build) continue;
    await upkeep.holding(`mirror-job/${build}/${id}`, signal, async () => {
      const record = await readJobRecord(paths, place, id);
      if (record === null) return;
      const { linked, gone } = await mendJob(upkeep, place, record);
      done.linked += linked;
      done.gone += gone;
      if (await hasComeBack(paths, record)) {
        done.isOpen = true;
        await leaveWork(upkeep, task, place, record);
        await upkeep.queue.enqueue({ name: 'mirror-job', payload: { ...task, job: id } }, { workClass: 'reconcile' });
      }
      await saveJob(upkeep, place, record, [], isFinishedBuild(state, end));
      if (wantsLogPage(paths, place, record)) {
        await enqueueDerived(upkeep, { name: 'index-log', payload: { ...task, job: id } }, { workClass: 'bulk' });
      }
    });
  }
  await upkeep.holding(`publish-build/${build}`, signal, async () => {
    // Without it the views' folders are looked at themselves.
    unlinkFile(paths.views(place));
    // What is gone cannot be shown: the repair strikes it from the records and has the build published.
    if (done.gone === 0) await publishBuild(upkeep, task);
  });
  return done;
}

async function nameFiles(
  upkeep: Upkeep,
  place: Place,
  records: readonly JobRecord[],
  signal: AbortSignal,
): Promise<Mended> {
  const done = { linked: 0, gone: 0 };
  for (const { id, build_id: build } of records) {
    await upkeep.holding(`mirror-job/${build}/${id}`, signal, async () => {
      const record = await orDamaged(readJobRecord(upkeep.paths, place, id));
      if (record === damaged || record === null) return;
      const { linked, gone } = await mendJob(upkeep, place, record);
      done.linked += linked;
      done.gone += gone;
    });
  }
  return done;
}
