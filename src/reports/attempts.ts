/** Test reports of all attempts of a job, or of many jobs, as one table: a row for each test, an outcome for each attempt. */
import { isFailure, type TestCase, type TestReport, testKey } from './junit.ts';

/** One report, and whose it is. */
export interface ReportOf {
  /** Attempts of one job share it. */
  readonly job: string;
  /** From 1. */
  readonly attempt: number;
  readonly report: TestReport;
}

export interface TestRow {
  readonly job: string;
  /** Of the last attempt that ran it. */
  readonly test: TestCase;
  /** By attempt, the earliest first: how it ended there. */
  readonly attempts: readonly { readonly attempt: number; readonly test: TestCase }[];
  /** Whether it failed in one attempt and passed in another. */
  readonly flaky: boolean;
}

/** Failures first, then what failed at some time, then the slowest. */
export function joinAttempts(reports: readonly ReportOf[]): TestRow[] {
  const rows = new Map<string, { job: string; attempts: { attempt: number; test: TestCase }[] }>();
  for (const { job, attempt, report } of reports.toSorted((left, right) => left.attempt - right.attempt)) {
    const repeated = new Map<string, number>();
    for (const test of report.cases) {
      const name = testKey(test);
      // Two tests of one name in one report are two tests: data-driven ones often are.
      const count = repeated.get(name) ?? 0;
      repeated.set(name, count + 1);
      const key = `${job}\u0000${name}\u0000${count}`;
      const row = rows.get(key) ?? { job, attempts: [] };
      row.attempts.push({ attempt, test });
      rows.set(key, row);
    }
  }
  return [...rows.values()].flatMap(rowOf).toSorted(byNeed);
}

function rowOf({ job, attempts }: { job: string; attempts: TestRow['attempts'] }): TestRow[] {
  const last = attempts.at(-1);
  if (last === undefined) return [];
  const outcomes = new Set(attempts.map(({ test }) => test.outcome));
  const flaky = outcomes.has('passed') && (outcomes.has('failed') || outcomes.has('errored'));
  return [{ job, test: last.test, attempts, flaky }];
}

function rank({ test, flaky }: TestRow): number {
  if (isFailure(test.outcome)) return 0;
  if (flaky) return 1;
  return test.outcome === 'passed' ? 2 : 3;
}

function byNeed(left: TestRow, right: TestRow): number {
  return rank(left) - rank(right) || (right.test.seconds ?? 0) - (left.test.seconds ?? 0);
}
