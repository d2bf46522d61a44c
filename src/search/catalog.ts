/**
 * The index of builds: an SQLite file made from the records, and made again from them at will. It answers what a walk
 * over the tree would: the latest of a branch, a page of builds, the neighbours of one, the totals.
 */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { type BuildSummary, isEligible } from '../model.ts';
import type { PointerKind, PointerState } from '../tree/paths.ts';
import { openDatabase, transact } from './database.ts';
import { countBuilds, headsSchema, recountFolder, refreshHead } from './heads.ts';

export interface PipelineSummary {
  readonly pipeline: string;
  readonly folder: string;
  readonly name: string | null;
  readonly builds: number;
  readonly latest: BuildSummary | null;
}

export interface BuildFilter {
  readonly organization: string;
  readonly folder?: string;
  readonly branch?: string;
  readonly state?: string;
  /** Only builds with a smaller number. */
  readonly before?: number;
  readonly limit: number;
}

/** What a pointer points at changed: `number` null when no build qualifies any more. */
export interface PointerChange {
  readonly kind: PointerKind;
  readonly name: string;
  readonly state: PointerState;
  readonly number: number | null;
}

export interface Totals {
  readonly builds: number;
  readonly incomplete: number;
  readonly lost: number;
  /** Bytes of all files that are shown, and of those that were stored for them (a blob counts once). */
  readonly logicalBytes: number;
  readonly storedBytes: number;
}

export interface Entry {
  readonly folder: string;
  readonly summary: BuildSummary;
  readonly lost: number;
  /** Files that other settings would let in: excluded or refused. */
  readonly withheld: number;
}

/** What a build had come to when it was last published. */
export interface KnownBuild {
  readonly state: string;
  readonly finishedAt: string | null;
  readonly settled: boolean;
}

/**
 * How much of the tree the catalog has: `partial` maybe not all builds · `filled` every build, though pointers may be
 * as they were before · `whole` both.
 */
export type CatalogStage = 'partial' | 'filled' | 'whole';

