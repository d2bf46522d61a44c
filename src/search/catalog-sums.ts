/** What the catalog counts along, so that nobody has to count all builds, and how much of the tree it has. */
import type { Rows } from './catalog-rows.ts';

export interface Totals {
  readonly builds: number;
  readonly incomplete: number;
  readonly lost: number;
  /** Bytes of all files that are shown, and of those that were stored for them (a blob counts once). */
  readonly logicalBytes: number;
  readonly storedBytes: number;
}

/**
 * How much of the tree the catalog has: `partial` maybe not all builds · `filled` every build, though pointers may be
 * as they were before · `whole` both.
 */
export type CatalogStage = 'partial' | 'filled' | 'whole';

/** By what the file has for them. */
const stages: readonly CatalogStage[] = ['partial', 'filled', 'whole'];

export const sumsSchema = `
  CREATE TABLE IF NOT EXISTS totals (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;`;

export interface Sums {
  /** A new file is `partial`, and so is one that was made before there were stages. */
  stage(): CatalogStage;
  /** Only where it is true: from then on nobody looks for builds that are missing. */
  noteStage(stage: CatalogStage): void;
  totals(): Totals;
  /** New blobs took so many bytes (or, negative, gave them back). */
  addStored(bytes: number): void;
  /** What all blobs take, by who has just looked at them. */
  noteStored(bytes: number): void;
  /** Bytes, as readers see them, of builds that finished since (ISO 8601). */
  bytesSince(finished: string): number;
}

export function sumsOf({ all, statement }: Rows): Sums {
  return {
    stage: () =>
      stages[Number(statement("SELECT value FROM totals WHERE name = 'stage'").get()?.['value'] ?? 0)] ?? 'partial',
    noteStage: (stage) =>
      void statement("INSERT OR REPLACE INTO totals VALUES ('stage', ?)").run(stages.indexOf(stage)),
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
    addStored: (bytes) => addTo({ statement }, 'stored', bytes),
    noteStored: (bytes) => void statement("INSERT OR REPLACE INTO totals VALUES ('stored', ?)").run(bytes),
    bytesSince: (finished) =>
      Number(all('SELECT sum(bytes) AS bytes FROM builds WHERE finished_at >= ?', [finished])[0]?.['bytes'] ?? 0),
  };
}

export type Sum = 'builds' | 'lost' | 'bytes' | 'stored';

export function addTo({ statement }: Pick<Rows, 'statement'>, name: Sum, value: number): void {
  statement('INSERT INTO totals VALUES (?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value').run(
    name,
    value,
  );
}

/** Counts anew. @param storedBytes what blobs take */
export function recountSums({ all, statement }: Rows, storedBytes: number): void {
  const [found] = all('SELECT count(*) AS builds, total(lost) AS lost, total(bytes) AS bytes FROM builds', []);
  const set = statement('INSERT OR REPLACE INTO totals VALUES (?, ?)');
  for (const name of ['builds', 'lost', 'bytes']) set.run(name, Number(found?.[name] ?? 0));
  set.run('stored', storedBytes);
}
