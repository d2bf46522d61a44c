/**
 * The full-text index of builds: an SQLite file with FTS5, one row a build, made from the records and made again from
 * them at will. Rows are in order of time, so that the newest matches come first without sorting all of them.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { BuildSummary } from '../model.ts';
import { openDatabase, transact, versionOf } from './database.ts';
import { excerptOf } from './excerpt.ts';
import { type Field, fields, kindText, parseQuery } from './query.ts';

/** What of a build can be found. Each list is cut where it is too long; the first of it is kept. */
export interface SearchDocument {
  readonly folder: string;
  readonly summary: BuildSummary;
  readonly jobs: readonly string[];
  /** Of artifacts. */
  readonly paths: readonly string[];
  /** Names of failing tests. */
  readonly tests: readonly string[];
  /** What the logs of failed jobs say of why. */
  readonly lines: readonly string[];
  /** Whether one of these lists is cut already. */
  readonly isCut?: boolean;
}

export interface SearchMatch {
  readonly field: Field;
  /** The lines around, each cut; what was looked for stands between \u0001 and \u0002. */
  readonly text: string;
}

export interface SearchResult {
  /** Of the row: whoever asks for what is `before` it goes on from here. */
  readonly id: number;
  readonly folder: string;
  readonly summary: BuildSummary;
  readonly matches: readonly SearchMatch[];
  /** Whether not all of the build can be found. */
  readonly isPartial: boolean;
}

export interface SearchPage {
  readonly results: readonly SearchResult[];
  /** To go on from here; null at the end. */
  readonly next: number | null;
}

export interface SearchQuestion {
  readonly organization: string;
  readonly text: string;
  /** Of an earlier page's `next`. */
  readonly before: number | null;
  readonly limit: number;
}

export interface FullText {
  /** Replaces what was known of the build. */
  put(document: SearchDocument): void;
  /** Those whose builds are not known: all at once, at a third of the price of one by one. */
  add(documents: readonly SearchDocument[]): void;
  /** Of these builds, by their uuids, those that are not known. */
  missing(builds: readonly string[]): string[];
  remove(build: string): void;
  /** Leaves nothing of what was replaced or removed in the file. */
  scrub(): void;
  find(question: SearchQuestion): SearchPage;
  /** False: it was opened to read and is of another version, which who writes has yet to make anew. */
  isOurs(): boolean;
  close(): void;
}

const version = 4;
const schema = `
  CREATE TABLE IF NOT EXISTS found (
    id INTEGER PRIMARY KEY, build TEXT NOT NULL UNIQUE, organization TEXT NOT NULL, folder TEXT NOT NULL,
    state TEXT NOT NULL, summary TEXT NOT NULL, partial INTEGER NOT NULL
  ) STRICT;
  CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (
    about, jobs, paths, tests, lines, kind, tokenize = "unicode61 remove_diacritics 2", prefix = '2 3', detail = full
  );`;
/** Of each field, in characters. */
const mostText = 64 * 1024;

/** @param file its folder must be there; an index of another version is emptied */
export function openFullText(file: string, options: { readOnly?: boolean } = {}): FullText {
  return fullTextOn(openDatabase(file, { version, schema, tables: ['found', 'words'] }, options));
}

