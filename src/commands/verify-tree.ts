/** The second half of `kitemirror verify`: whether records can be read, and the names in the tree agree with them. */
import { counted } from '../pages/format.ts';
import { type BuildFaults, checkBuild } from '../tree/check-build.ts';
import { walkBuilds } from '../tree/walk.ts';
import { awaitMended } from './await-mended.ts';
import { awaitTask } from './await-task.ts';
import type { CommandContext, Io } from './command.ts';
import { openCatalogOrNone, openPaths } from './parts.ts';
import { startProgress } from './progress.ts';

/** Addresses below the mirror's root. */
export interface TreeVerdict {
  /** Could not be read; a worker makes them again. */
  readonly records: readonly string[];
  /** Were missing or showed other bytes; a worker puts them right. */
  readonly names: readonly string[];
  /** No record names them. */
  readonly strays: readonly string[];
  /** Records of which nothing tells what they were. */
  readonly unreadable: readonly string[];
  /** Builds that were not mended yet when the command ended. */
  readonly open: number;
}

export const nothingWrong: TreeVerdict = { records: [], names: [], strays: [], unreadable: [], open: 0 };

export function isSound({ records, names, strays }: TreeVerdict): boolean {
  return records.length + names.length + strays.length === 0;
}

/** Looks by itself; only what is wrong is a worker's to mend. */
export async function verifyTree(context: CommandContext): Promise<TreeVerdict> {
  const { io, signal } = context;
  const paths = openPaths(context);
  const total = openCatalogOrNone(context)?.totals().builds ?? null;
  const progress = startProgress(io, { unit: 'builds' });
  const faults: BuildFaults[] = [];
  let seen = 0;
  for await (const place of walkBuilds(paths)) {
    signal.throwIfAborted();
    const found = await checkBuild(paths, place);
    if (found !== null) faults.push(found);
    progress.at((seen += 1), total);
  }
  progress.end();
  if (faults.length === 0) return nothingWrong;
  const { records, names, strays } = sum(faults);
  if (records.length + names.length === 0) return { ...nothingWrong, strays };
  const { result } = await awaitTask(context, { name: 'check-tree', payload: {} }, 'builds');
  const { salvaged, unreadable } = result as { salvaged: readonly string[]; unreadable: readonly string[] };
  return { records, names, strays, unreadable, open: await awaitMended(context, salvaged) };
}

function sum(faults: readonly BuildFaults[]): Pick<TreeVerdict, 'records' | 'names' | 'strays'> {
  const [records, names, strays]: [string[], string[], string[]] = [[], [], []];
  for (const { place, records: wrong, files, views, strays: foreign } of faults) {
    const at = (file: string): string => `/${place.organization}/${place.folder}/builds/${place.number}/${file}`;
    for (const file of wrong) records.push(at(file));
    for (const [job, of] of files) for (const { file } of of) names.push(at(`jobs/${job}/${file}`));
    for (const file of views) names.push(at(file));
    for (const file of foreign) strays.push(at(file));
  }
  return { records, names, strays };
}

export function tellTree(io: Io, { records, names, strays, unreadable, open }: TreeVerdict): void {
  const lost = new Set(unreadable);
  for (const record of records) {
    const remedy = lost.has(record)
      ? 'nothing tells what it was: restore it from a backup, or remove the folder of the build and fetch it with `kitemirror backfill`'
      : 'it is made again';
    io.say(`${record}: a record that cannot be read; ${remedy}`);
  }
  for (const name of names) io.say(`${name}: was missing or showed other bytes; put right`);
  for (const stray of strays)
    io.say(`${stray}: no record names this file; move it out of the data folder if it is yours`);
  if (open > 0) io.say(`${counted(open, 'build')} still being made again: /-/ledger`);
}
