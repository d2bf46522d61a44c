/**
 * check-tree: looks whether records can be read and whether the names on the disk agree with them. What can be mended is, the
 * rest is told of: a file that no record names may be somebody's, and stays.
 */
import { logError } from '../src/log.ts';
import type { Outcome, TaskContext } from '../src/queue/run.ts';
import { unlinkFile } from '../src/tree/blobs.ts';
import { type BuildFaults, checkBuild } from '../src/tree/check-build.ts';
import { type OnProgress, running } from '../src/tree/marks.ts';
import type { Place } from '../src/tree/paths.ts';
import { readJobRecord } from '../src/tree/records.ts';
import { walkBuilds } from '../src/tree/walk.ts';
import { askForLook, askForPublish, workAt } from './damaged-record.ts';
import type { Work } from './enqueue-work.ts';
import { mendJob } from './mend-job.ts';
import { publishBuild } from './publish-build.ts';
import type { Upkeep } from './upkeep.ts';

export interface Checked {
  builds: number;
  /** Builds of which a record could not be read and is made again, by uuid. */
  readonly salvaged: string[];
  /** Records that nothing is known of to make them again: left as they are. Addresses, as all that follows. */
  readonly unreadable: string[];
  /** Names that were missing or showed other bytes, and are right again. */
  linked: number;
  /** Files whose bytes are nowhere any more: they are fetched again. */
  gone: number;
  readonly strays: string[];
}

const strayFilesTold = 100;

export async function checkTree(upkeep: Upkeep, context: TaskContext): Promise<Outcome> {
  await running(upkeep.paths, 'check-tree', (at) => checkAll(upkeep, context, at));
  return undefined;
}

async function checkAll(upkeep: Upkeep, context: TaskContext, at: OnProgress): Promise<Checked> {
  const total = newChecked();
  const builds = upkeep.catalog.totals().builds;
  for await (const place of walkBuilds(upkeep.paths)) {
    context.signal.throwIfAborted();
    at(total.builds, Math.max(total.builds, builds));
    await checkOne(upkeep, place, total, context);
  }
  await endCheck(upkeep, total, context);
  return total;
}

export function newChecked(): Checked {
  return { builds: 0, salvaged: [], unreadable: [], linked: 0, gone: 0, strays: [] };
}

/** Bytes that are nowhere any more are the repair's. */
export async function endCheck({ queue }: Upkeep, total: Checked, { log }: TaskContext): Promise<void> {
  if (total.gone > 0) await queue.enqueue({ name: 'repair', payload: {} });
  const { salvaged, unreadable, strays, ...counts } = total;
  const found = { ...counts, salvaged: salvaged.length, unreadable, strays: strays.slice(0, 10) };
  const isWrong = counts.linked + counts.gone + salvaged.length + unreadable.length + strays.length > 0;
  if (isWrong) log.warn(found, 'names or records in the tree were not what they should be');
}

/** One build that cannot be looked at keeps no other from it. */
export async function checkOne(upkeep: Upkeep, place: Place, total: Checked, context: TaskContext): Promise<void> {
  total.builds += 1;
  try {
    const faults = await checkBuild(upkeep.paths, place);
    if (faults !== null) await mendBuild(upkeep, faults, total, context.signal);
  } catch (thrown) {
    if (context.signal.aborted) throw thrown;
    logError(context.log, thrown, 'a build cannot be checked', { folder: place.folder, number: place.number });
  }
}

async function mendBuild(upkeep: Upkeep, faults: BuildFaults, total: Checked, signal: AbortSignal): Promise<void> {
  const { place, records, files, views, strays } = faults;
  const address = `/${place.organization}/${place.folder}/builds/${place.number}`;
  const work = await workAt(upkeep, place);
  if (work === null) {
    for (const record of records) total.unreadable.push(`${address}/${record}`);
    return;
  }
  if (records.length > 0) {
    const isDerived = records.every((record) => record === 'build.json');
    await (isDerived ? askForPublish : askForLook)(upkeep, work);
    total.salvaged.push(work.build);
  }
  const { linked, gone } = await mendFiles(upkeep, work, place, [...files.keys()], signal);
  total.linked += linked + views.length;
  total.gone += gone;
  // What is gone cannot be shown: the repair strikes it from the records and has the build published.
  if (gone === 0 && records.length === 0 && views.length > 0) await showAgain(upkeep, work, place, signal);
  const told = strays.slice(0, Math.max(0, strayFilesTold - total.strays.length));
  total.strays.push(...told.map((file) => `${address}/${file}`));
}

async function mendFiles(upkeep: Upkeep, { build }: Work, place: Place, jobs: readonly string[], signal: AbortSignal) {
  const total = { linked: 0, gone: 0 };
  for (const job of jobs) {
    await upkeep.holding(`mirror-job/${build}/${job}`, signal, async () => {
      const record = await readJobRecord(upkeep.paths, place, job);
      if (record === null) return;
      const { linked, gone } = await mendJob(upkeep, place, record);
      total.linked += linked;
      total.gone += gone;
    });
  }
  return total;
}

async function showAgain(upkeep: Upkeep, work: Work, place: Place, signal: AbortSignal): Promise<void> {
  await upkeep.holding(`publish-build/${work.build}`, signal, async () => {
    // Without it the views' folders are looked at themselves.
    unlinkFile(upkeep.paths.views(place));
    await publishBuild(upkeep, work);
  });
}
