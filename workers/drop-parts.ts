/**
 * Removes artifacts or logs of a build, whose records stay and say so: what spans its jobs first, then one job after the
 * other, each in its own task's place.
 */
import { join } from 'node:path';
import { countFiles, type JobRecord } from '../src/model.ts';
import { type DropOrder, strikeOrder, writeOrder } from '../src/tree/dropping.ts';
import { writtenAt } from '../src/tree/files.ts';
import { fileOf, type Place, possibleFiles } from '../src/tree/paths.ts';
import { readJobRecord } from '../src/tree/records.ts';
import { unlinkFiles } from '../src/tree/remove.ts';
import { forgetListings } from './build-pages.ts';
import { count, type Dropped, type Kept, noteRemoval, nothing, workOf } from './drop-count.ts';
import { forgetLogPage } from './log-pages.ts';
import { type Looked, lookInto, whyKept } from './may-drop.ts';
import { publishBuild, readRecords } from './publish-build.ts';
import { saveJob } from './save-job.ts';
import type { Upkeep } from './upkeep.ts';

export async function dropParts(upkeep: Upkeep, order: DropOrder, place: Place, signal: AbortSignal): Promise<Dropped> {
  const { paths } = upkeep;
  const { build } = order;
  const begun = await upkeep.holding(`publish-build/${build}`, signal, async (): Promise<Looked> => {
    const looked = await lookInto(upkeep, order, place);
    if (looked.kept !== null) return looked;
    await writeOrder(paths, order);
    const kept = await whyKept(upkeep, order, place);
    if (kept === null) await publishBuild(upkeep, workOf(order), (record) => withoutDropped(record, order));
    else strikeOrder(paths, build);
    return kept === null ? looked : { kept };
  });
  if (begun.kept !== null) return { kept: begun.kept, ...nothing };
  const done: JobRecord[] = [];
  let kept: Kept | null = null;
  for (const record of begun.records) {
    kept = await upkeep.holding(`mirror-job/${build}/${record.id}`, signal, async () => {
      const why = await whyKept(upkeep, order, place);
      if (why === null) await dropOfJob(upkeep, order, place, record.id);
      return why;
    });
    if (kept !== null) break;
    done.push(record);
  }
  const removed = count(done, order);
  await publishAfter(upkeep, order, signal);
  await noteRemoval(upkeep, order, removed);
  return { kept, ...removed };
}

/** Of jobs whose records say already what is gone, the names that are left; all else stays until it is judged again. */
export async function endParts(
  upkeep: Upkeep,
  order: DropOrder,
  place: Place,
  signal: AbortSignal,
): Promise<Dropped | null> {
  const { paths } = upkeep;
  const { records } = await readRecords(paths, place, order.build);
  for (const id of records.keys()) {
    await upkeep.holding(`mirror-job/${order.build}/${id}`, signal, async () => {
      const record = await readJobRecord(paths, place, id);
      if (record?.build_id === order.build) await removeNames(upkeep, order, place, record);
    });
  }
  // What spans the jobs may be ahead of their records, and hide from the policy what they still have.
  await publishAfter(upkeep, order, signal);
  const removed = count(
    [...records.values()].map((record) => onlyDropped(record, order)),
    order,
  );
  if (removed.artifacts + removed.logs === 0) {
    strikeOrder(paths, order.build);
    return null;
  }
  await noteRemoval(upkeep, order, removed);
  return { kept: null, ...removed };
}

/** Pages of jobs follow their records. A gap ends with a publish of its own, which is not to be foreseen here. */
async function publishAfter(upkeep: Upkeep, order: DropOrder, signal: AbortSignal): Promise<void> {
  await upkeep.holding(`publish-build/${order.build}`, signal, async () => {
    if (writtenAt(upkeep.paths.unsettledBuild(order.build)) === null) await publishBuild(upkeep, workOf(order));
  });
}

/** The record first, so that it never tells of a file that is gone; then the names. */
async function dropOfJob(upkeep: Upkeep, order: DropOrder, place: Place, job: string): Promise<void> {
  const before = await readJobRecord(upkeep.paths, place, job);
  if (before === null || before.build_id !== order.build) return;
  const after = withoutDropped(before, order);
  if (after !== before) await saveJob(upkeep, place, after, [], null);
  await removeNames(upkeep, order, place, after);
}

async function removeNames({ paths }: Upkeep, { parts }: DropOrder, place: Place, record: JobRecord): Promise<void> {
  const base = paths.job(place, record.id);
  if (parts.includes('artifacts')) {
    const keeps = new Set(record.artifacts.flatMap((artifact) => fileOf(artifact) ?? []));
    // Also those that an earlier run recorded as dropped and did not come to remove.
    const gone = record.artifacts.filter(({ state }) => state === 'dropped').flatMap(possibleFiles);
    unlinkFiles(
      base,
      gone.filter((file) => !keeps.has(file)),
    );
  }
  if (parts.includes('logs') && record.log?.state === 'dropped') {
    unlinkFiles(base, ['log.txt']);
    await forgetLogPage(paths, place, record.id);
  }
  await forgetListings(paths, place, join('jobs', record.id));
}

/** The record as it is to be. @returns the same one where nothing changes */
function withoutDropped(record: JobRecord, { parts, text }: DropOrder): JobRecord {
  const dropped = { state: 'dropped', reason: reasonOf(text), url: null } as const;
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

/** What this order, or one like it, has removed of a job, as if it were there. */
function onlyDropped({ artifacts, log, ...rest }: JobRecord, { text }: DropOrder): JobRecord {
  const isOurs = ({ state, reason }: { state: string; reason: string | null }): boolean =>
    state === 'dropped' && reason === reasonOf(text);
  return {
    ...rest,
    artifacts: artifacts.filter(isOurs).map((artifact) => ({ ...artifact, state: 'present' })),
    log: log !== null && isOurs(log) ? { ...log, state: 'present' } : null,
  };
}

function reasonOf(text: string): string {
  return `removed by retention: ${text}`;
}
