/** How the catalog changes: a build noted or forgotten, with all that is counted along and all that then leads elsewhere. */
import { type BuildSummary, isEligible } from '../model.ts';
import { type Home, type Named, namedAs, type PointerChange, pointersOf } from './catalog-pointers.ts';
import type { Entry, Rows } from './catalog-rows.ts';
import { addTo } from './catalog-sums.ts';
import { countBuilds, recountFolder, refreshHead } from './heads.ts';

/** Of a build that is in the catalog. */
interface Known extends Named, Home {
  readonly bytes: number;
  readonly lost: number;
}

/** Each call belongs in a transaction. */
export interface Changes {
  /** @returns where the pointers lead that the build may be under, or was */
  put(entry: Entry): PointerChange[];
  remove(build: string): PointerChange[];
  moveFolder(organization: string, from: string, to: string): void;
}

export function changesOf(rows: Rows): Changes {
  const { statement } = rows;
  const knownAs = (build: string): Known | undefined =>
    statement('SELECT * FROM builds WHERE id = ?').get(build) as Known | undefined;
  const count = (by: { readonly builds: number; readonly lost: number; readonly bytes: number }): void => {
    for (const name of ['builds', 'lost', 'bytes'] as const) addTo(rows, name, by[name]);
  };
  return {
    put: (entry) => {
      const { folder, summary, lost } = entry;
      const { organization, branch } = summary;
      const before = knownAs(summary.id);
      statement(`INSERT OR REPLACE INTO builds VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`).run(
        ...columnsOf(entry),
      );
      count({
        builds: before === undefined ? 1 : 0,
        lost: lost - (before?.lost ?? 0),
        bytes: summary.bytes - (before?.bytes ?? 0),
      });
      if (before?.folder !== folder) {
        countBuilds(statement, organization, folder, 1);
        if (before !== undefined) countBuilds(statement, before.organization, before.folder, -1);
      }
      refreshHead(statement, { organization, folder, branch });
      if (before !== undefined) refreshHead(statement, before);
      const named = namedAs(summary);
      return pointersOf(rows, { organization, folder }, before === undefined ? [named] : [named, before]);
    },
    remove: (build) => {
      const before = knownAs(build);
      if (before === undefined) return [];
      statement('DELETE FROM builds WHERE id = ?').run(build);
      count({ builds: -1, lost: -before.lost, bytes: -before.bytes });
      countBuilds(statement, before.organization, before.folder, -1);
      refreshHead(statement, before);
      return pointersOf(rows, before, [before]);
    },
    moveFolder: (organization, from, to) => {
      statement('UPDATE builds SET folder = ? WHERE organization = ? AND folder = ?').run(to, organization, from);
      for (const folder of [from, to]) recountFolder(statement, organization, folder);
    },
  };
}

/** In the order of the table's columns. */
function columnsOf({ folder, summary, lost, withheld }: Entry): (string | number | null)[] {
  const { branch, sha, pull, fork } = namedAs(summary);
  const { id, organization, number, state, complete, bytes, finished_at: finishedAt, settled }: BuildSummary = summary;
  const [eligible, isComplete, isSettled] = [isEligible(summary), complete, settled].map(Number) as [
    number,
    number,
    number,
  ];
  const what = [id, organization, folder, number, branch, sha, pull, fork, state];
  return [...what, eligible, isComplete, lost, bytes, finishedAt, isSettled, withheld, JSON.stringify(summary)];
}
