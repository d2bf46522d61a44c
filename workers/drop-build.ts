/**
 * Removes of one build what an order says, the publish order backwards: what leads there → what is derived → records →
 * names of the bytes. (The bytes go with the next sweep.) Each step may have been done before: a crash at any of them is
 * made good by doing all of them again. What has not begun when the build is held is asked for anew first.
 */
import { dirname } from 'node:path';
import type { JobRecord } from '../src/model.ts';
import { type DropOrder, forgetDropped, isMarked, markDropped, strikeOrder, writeOrder } from '../src/tree/dropping.ts';
import type { Place } from '../src/tree/paths.ts';
import { placeOf } from '../src/tree/pipelines.ts';
import { takeAway } from '../src/tree/remove.ts';
import { enqueueDerived } from './derived.ts';
import { count, type Dropped, noteRemoval, nothing, workOf } from './drop-count.ts';
import { dropParts, endParts } from './drop-parts.ts';
import { lookInto, whyKept } from './may-drop.ts';
import { followPointers } from './note-in-catalog.ts';
import { neighboursOf, publishBuild } from './publish-build.ts';
import type { Upkeep } from './upkeep.ts';

/** Removes what a verdict of this run says, unless the build is by now another than the one that was judged. */
export async function dropBuild(upkeep: Upkeep, order: DropOrder, signal: AbortSignal): Promise<Dropped> {
  const place = await placeOf(upkeep.paths, order.pipelineId, order.number);
  return order.parts.includes('build')
    ? dropWhole(upkeep, order, place, signal)
    : dropParts(upkeep, order, place, signal);
}

/**
 * Ends what an earlier run began, and no more: what that had not come to is judged anew.
 * @returns null where it had removed nothing
 */
export async function endDrop(upkeep: Upkeep, order: DropOrder, signal: AbortSignal): Promise<Dropped | null> {
  const place = await placeOf(upkeep.paths, order.pipelineId, order.number);
  return order.parts.includes('build')
    ? endWhole(upkeep, order, place, signal)
    : endParts(upkeep, order, place, signal);
}

function dropWhole(upkeep: Upkeep, order: DropOrder, place: Place, signal: AbortSignal): Promise<Dropped> {
  const { paths } = upkeep;
  return upkeep.holding(`publish-build/${order.build}`, signal, async () => {
    const looked = await lookInto(upkeep, order, place);
    if (looked.kept !== null) return { kept: looked.kept, ...nothing };
    await writeOrder(paths, order);
    const kept = await whyKept(upkeep, order, place);
    if (kept !== null) {
      strikeOrder(paths, order.build);
      return { kept, ...nothing };
    }
    // From here on no task makes it anew.
    await markDropped(paths, order);
    return removeWhole(upkeep, order, place, looked.records);
  });
}

/** One that has begun can not be taken back: neither a pin nor a gap that came since keeps what is left of the build. */
async function endWhole(upkeep: Upkeep, order: DropOrder, place: Place, signal: AbortSignal): Promise<Dropped | null> {
  const { paths } = upkeep;
  return upkeep.holding(`publish-build/${order.build}`, signal, async () => {
    if (!isMarked(paths, order.build)) {
      strikeOrder(paths, order.build);
      return null;
    }
    const looked = await lookInto(upkeep, order, place);
    if (looked.kept === null) return removeWhole(upkeep, order, place, looked.records);
    // Its folder is still there, and is shown again; a crash before that is done leaves order and mark for the next run.
    await publishBuild(upkeep, workOf(order));
    forgetDropped(paths, order.build);
    strikeOrder(paths, order.build);
    return { kept: looked.kept, ...nothing };
  });
}

async function removeWhole(
  upkeep: Upkeep,
  order: DropOrder,
  place: Place,
  records: readonly JobRecord[],
): Promise<Dropped> {
  const { paths, catalog } = upkeep;
  const { organization, folder } = place;
  const removed = count(records, order);
  const beside = neighboursOf(upkeep, place);
  catalog.remove(order.build, (changes) => {
    followPointers(upkeep, place, changes);
  });
  await upkeep.search.remove(order.build);
  // What the views are stands among the pages: without it a folder that a crash left would be somebody's, and kept.
  await takeAway(paths, [paths.build(place), dirname(paths.views(place))]);
  await enqueueDerived(upkeep, { name: 'publish-pipeline', payload: { organization, folder, number: null } });
  for (const each of beside) await enqueueDerived(upkeep, each, { workClass: 'bulk' });
  await noteRemoval(upkeep, order, removed);
  return { kept: null, ...removed };
}
