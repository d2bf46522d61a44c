/**
 * Whether a build's folder is what its records say: each record can be read, each file has its name and its blob, the views
 * show the jobs' own files, and nothing lies there that no record names. Changes nothing.
 */
import { type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ViewEntry } from '../model.ts';
import { checkJob, type FaultyFile } from './check-job.ts';
import { type DataPaths, type Place, stepFolder } from './paths.ts';
import { damaged, orDamaged, readBuildRecord, readViews, type Views } from './records.ts';
import { unknownFiles } from './remove.ts';
import { readUnsettled } from './unsettled.ts';
import { readUpstreamView } from './upstream-view.ts';
import { readJobs } from './walk.ts';

export interface BuildFaults {
  readonly place: Place;
  /** Records that cannot be read, or are not there: paths below the build's folder. */
  readonly records: readonly string[];
  /** By job: its files that are not what the record says. */
  readonly files: ReadonlyMap<string, readonly FaultyFile[]>;
  /** Names in the merged view or a step's that show something else: paths below the build's folder. */
  readonly views: readonly string[];
  /** Files that no record names. */
  readonly strays: readonly string[];
}

/** @returns null where all is as it should be, or where the folder holds no build (yet) */
export async function checkBuild(paths: DataPaths, place: Place): Promise<BuildFaults | null> {
  const view = await orDamaged(readUpstreamView(paths, place));
  const build = await orDamaged(readBuildRecord(paths, place));
  const { records, unreadable } = await readJobs(paths, place);
  const id = (view === damaged ? null : view?.build.id) ?? (build === damaged ? null : build?.id) ?? null;
  if (view === null && build === null && unreadable.length === 0) return null;
  const ours = records.filter((record) => record.build_id === id);
  const isOpen = id !== null && (await readUnsettled(paths, id)) !== null;
  const wrong = [
    ...(view === damaged || view === null ? ['upstream.json'] : []),
    // While a gap is open the build may not have been published yet.
    ...(build === damaged || (build === null && !isOpen) ? ['build.json'] : []),
    ...unreadable.map((job) => `jobs/${job}/job.json`),
  ];
  const files = new Map<string, readonly FaultyFile[]>();
  for (const record of ours) {
    const faults = await checkJob(paths, place, record);
    if (faults.length > 0) files.set(record.id, faults);
  }
  // What is being mirrored has names that its record tells of a moment later.
  const isWhole = wrong.length === 0 && !isOpen;
  const views = isWhole ? await readViews(paths, place) : null;
  const shown = views === null ? [] : faultyViews(paths, place, views);
  if (isWhole && views === null) shown.push('artifacts');
  const strays = id !== null && views !== null ? await unknownFiles(paths, place, id, views) : [];
  if (wrong.length + files.size + shown.length + strays.length === 0) return null;
  // A build that was taken up meanwhile is looked at when it is done.
  if (isWhole && id !== null && (await readUnsettled(paths, id)) !== null) return null;
  return { place, records: wrong, files, views: shown, strays };
}

function faultyViews(paths: DataPaths, place: Place, { merged, steps }: Views): string[] {
  const of = (below: string, entries: readonly ViewEntry[]): string[] =>
    entries.flatMap((entry) => {
      const path = `${below}/${entry.path}`;
      return isShown(paths, place, path, entry) ? [] : [path];
    });
  const ofSteps = Object.entries(steps).flatMap(([key, entries]) => of(`steps/${stepFolder(key)}/artifacts`, entries));
  return [...of('artifacts', merged), ...ofSteps];
}

/** Whether a view's name is the job's own file, or another copy of its blob. */
function isShown(paths: DataPaths, place: Place, path: string, { job, path: own, sha256 }: ViewEntry): boolean {
  const there = statOf(join(paths.build(place), path));
  if (there === undefined) return false;
  if (there.ino === statOf(paths.jobFile(place, job, `artifacts/${own}`))?.ino) return true;
  for (let copy = 1; ; copy += 1) {
    const blob = statOf(paths.blob(sha256, copy));
    if (blob === undefined) return false;
    if (blob.ino === there.ino) return true;
  }
}

function statOf(file: string): Stats | undefined {
  return statSync(file, { throwIfNoEntry: false });
}