function fullTextOn(db: DatabaseSync): FullText {
  const idOf = (build: string): number | null => {
    const row = db.prepare('SELECT id FROM found WHERE build = ?').get(build);
    return row === undefined ? null : Number(row['id']);
  };
  const drop = (id: number): void => {
    db.prepare('DELETE FROM words WHERE rowid = ?').run(id);
    db.prepare('DELETE FROM found WHERE id = ?').run(id);
  };
  const insert = ({ summary, folder, jobs, paths, tests, lines, isCut = false }: SearchDocument): void => {
    const id = freeId(db, summary);
    const texts = [about(summary), jobs, paths, tests, lines, [kindText(summary.state, folder)]].map(joined);
    const partial = Number(isCut || texts.some((each) => each.isCut));
    const values = [summary.id, summary.organization, folder, summary.state, JSON.stringify(summary), partial];
    db.prepare('INSERT INTO found VALUES (?, ?, ?, ?, ?, ?, ?)').run(id, ...values);
    db.prepare('INSERT INTO words (rowid, about, jobs, paths, tests, lines, kind) VALUES (?, ?, ?, ?, ?, ?, ?)').run(
      id,
      ...texts.map(({ text }) => text),
    );
  };
  return {
    put: (document) =>
      transact(db, () => {
        const known = idOf(document.summary.id);
        if (known !== null) drop(known);
        insert(document);
      }),
    add: (documents) =>
      transact(db, () => {
        for (const document of documents) if (idOf(document.summary.id) === null) insert(document);
      }),
    missing: (builds) =>
      db
        .prepare('SELECT value FROM json_each(?) WHERE value NOT IN (SELECT build FROM found)')
        .all(JSON.stringify(builds))
        .map(({ value }) => String(value)),
    remove: (build) =>
      transact(db, () => {
        const id = idOf(build);
        if (id !== null) drop(id);
      }),
    scrub: () => {
      // FTS5 keeps the words of what was removed until its segments are merged.
      db.exec("INSERT INTO words (words) VALUES ('optimize'); VACUUM; PRAGMA wal_checkpoint(TRUNCATE)");
    },
    find: (question) => find(db, question),
    isOurs: () => versionOf(db) === version,
    close: () => db.close(),
  };
}

function find(db: DatabaseSync, { organization, text, before, limit }: SearchQuestion): SearchPage {
  const query = parseQuery(text);
  if (query === null) return { results: [], next: null };
  const conditions: [string, string | number | null][] = [
    ['words MATCH ?', query.match],
    ['words.rowid < ?', before],
    ['found.organization = ?', organization],
    ['found.state = ?', query.state],
    ['found.folder = ?', query.pipeline],
  ];
  const used = conditions.filter((condition): condition is [string, string | number] => condition[1] !== null);
  // And not FTS5's `snippet`, which compares all that was found in a text with one another.
  const marked = fields.map((field, index) => `highlight(words, ${index}, char(1), char(2)) AS ${field}`);
  const rows = db
    .prepare(
      `SELECT found.id AS id, found.folder AS folder, found.summary AS summary, found.partial AS partial, ${marked.join(', ')}
       FROM words JOIN found ON found.id = words.rowid WHERE ${used.map(([sql]) => sql).join(' AND ')}
       ORDER BY words.rowid DESC LIMIT ?`,
    )
    .all(...used.map(([, value]) => value), limit + 1);
  const results = rows.slice(0, limit).map((row) => ({
    id: Number(row['id']),
    folder: String(row['folder']),
    summary: JSON.parse(String(row['summary'])) as BuildSummary,
    matches: fields.flatMap((field) => {
      const text = excerptOf(String(row[field] ?? ''));
      return text === null ? [] : [{ field, text }];
    }),
    isPartial: row['partial'] === 1,
  }));
  return { results, next: rows.length > limit ? (results.at(-1)?.id ?? null) : null };
}

/** Later builds have greater ids: milliseconds since 1970, and room for many builds in each. */
function freeId(db: DatabaseSync, { finished_at, created_at, number }: BuildSummary): number {
  const at = Date.parse(finished_at ?? created_at ?? '');
  let id = (Number.isFinite(at) && at > 0 ? at : 0) * 1000 + (number % 1000);
  while (db.prepare('SELECT 1 FROM found WHERE id = ?').get(id) !== undefined) id += 1;
  return id;
}

function about(summary: BuildSummary): string[] {
  const { message, author, branch, tag, commit, pipeline, pipeline_name: name, number, pull_request: pull } = summary;
  const parts = [message, author, branch, tag, commit, pipeline, name, String(number), pull === null ? null : pull.id];
  return parts.filter((part) => part !== null && part !== '').map(String);
}

/** Between two of a list stands a line break, which no phrase is looked for across. What marks a match is in none of them. */
function joined(parts: readonly string[]): { text: string; isCut: boolean } {
  let text = '';
  for (const each of parts) {
    const part = each.replaceAll(/[\u0001\u0002]/g, ' ');
    if (text.length + part.length > mostText)
      return { text: text === '' ? part.slice(0, mostText) : text, isCut: true };
    text += text === '' ? part : `\n${part}`;
  }
  return { text, isCut: false };
}
