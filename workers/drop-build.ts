/**
 * Removes of one build what an order says, the publish order backwards: what leads there → what is derived → records →
 * names of the bytes. (The bytes go with the next sweep.) Each step may have been done before: a crash at any of them is
 * made good by doing all of them again.
 */
import { dirname, join } from 'node:path';
import { type BuildRecord, countFiles, type JobRecord } from '../src/model.ts';
import { writeAudit } from '../src/tree/audit.ts';
import { type DropOrder, markDropped, strikeOrder, writeOrder } from '../src/tree/dropping.ts';
import { fileOf, type Place, possibleFiles } from '../src/tree/paths.ts';
import { isPinned } from '../src/tree/pins.ts';
import { placeOf } from '../src/tree/pipelines.ts';
import { damaged, orDamaged, readBuildRecord, readJobRecord, readViews } from '../src/tree/records.ts';
import { takeAway, unknownFiles, unlinkFiles } from '../src/tree/remove.ts';
import { readUnsettled } from '../src/tree/unsettled.ts';
import { forgetListings } from './build-pages.ts';
import { askForLook } from './damaged-record.ts';
import { forgetLogPage } from './log-pages.ts';
import { followPointers } from './note-in-catalog.ts';
import { publishBuild, readRecords } from './publish-build.ts';
import { saveJob } from './save-job.ts';
import type { Upkeep } from './upkeep.ts';

export type Dropped =
  | { readonly kept: string }
  | { readonly kept: null; readonly artifacts: number; readonly logs: number; readonly bytes: number };

export async function dropBuild(upkeep: Upkeep, order: DropOrder, signal: AbortSignal): Promise<Dropped> {
  const { paths } = upkeep;
  const place = await placeOf(paths, order.pipelineId, order.number);
  if (await isPinned(paths, order.build)) {
    strikeOrder(paths, order.build);
    return { kept: 'pinned' };
  }
  if ((await readUnsettled(paths, order.build)) !== null) return { kept: 'unsettled' };
  const { records, unreadable } = await readRecords(paths, place, order.build);
  const record = await orDamaged(readBuildRecord(paths, place));
  // Nothing is removed by a guess: the records are made again, and the next run comes by.
  if (unreadable.length > 0 || record === damaged) {
    const { organization, pipeline, number, build, pipelineId } = order;
    await askForLook(upkeep, { organization, pipeline, number, build, pipelineId });
    return { kept: 'a record of it cannot be read, and is made again' };
  }
  const whole = order.parts.includes('build');
  const foreign = whole ? await foreignIn(upkeep, place, order.build, record) : null;
  if (foreign !== null) return { kept: foreign };

  await writeOrder(paths, order);
  const removed = count(records.values(), order);
  if (whole) await dropWhole(upkeep, order, place, signal);
  else await dropParts(upkeep, order, place, [...records.values()], signal);
  const { organization, pipeline, number, build, parts, text } = order;
  const files = removed.artifacts + removed.logs;
  const line = { organization, pipeline, number, build, what: parts.join(', '), files, bytes: removed.bytes };
  await writeAudit(paths, { action: 'drop', ...line, reason: text });
  strikeOrder(paths, build);
  return { kept: null, ...removed };
}

/** Why a folder is not removed: it holds what is not this build's. */
async function foreignIn(
  { paths }: Upkeep,
  place: Place,
  build: string,
  record: BuildRecord | null,
): Promise<string | null> {
  // Its folder is gone already, or it is another's by now.
  if (record === null) return null;
  if (record.id !== build) return 'its number is another build’s now';
  const unknown = await unknownFiles(paths, place, build, await readViews(paths, place));
  if (unknown.length === 0) return null;
  return `its folder holds files that no record names: ${unknown.slice(0, 3).join(', ')}${unknown.length > 3 ? ', …' : ''}`;
}

async function dropWhole(upkeep: Upkeep, order: DropOrder, place: Place, signal: AbortSignal): Promise<void> {
  const { paths, catalog, queue } = upkeep;
  const { organization, folder, number } = place;
  await upkeep.holding(`publish-build/${order.build}`, signal, async () => {
    // From here on no task makes it anew.
    await markDropped(paths, order);
    const { previous, next } = catalog.neighbours(organization, folder, number);
    catalog.remove(order.build, (changes) => {
      followPointers(upkeep, place, changes);
    });
    await upkeep.search.remove(order.build);
    // What the views are stands among the pages: without it a folder that a crash left would be somebody's, and kept.
    await takeAway(paths, [paths.build(place), dirname(paths.views(place))]);
    await queue.enqueue({ name: 'publish-pipeline', payload: { organization, folder, number: null } });
    for (const neighbour of [previous, next]) await relinkNeighbour(upkeep, place, neighbour);
  });
}

