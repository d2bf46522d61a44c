/** Why a build is kept that the policy would remove: asked while it is held, right before anything of it goes. */
import type { BuildRecord, JobRecord } from '../src/model.ts';
import type { DropOrder } from '../src/tree/dropping.ts';
import { writtenAt } from '../src/tree/files.ts';
import type { Place } from '../src/tree/paths.ts';
import { isPinned } from '../src/tree/pins.ts';
import { damaged, orDamaged, readBuildRecord, readViews } from '../src/tree/records.ts';
import { unknownFiles } from '../src/tree/remove.ts';
import { askForLook } from './damaged-record.ts';
import { type Kept, workOf } from './drop-count.ts';
import { readRecords } from './publish-build.ts';
import type { Upkeep } from './upkeep.ts';

type Asked = Pick<Upkeep, 'paths' | 'catalog' | 'settings'>;

/** What of a verdict may be otherwise by now. @returns null where it still holds */
export async function whyKept(
  { paths, catalog, settings }: Asked,
  order: DropOrder,
  place: Place,
): Promise<Kept | null> {
  if (await isPinned(paths, order.build)) return { kind: 'pinned', text: 'pinned' };
  // By its name alone: a gap that cannot be read is a gap.
  if (writtenAt(paths.unsettledBuild(order.build)) !== null) return { kind: 'unsettled', text: 'unsettled' };
  const record = await orDamaged(readBuildRecord(paths, place));
  if (record === damaged) return { kind: 'unreadable', text: 'a record of it cannot be read' };
  if (record?.id === order.build && record.finished_at !== order.finished_at)
    return { kind: 'changed', text: 'it has ended once more' };
  const entry = catalog.find(order.build);
  if (entry === null || settings.ruleFor(entry.summary).keepLatest === 0) return null;
  // The latest that the policy knew may have run again, or be gone.
  const leadsHere = catalog
    .pointers(entry)
    .some(({ kind, number }) => kind === 'latest' && number === entry.summary.number);
  return leadsHere ? { kind: 'latest', text: 'latest' } : null;
}

export type Looked = { readonly kept: Kept } | { readonly kept: null; readonly records: readonly JobRecord[] };

/** Nothing is removed by a guess: records that cannot be read are made again, and the next run comes by. */
export async function lookInto(upkeep: Upkeep, order: DropOrder, place: Place): Promise<Looked> {
  const { paths } = upkeep;
  const { records, unreadable } = await readRecords(paths, place, order.build);
  const record = await orDamaged(readBuildRecord(paths, place));
  if (unreadable.length > 0 || record === damaged) {
    await askForLook(upkeep, workOf(order));
    return { kept: { kind: 'unreadable', text: 'a record of it cannot be read, and is made again' } };
  }
  const whole = order.parts.includes('build');
  const foreign = whole ? await foreignIn(upkeep, place, order.build, record) : null;
  return foreign === null
    ? { kept: null, records: [...records.values()] }
    : { kept: { kind: 'foreign', text: foreign } };
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
