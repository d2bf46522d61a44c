/**
 * The index of builds: an SQLite file made from the records, and made again from them at will. It answers what a walk
 * over the tree would: the latest of a branch, a page of builds, the neighbours of one, the totals.
 */
import type { DatabaseSync } from 'node:sqlite';
import { changesOf } from './catalog-changes.ts';
import { type Lists, listsOf } from './catalog-lists.ts';
import { namedAs, type PointerChange, pointersOf } from './catalog-pointers.ts';
import { type Entry, rowsOf, summaryOf } from './catalog-rows.ts';
import { recountSums, type Sums, sumsOf, sumsSchema } from './catalog-sums.ts';
import { openDatabase, transact } from './database.ts';
import { headsSchema } from './heads.ts';

/** What a build had come to when it was last published. */
export interface KnownBuild {
  readonly state: string;
  readonly finishedAt: string | null;
  readonly settled: boolean;
}

/** Builds in the order of their uuids; `after` is the last one's of the page before. */
export interface PageOfBuilds {
  readonly after: string | null;
  readonly limit: number;
}

export interface Catalog extends Lists, Sums {
  /** Notes a build; `onPointers` runs inside the transaction, so that two builds cannot overtake each other. */
  put(entry: Entry, onPointers: (changes: PointerChange[]) => void): void;
  /** Forgets a build; nothing where it is not known. */
  remove(build: string, onPointers: (changes: PointerChange[]) => void): void;
  /** A pipeline's folder has another name now. */
  moveFolder(organization: string, from: string, to: string): void;
  /** Counts anew what is otherwise counted along. @param storedBytes what blobs take */
  recount(storedBytes: number): void;
  /** What `work` puts and removes is on disk at once, and at the price of one. Others wait meanwhile: some hundred at most. */
  together(work: () => void): void;
  /** Where all that may lead to this build leads. */
  pointers(build: Pick<Entry, 'folder' | 'summary'>): PointerChange[];
  /** Every build, in no order. */
  entries(): Iterable<Pick<Entry, 'folder' | 'summary'>>;
  /** Leaves nothing of what was replaced or removed in the file. */
  scrub(): void;
  /** By the builds' uuids, those that are here; some microseconds for each. */
  known(builds: readonly string[]): ReadonlyMap<string, KnownBuild>;
  find(build: string): Entry | null;
  /** Every build. */
  page(page: PageOfBuilds): Entry[];
  /** Builds of which something that is expected is absent. */
  incomplete(page: PageOfBuilds): Entry[];
  /** Builds with files that other settings would let in. */
  withheld(page: PageOfBuilds): Entry[];
  close(): void;
}

const schema = `
  CREATE TABLE IF NOT EXISTS builds (
    id TEXT PRIMARY KEY, organization TEXT NOT NULL, folder TEXT NOT NULL, number INTEGER NOT NULL,
    branch TEXT NOT NULL, sha TEXT NOT NULL, pull TEXT, fork INTEGER NOT NULL, state TEXT NOT NULL,
    eligible INTEGER NOT NULL, complete INTEGER NOT NULL, lost INTEGER NOT NULL,
    bytes INTEGER NOT NULL, finished_at TEXT, settled INTEGER NOT NULL, withheld INTEGER NOT NULL, summary TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS by_number ON builds (organization, folder, number);
  CREATE INDEX IF NOT EXISTS by_branch ON builds (organization, folder, branch, number);
  CREATE INDEX IF NOT EXISTS own_by_branch ON builds (organization, folder, branch, number) WHERE fork = 0;
  CREATE INDEX IF NOT EXISTS by_branch_state ON builds (organization, folder, branch, state, number);
  CREATE INDEX IF NOT EXISTS by_sha ON builds (organization, folder, sha, number);
  CREATE INDEX IF NOT EXISTS by_pull ON builds (organization, folder, pull, number) WHERE pull IS NOT NULL;
  CREATE INDEX IF NOT EXISTS by_state ON builds (organization, folder, state, number);
  CREATE INDEX IF NOT EXISTS incomplete ON builds (id) WHERE complete = 0;
  CREATE INDEX IF NOT EXISTS withheld ON builds (id) WHERE withheld > 0;
  CREATE INDEX IF NOT EXISTS by_finish ON builds (finished_at);${sumsSchema}${headsSchema}`;

const version = 3;

/** @param file its folder must be there; a catalog of another version is emptied, and so must be made again */
export function openCatalog(file: string, options: { readOnly?: boolean } = {}): Catalog {
  return catalogOn(openDatabase(file, { version, schema, tables: ['builds', 'totals', 'folders', 'heads'] }, options));
}

interface KnownRow {
  readonly id: string;
  readonly state: string;
  readonly finished_at: string | null;
  readonly settled: number;
}

function catalogOn(db: DatabaseSync): Catalog {
  const rows = rowsOf(db);
  const changes = changesOf(rows);
  const { all, entries } = rows;
  const transaction = (work: () => void): void => transact(db, work);
  const pageOf = (condition: string, { after, limit }: PageOfBuilds): Entry[] =>
    entries(`${condition} AND id > ? ORDER BY id LIMIT ?`, [after ?? '', limit]);
  return {
    ...listsOf(rows),
    ...sumsOf(rows),
    put: (entry, onPointers) => transaction(() => onPointers(changes.put(entry))),
    remove: (build, onPointers) => transaction(() => onPointers(changes.remove(build))),
    moveFolder: (...names) => transaction(() => changes.moveFolder(...names)),
    recount: (storedBytes) => transaction(() => recountSums(rows, storedBytes)),
    together: transaction,
    pointers: ({ folder, summary }) =>
      pointersOf(rows, { organization: summary.organization, folder }, [namedAs(summary)]),
    *entries() {
      for (const { folder, summary } of db.prepare('SELECT folder, summary FROM builds').iterate())
        yield { folder: String(folder), summary: summaryOf(summary) };
    },
    scrub: () => {
      db.exec('VACUUM; PRAGMA wal_checkpoint(TRUNCATE)');
    },
    known: (builds) => {
      const rows = all(
        'SELECT id, state, finished_at, settled FROM builds WHERE id IN (SELECT value FROM json_each(?))',
        [JSON.stringify(builds)],
      ) as unknown as KnownRow[];
      return new Map(
        rows.map(({ id, state, finished_at: finishedAt, settled }) => [
          id,
          { state, finishedAt, settled: settled === 1 },
        ]),
      );
    },
    find: (build) => entries('id = ?', [build])[0] ?? null,
    page: (page) => pageOf('TRUE', page),
    incomplete: (page) => pageOf('complete = 0', page),
    withheld: (page) => pageOf('withheld > 0', page),
    close: () => db.close(),
  };
}