/** The build beside it leads to another one now. */
async function relinkNeighbour({ paths, queue }: Upkeep, place: Place, number: number | null): Promise<void> {
  const record = number === null ? null : await orDamaged(readBuildRecord(paths, { ...place, number }));
  if (record === damaged || record === null) return;
  const { organization, pipeline, pipeline_id: pipelineId, id: build } = record;
  const payload = { organization, pipeline, number: record.number, build, pipelineId };
  await queue.enqueue({ name: 'publish-build', payload }, { workClass: 'bulk' });
}

async function dropParts(
  upkeep: Upkeep,
  order: DropOrder,
  place: Place,
  records: readonly JobRecord[],
  signal: AbortSignal,
): Promise<void> {
  const { organization, pipeline, number, build, pipelineId } = order;
  const task = { organization, pipeline, number, build, pipelineId };
  const publish = (adjust?: (record: JobRecord) => JobRecord): Promise<unknown> =>
    upkeep.holding(`publish-build/${build}`, signal, () => publishBuild(upkeep, task, adjust));
  await publish((record) => withoutDropped(record, order));
  for (const { id } of records) {
    await upkeep.holding(`mirror-job/${build}/${id}`, signal, () => dropOfJob(upkeep, order, place, id));
  }
  // Pages of jobs follow their records.
  await publish();
}

/** The record first, so that it never tells of a file that is gone; then the names. */
async function dropOfJob({ paths, ...rest }: Upkeep, order: DropOrder, place: Place, job: string): Promise<void> {
  const before = await readJobRecord(paths, place, job);
  if (before === null || before.build_id !== order.build) return;
  const after = withoutDropped(before, order);
  if (after !== before) await saveJob({ paths, ...rest }, place, after, [], null);
  const base = paths.job(place, job);
  if (order.parts.includes('artifacts')) {
    const keeps = new Set(after.artifacts.flatMap((artifact) => fileOf(artifact) ?? []));
    // Also those that an earlier run recorded as dropped and did not come to remove.
    const gone = after.artifacts.filter(({ state }) => state === 'dropped').flatMap(possibleFiles);
    unlinkFiles(
      base,
      gone.filter((file) => !keeps.has(file)),
    );
  }
  if (order.parts.includes('logs') && after.log?.state !== 'present') {
    unlinkFiles(base, ['log.txt']);
    await forgetLogPage(paths, place, job);
  }
  await forgetListings(paths, place, join('jobs', job));
}

/** The record as it is to be. @returns the same one where nothing changes */
function withoutDropped(record: JobRecord, { parts, text }: DropOrder): JobRecord {
  const dropped = { state: 'dropped', reason: `removed by retention: ${text}`, url: null } as const;
  const isGone = ({ state }: { state: string }, part: 'artifacts' | 'logs'): boolean =>
    state === 'present' && parts.includes(part);
  const artifacts = record.artifacts.map((artifact) =>
    isGone(artifact, 'artifacts') ? { ...artifact, ...dropped, merged: false } : artifact,
  );
  const log = record.log !== null && isGone(record.log, 'logs') ? { ...record.log, ...dropped } : record.log;
  if (log === record.log && artifacts.every((artifact, at) => artifact === record.artifacts[at])) return record;
  const states = [...artifacts, ...(log === null ? [] : [log])].map(({ state }) => state);
  return { ...record, ...countFiles(states), artifacts, log };
}

function count(records: Iterable<JobRecord>, { parts }: DropOrder): { artifacts: number; logs: number; bytes: number } {
  const total = { artifacts: 0, logs: 0, bytes: 0 };
  const takes = (part: 'artifacts' | 'logs'): boolean => parts.includes(part) || parts.includes('build');
  for (const { artifacts, log } of records) {
    const gone = takes('artifacts') ? artifacts.filter(({ state }) => state === 'present') : [];
    total.artifacts += gone.length;
    total.bytes += gone.reduce((sum, { size }) => sum + size, 0);
    if (log?.state !== 'present' || !takes('logs')) continue;
    total.logs += 1;
    total.bytes += log.size;
  }
  return total;
}
