/**
 * Sums that the catalog keeps beside its builds, so that no page costs more the more builds there are: how many a
 * folder has, and the latest build of each of its branches. Each call belongs in the transaction that changes the builds.
 */
import type { StatementSync } from 'node:sqlite';

export const headsSchema = `
  CREATE TABLE IF NOT EXISTS folders (
    organization TEXT NOT NULL, folder TEXT NOT NULL, builds INTEGER NOT NULL, PRIMARY KEY (organization, folder)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS heads (
    organization TEXT NOT NULL, folder TEXT NOT NULL, branch TEXT NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (organization, folder, branch)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS heads_by_number ON heads (organization, folder, number);`;

/** Prepares once what is run often. */
type Statement = (sql: string) => StatementSync;

export interface Branch {
  readonly organization: string;
  readonly folder: string;
  readonly branch: string;
}

/** Whatever has happened to builds of this branch. */
export function refreshHead(statement: Statement, { organization, folder, branch }: Branch): void {
  const values = [organization, folder, branch];
  const row = statement(
    'SELECT max(number) AS number FROM builds WHERE organization = ? AND folder = ? AND branch = ? AND fork = 0',
  ).get(...values);
  const number = row?.['number'] ?? null;
  if (number === null) {
    statement('DELETE FROM heads WHERE organization = ? AND folder = ? AND branch = ?').run(...values);
    return;
  }
  statement('INSERT OR REPLACE INTO heads VALUES (?, ?, ?, ?)').run(...values, Number(number));
}

/** So many builds more (or, negative, fewer) in a folder. */
export function countBuilds(statement: Statement, organization: string, folder: string, by: number): void {
  statement(`INSERT INTO folders VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET builds = builds + excluded.builds`).run(
    organization,
    folder,
    by,
  );
}

/** After many of a folder's builds have come or gone. */
export function recountFolder(statement: Statement, organization: string, folder: string): void {
  const place = [organization, folder];
  statement('DELETE FROM heads WHERE organization = ? AND folder = ?').run(...place);
  statement('DELETE FROM folders WHERE organization = ? AND folder = ?').run(...place);
  statement(
    `INSERT INTO heads SELECT organization, folder, branch, max(number) FROM builds
     WHERE organization = ? AND folder = ? AND fork = 0 GROUP BY branch`,
  ).run(...place);
  statement(
    `INSERT INTO folders SELECT organization, folder, count(*) FROM builds
     WHERE organization = ? AND folder = ? GROUP BY organization, folder`,
  ).run(...place);
}