export interface Catalog {
  /** A new file is `partial`, and so is one that was made before there were stages. */
  stage(): CatalogStage;
  /** Only where it is true: from then on nobody looks for builds that are missing. */
  noteStage(stage: CatalogStage): void;
  /** Notes a build; `onPointers` runs inside the transaction, so that two builds cannot overtake each other. */
  put(entry: Entry, onPointers: (changes: PointerChange[]) => void): void;
  /** What `work` puts and removes is on disk at once, and at the price of one. Others wait meanwhile: some hundred at most. */
  together(work: () => void): void;
  /** Forgets a build; nothing where it is not known. */
  remove(build: string, onPointers: (changes: PointerChange[]) => void): void;
  /** Where all that may lead to this build leads. */
  pointers(build: Pick<Entry, 'folder' | 'summary'>): PointerChange[];
  /** Every build, by its uuid; `after` is the last one's. */
  page(page: { readonly after: string | null; readonly limit: number }): Entry[];
  /** Every build, in no order. */
  entries(): Iterable<Pick<Entry, 'folder' | 'summary'>>;
  /** New blobs took so many bytes (or, negative, gave them back). */
  addStored(bytes: number): void;
  /** What all blobs take, by who has just looked at them. */
  noteStored(bytes: number): void;
  /** Leaves nothing of what was replaced or removed in the file. */
  scrub(): void;
  /** Counts anew what is otherwise counted along. @param storedBytes what blobs take */
  recount(storedBytes: number): void;
  /** A pipeline's folder has another name now. */
  moveFolder(organization: string, from: string, to: string): void;
  builds(filter: BuildFilter): BuildSummary[];
  /** The latest build of each branch, newest first. */
  branches(organization: string, folder: string, limit: number): BuildSummary[];
  neighbours(organization: string, folder: string, number: number): { previous: number | null; next: number | null };
  pipelines(organization: string): PipelineSummary[];
  totals(): Totals;
  /** By the builds' uuids, those that are here; some microseconds for each. */
  known(builds: readonly string[]): ReadonlyMap<string, KnownBuild>;
  find(build: string): Entry | null;
  /** Builds of which something that is expected is absent; `after` is the last one's uuid. */
  incomplete(page: { readonly after: string | null; readonly limit: number }): Entry[];
  /** Builds with files that other settings would let in; likewise. */
  withheld(page: { readonly after: string | null; readonly limit: number }): Entry[];
  /** Bytes, as readers see them, of builds that finished since (ISO 8601). */
  bytesSince(finished: string): number;
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
  CREATE INDEX IF NOT EXISTS by_branch_state ON builds (organization, folder, branch, state, number);
  CREATE INDEX IF NOT EXISTS by_sha ON builds (organization, folder, sha, number);
  CREATE INDEX IF NOT EXISTS by_pull ON builds (organization, folder, pull, number) WHERE pull IS NOT NULL;
  CREATE INDEX IF NOT EXISTS by_state ON builds (organization, folder, state, number);
  CREATE INDEX IF NOT EXISTS incomplete ON builds (id) WHERE complete = 0;
  CREATE INDEX IF NOT EXISTS withheld ON builds (id) WHERE withheld > 0;
  CREATE INDEX IF NOT EXISTS by_finish ON builds (finished_at);
  CREATE TABLE IF NOT EXISTS totals (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;${headsSchema}`;

const version = 3;
/** By what the file has for them. */
const stages: readonly CatalogStage[] = ['partial', 'filled', 'whole'];
export const pointerStates: readonly PointerState[] = ['passed', 'failed', 'any'];

/** @param file its folder must be there; a catalog of another version is emptied, and so must be made again */
export function openCatalog(file: string, options: { readOnly?: boolean } = {}): Catalog {
  return catalogOn(openDatabase(file, { version, schema, tables: ['builds', 'totals', 'folders', 'heads'] }, options));
}

interface Row {
  readonly branch: string;
  readonly sha: string;
  readonly pull: string | null;
  readonly fork: number;
  readonly bytes: number;
  readonly lost: number;
}

interface KnownRow {
  readonly id: string;
  readonly state: string;
  readonly finished_at: string | null;
  readonly settled: number;
}

type Named = Pick<Row, 'branch' | 'sha' | 'pull' | 'fork'>;

interface Home {
  readonly organization: string;
  readonly folder: string;
}

function catalogOn(db: DatabaseSync): Catalog {
  const prepared = new Map<string, StatementSync>();
  /** Their texts are few, and to compile one costs more than most of them do. */
  function statement(sql: string): StatementSync {
    const known = prepared.get(sql);
    if (known !== undefined) return known;
    const made = db.prepare(sql);
    prepared.set(sql, made);
    return made;
  }

  const all = (sql: string, values: SQLInputValue[]): Record<string, unknown>[] => statement(sql).all(...values);
  const add = (name: string, value: number): void =>
    void statement('INSERT INTO totals VALUES (?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value').run(
      name,
      value,
    );
  const summaries = (sql: string, values: SQLInputValue[]): BuildSummary[] =>
    all(sql, values).map((row) => JSON.parse(String(row['summary'])) as BuildSummary);

  function found(condition: string, page: { after: string | null; limit: number }): Entry[] {
    return rowsOf(`${condition} AND id > ? ORDER BY id LIMIT ?`, [page.after ?? '', page.limit]);
  }

  function rowsOf(where: string, values: SQLInputValue[]): Entry[] {
    const rows = all(`SELECT folder, summary, lost, withheld FROM builds WHERE ${where}`, values);
    return rows.map(({ folder, summary, lost, withheld }) => ({
      folder: String(folder),
      summary: JSON.parse(String(summary)) as BuildSummary,
      lost: Number(lost),
      withheld: Number(withheld),
    }));
  }

  function greatest(place: readonly [string, string], { kind, name }: Target, state: PointerState): number | null {
    const column = { latest: 'fork = 0 AND branch', commits: 'sha', pulls: 'pull' }[kind];
    const values: SQLInputValue[] = [...place, name, ...(state === 'any' ? [] : [state])];
    // A commit has few builds, a state has many: the plus keeps SQLite from looking through those.
    const stateColumn = kind === 'latest' ? 'state' : '+state';
    const [row] = all(
      `SELECT max(number) AS number FROM builds WHERE organization = ? AND folder = ? AND ${column} = ?
       ${state === 'any' ? '' : `AND ${stateColumn} = ?`} AND eligible = 1`,
      values,
    );
    return row?.['number'] === null || row === undefined ? null : Number(row['number']);
  }

  /** Where the pointers lead now that any of these rows may be under. */
  function pointersOf(place: readonly [string, string], rows: readonly Named[]): PointerChange[] {
    return rows
      .flatMap(targetsOfRow)
      .flatMap((target) =>
        pointerStates.map((state) => ({ ...target, state, number: greatest(place, target, state) })),
      );
  }

  const transaction = (work: () => void): void => transact(db, work);

  return {
    put: ({ folder, summary, lost, withheld }, onPointers) =>
      transaction(() => {
        const { organization } = summary;
        const before = statement('SELECT * FROM builds WHERE id = ?').get(summary.id) as (Row & Home) | undefined;
        const now = rowOf(summary);
        const eligible = isEligible(summary);
        statement(`INSERT OR REPLACE INTO builds VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`).run(
          summary.id,
          organization,
          folder,
          summary.number,
          now.branch,
          now.sha,
          now.pull,
          now.fork,
          summary.state,
          Number(eligible),
          Number(summary.complete),
          lost,
          summary.bytes,
          summary.finished_at,
          Number(summary.settled),
          withheld,
          JSON.stringify(summary),
        );
        add('builds', before === undefined ? 1 : 0);
        add('lost', lost - (before?.lost ?? 0));
        add('bytes', summary.bytes - (before?.bytes ?? 0));
        if (before?.folder !== folder) {
          countBuilds(statement, organization, folder, 1);
          if (before !== undefined) countBuilds(statement, before.organization, before.folder, -1);
        }
        refreshHead(statement, { organization, folder, branch: summary.branch });
        if (before !== undefined) refreshHead(statement, before);
        onPointers(pointersOf([organization, folder], [now, ...(before === undefined ? [] : [before])]));
      }),
    stage: () =>
      stages[Number(statement("SELECT value FROM totals WHERE name = 'stage'").get()?.['value'] ?? 0)] ?? 'partial',
    noteStage: (stage) =>
      void statement("INSERT OR REPLACE INTO totals VALUES ('stage', ?)").run(stages.indexOf(stage)),
    together: transaction,
    pointers: ({ folder, summary }) => pointersOf([summary.organization, folder], [rowOf(summary)]),
    page: (page) => found('TRUE', page),
    remove: (build, onPointers) =>
      transaction(() => {
        const row = statement('SELECT * FROM builds WHERE id = ?').get(build) as (Row & Home) | undefined;
        if (row === undefined) return;
        statement('DELETE FROM builds WHERE id = ?').run(build);
        add('builds', -1);
        add('lost', -row.lost);
        add('bytes', -row.bytes);
        countBuilds(statement, row.organization, row.folder, -1);
        refreshHead(statement, row);
        onPointers(pointersOf([row.organization, row.folder], [row]));
      }),
    *entries() {
      for (const { folder, summary } of db.prepare('SELECT folder, summary FROM builds').iterate()) {
        yield { folder: String(folder), summary: JSON.parse(String(summary)) as BuildSummary };
      }
    },
    addStored: (bytes) => add('stored', bytes),
    noteStored: (bytes) => void statement("INSERT OR REPLACE INTO totals VALUES ('stored', ?)").run(bytes),
    scrub: () => {
      db.exec('VACUUM; PRAGMA wal_checkpoint(TRUNCATE)');
    },
    recount: (storedBytes) =>
      transaction(() => {
        const [sums] = all('SELECT count(*) AS builds, total(lost) AS lost, total(bytes) AS bytes FROM builds', []);
        const set = db.prepare('INSERT OR REPLACE INTO totals VALUES (?, ?)');
        for (const name of ['builds', 'lost', 'bytes']) set.run(name, Number(sums?.[name] ?? 0));
        set.run('stored', storedBytes);
      }),
    moveFolder: (organization, from, to) =>
      transaction(() => {
        db.prepare('UPDATE builds SET folder = ? WHERE organization = ? AND folder = ?').run(to, organization, from);
        for (const folder of [from, to]) recountFolder(statement, organization, folder);
      }),
    builds: ({ organization, folder, branch, state, before, limit }) => {
      const conditions: [string, SQLInputValue | undefined][] = [
        ['folder = ?', folder],
        ['branch = ?', branch],
        ['state = ?', state],
        ['number < ?', before],
      ];
      const used = conditions.filter((condition): condition is [string, SQLInputValue] => condition[1] !== undefined);
      const where = ['organization = ?', ...used.map(([sql]) => sql)].join(' AND ');
      const values = [organization, ...used.map(([, value]) => value), limit];
      return summaries(`SELECT summary FROM builds WHERE ${where} ORDER BY number DESC LIMIT ?`, values);
    },
    branches: (organization, folder, limit) =>
      // CROSS: from the heads to their builds. SQLite by itself goes through all builds of the folder and sorts them.
      summaries(
        `SELECT builds.summary AS summary FROM heads CROSS JOIN builds USING (organization, folder, branch, number)
         WHERE heads.organization = ? AND heads.folder = ? AND builds.fork = 0 ORDER BY heads.number DESC LIMIT ?`,
        [organization, folder, limit],
      ),
    neighbours: (organization, folder, number) => {
      const pick = (aggregate: string, compare: string): number | null => {
        const [row] = all(
          `SELECT ${aggregate}(number) AS number FROM builds WHERE organization = ? AND folder = ? AND number ${compare} ?`,
          [organization, folder, number],
        );
        return row === undefined || row['number'] === null ? null : Number(row['number']);
      };
      return { previous: pick('max', '<'), next: pick('min', '>') };
    },
    pipelines: (organization) =>
      all('SELECT folder, builds FROM folders WHERE organization = ? AND builds > 0 ORDER BY folder', [
        organization,
      ]).map(({ folder, builds }) => {
        const [latest] = summaries(
          'SELECT summary FROM builds WHERE organization = ? AND folder = ? ORDER BY number DESC LIMIT 1',
          [organization, String(folder)],
        );
        const name = latest?.pipeline_name ?? null;
        const pipeline = latest?.pipeline ?? String(folder);
        return { pipeline, folder: String(folder), name, builds: Number(builds), latest: latest ?? null };
      }),
    totals: () => {
      const values = new Map(
        all('SELECT name, value FROM totals', []).map((row) => [row['name'], Number(row['value'])]),
      );
      const [incomplete] = all('SELECT count(*) AS count FROM builds WHERE complete = 0', []);
      return {
        builds: values.get('builds') ?? 0,
        incomplete: Number(incomplete?.['count'] ?? 0),
        lost: values.get('lost') ?? 0,
        logicalBytes: values.get('bytes') ?? 0,
        storedBytes: values.get('stored') ?? 0,
      };
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
    find: (build) => rowsOf('id = ?', [build])[0] ?? null,
    incomplete: (page) => found('complete = 0', page),
    withheld: (page) => found('withheld > 0', page),
    bytesSince: (finished) =>
      Number(all('SELECT sum(bytes) AS bytes FROM builds WHERE finished_at >= ?', [finished])[0]?.['bytes'] ?? 0),
    close: () => db.close(),
  };
}

interface Target {
  readonly kind: PointerKind;
  readonly name: string;
}

function rowOf(summary: BuildSummary): Named {
  const pull = summary.pull_request;
  return { branch: summary.branch, sha: summary.commit, pull: pull?.id ?? null, fork: Number(pull?.fork ?? false) };
}

/** Under which names a build may be the latest. A fork's branch is not a branch of ours. */
function targetsOfRow({ branch, sha, pull, fork }: Named): Target[] {
  return [
    ...(fork === 0 && branch !== '' ? [{ kind: 'latest' as const, name: branch }] : []),
    ...(sha === '' ? [] : [{ kind: 'commits' as const, name: sha }]),
    ...(pull === null ? [] : [{ kind: 'pulls' as const, name: pull }]),
  ];
}

export function targetsOf(summary: BuildSummary): Target[] {
  return targetsOfRow(rowOf(summary));
}
