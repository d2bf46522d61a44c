/** The catalog's rows as the rest of the mirror knows them: builds with their folders, read with statements that are compiled once. */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { BuildSummary } from '../model.ts';

export interface Entry {
  readonly folder: string;
  readonly summary: BuildSummary;
  readonly lost: number;
  /** Files that other settings would let in: excluded or refused. */
  readonly withheld: number;
}

export interface Rows {
  /** Their texts are few, and to compile one costs more than most of them do. */
  statement(sql: string): StatementSync;
  all(sql: string, values: readonly SQLInputValue[]): Record<string, unknown>[];
  /** @param sql selects `summary` */
  summaries(sql: string, values: readonly SQLInputValue[]): BuildSummary[];
  /** @param where a condition, an order and a limit */
  entries(where: string, values: readonly SQLInputValue[]): Entry[];
}

export function rowsOf(db: DatabaseSync): Rows {
  const prepared = new Map<string, StatementSync>();
  const statement = (sql: string): StatementSync => {
    const known = prepared.get(sql);
    if (known !== undefined) return known;
    const made = db.prepare(sql);
    prepared.set(sql, made);
    return made;
  };
  const all: Rows['all'] = (sql, values) => statement(sql).all(...values);
  return {
    statement,
    all,
    summaries: (sql, values) => all(sql, values).map(({ summary }) => summaryOf(summary)),
    entries: (where, values) =>
      all(`SELECT folder, summary, lost, withheld FROM builds WHERE ${where}`, values).map(
        ({ folder, summary, lost, withheld }) => ({
          folder: String(folder),
          summary: summaryOf(summary),
          lost: Number(lost),
          withheld: Number(withheld),
        }),
      ),
  };
}

/** @param column `summary` of a row */
export function summaryOf(column: unknown): BuildSummary {
  return JSON.parse(String(column)) as BuildSummary;
}
