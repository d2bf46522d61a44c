/** SQLite files that are made from the records, and made again from them at will. */
import { DatabaseSync } from 'node:sqlite';

export interface DatabaseShape {
  /** Told of in the file itself; it grows whenever the schema changes. */
  readonly version: number;
  /** Creates what is not there. */
  readonly schema: string;
  /** Of this version and of all before it. */
  readonly tables: readonly string[];
}

const waitMs = 10_000;

/** @param file its folder must be there; one of another version is emptied, and so must be filled again */
export function openDatabase(
  file: string,
  { version, schema, tables }: DatabaseShape,
  { readOnly = false }: { readOnly?: boolean },
): DatabaseSync {
  const db = new DatabaseSync(file, { readOnly, timeout: waitMs });
  if (readOnly) return db;
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
  // In one step: who reads meanwhile sees the one or the other.
  transact(db, () => {
    if (versionOf(db) !== version) for (const table of tables) db.exec(`DROP TABLE IF EXISTS ${table}`);
    db.exec(`${schema}; PRAGMA user_version = ${version}`);
  });
  return db;
}

export function versionOf(db: DatabaseSync): number {
  return Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
}

/** All that `work` changes, or nothing where it throws. Within another transaction it is a part of that one. */
export function transact(db: DatabaseSync, work: () => void): void {
  if (db.isTransaction) {
    work();
    return;
  }
  db.exec('BEGIN IMMEDIATE');
  try {
    work();
    db.exec('COMMIT');
  } catch (thrown) {
    db.exec('ROLLBACK');
    throw thrown;
  }
}
