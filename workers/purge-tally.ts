/** How far a purge is, kept with its tombstones. */
import type { DataPaths, Place } from '../src/tree/paths.ts';
import { type Tombstone, writeTombstone } from '../src/tree/tombstones.ts';

/** A file that is not shown any more: its digest; null where only a value in it is known. */
export type Lost = string | null;

/** What was removed for each tombstone, and which builds were begun with: on disk, for the run that goes on where this one is ended. */
export interface Tally {
  count(lost: readonly Lost[]): void;
  /** By this run or by one that was ended, which may not have come to what is derived of it. */
  isBegun(place: Place): boolean;
  /** To be called before something of a build is changed. */
  begin(place: Place): Promise<void>;
  end(place: Place): void;
  note(): Promise<void>;
  counted(): readonly Tombstone[];
}

export function newTally(paths: DataPaths, open: readonly Tombstone[]): Tally {
  const begun = new Set(open.flatMap((tombstone) => tombstone.begun));
  const files = new Map(open.map((tombstone) => [tombstone.id, tombstone.files]));
  const noted = new Map<string, string>();
  // The first of them tells of the builds.
  const counted = (): Tombstone[] =>
    open.map((each, index) => ({ ...each, files: files.get(each.id) ?? 0, begun: index === 0 ? [...begun] : [] }));
  const note = async (): Promise<void> => {
    for (const tombstone of counted()) {
      const text = `${tombstone.files} ${tombstone.begun.join(' ')}`;
      if (noted.get(tombstone.id) === text) continue;
      await writeTombstone(paths, tombstone);
      noted.set(tombstone.id, text);
    }
  };
  return {
    note,
    counted,
    count: (lost) => {
      const values = lost.filter((each) => each === null).length;
      const digests = Map.groupBy(lost, (each) => each);
      for (const { id, literal, sha256 } of open) {
        const named = sha256.reduce((sum, each) => sum + (digests.get(each)?.length ?? 0), 0);
        files.set(id, (files.get(id) ?? 0) + named + (literal === null ? 0 : values));
      }
    },
    isBegun: (place) => begun.has(nameOf(place)),
    begin: async (place) => {
      if (begun.has(nameOf(place))) return;
      begun.add(nameOf(place));
      await note();
    },
    // It stands on the disk until the next one begins: to look at it once more does no harm.
    end: (place) => void begun.delete(nameOf(place)),
  };
}

function nameOf({ organization, folder, number }: Place): string {
  return `${organization}/${folder}/${number}`;
}
