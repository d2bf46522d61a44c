/**
 * Removals that are under way. An order is on disk before anything is touched and struck out when all of it is done, so
 * that what a crash broke off is taken up again; while it stands nobody mirrors anything of the build. A build that was removed whole leaves a mark: it is not mirrored anew.
 */
import { z } from 'zod';
import { BuildRef, Uuid } from '../model.ts';
import { unlinkFile } from './blobs.ts';
import { listFolder, readIfPresent, writeAtomic, writtenAt } from './files.ts';
import type { DataPaths } from './paths.ts';
import { throughStaging } from './temporary.ts';

/** state/dropping/<build>.json */
export const DropOrder = BuildRef.extend({
  version: z.literal(1),
  pipelineId: Uuid,
  parts: z.array(z.enum(['artifacts', 'logs', 'build'])).min(1),
  reason: z.enum(['age', 'count', 'bytes']),
  text: z.string(),
  /** The build's end that the policy judged by (ISO 8601, upstream's clock); null in orders that do not tell. */
  finished_at: z.string().nullable().default(null),
  asked_at: z.string(),
});
export type DropOrder = z.infer<typeof DropOrder>;

export async function writeOrder(paths: DataPaths, order: DropOrder): Promise<void> {
  await writeAtomic(paths.dropOrder(order.build), `${JSON.stringify(order)}\n`, throughStaging(paths));
}

export function strikeOrder(paths: DataPaths, build: string): void {
  unlinkFile(paths.dropOrder(build));
}

/** @returns null where there is none, and where what is there cannot be read */
export async function readOrder(paths: DataPaths, build: string): Promise<DropOrder | null> {
  const text = await readIfPresent(paths.dropOrder(build));
  return text === null ? null : (DropOrder.safeParse(parseJson(text)).data ?? null);
}

/** @returns orders, and the names of files that are none: those are left alone */
export async function listOrders(paths: DataPaths): Promise<{ orders: DropOrder[]; unreadable: string[] }> {
  const orders: DropOrder[] = [];
  const unreadable: string[] = [];
  for (const { name } of await listFolder(paths.dropping)) {
    if (name.startsWith('.')) continue;
    const text = await readIfPresent(paths.dropOrder(name.replace(/\.json$/, '')));
    if (text === null) continue;
    const order = DropOrder.safeParse(parseJson(text)).data;
    if (order === undefined) unreadable.push(name);
    else orders.push(order);
  }
  return { orders, unreadable };
}

/** Whether the removal of a whole build has begun: its mark is the first thing that is done. */
export function isMarked(paths: DataPaths, build: string): boolean {
  return writtenAt(paths.droppedBuild(build)) !== null;
}

export async function markDropped(paths: DataPaths, order: DropOrder): Promise<void> {
  const { organization, pipeline, number, reason, text, finished_at } = order;
  const line = { organization, pipeline, number, reason, text, finished_at, dropped_at: new Date().toISOString() };
  await writeAtomic(paths.droppedBuild(order.build), `${JSON.stringify(line)}\n`, throughStaging(paths));
}

/**
 * Whether retention has removed the whole build. One that ended later than the end which was judged is new work, however
 * long before the removal that was: it may have been heard of by nobody then.
 * @param finishedAt when upstream says that it, or a job of it, ended (ms since 1970); null: not known
 */
export async function isDropped(paths: DataPaths, build: string, finishedAt: number | null): Promise<boolean> {
  const text = await readIfPresent(paths.droppedBuild(build));
  if (text === null) return false;
  const mark = Dropped.safeParse(parseJson(text)).data;
  // A mark that cannot be read is a mark.
  if (finishedAt === null || mark === undefined) return true;
  return finishedAt <= Date.parse(mark.finished_at ?? mark.dropped_at);
}

/** It is mirrored anew, or was not removed after all. */
export function forgetDropped(paths: DataPaths, build: string): void {
  unlinkFile(paths.droppedBuild(build));
}

/** state/dropped/ab/<build>: of what it tells people, this is read again. */
const Dropped = z.object({
  /** The end that was judged, by upstream's clock; absent in marks that do not tell: then the removal's time, by ours. */
  finished_at: z.iso.datetime({ offset: true }).nullish(),
  dropped_at: z.iso.datetime(),
});

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
