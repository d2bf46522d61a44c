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

interface Run {
  readonly job: string;
  readonly attempts: { readonly attempt: number; readonly test: TestCase }[];
}

/** Of one job, what has one name: two tests of one name in one report are two tests, as data-driven ones often are. */
interface Named {
  readonly runs: Run[];
  /** The report that is gone through, and how many of this name were in it. */
  report: TestReport;
  count: number;
}

/** Failures first, then what failed at some time, then the slowest. */
export function joinAttempts(reports: readonly ReportOf[]): TestRow[] {
  const all: Run[] = [];
  const names = new Map<string, Map<string, Named>>();
  for (const { job, attempt, report } of reports.toSorted((left, right) => left.attempt - right.attempt)) {
    const ofJob = names.get(job) ?? new Map<string, Named>();
    names.set(job, ofJob);
    for (const test of report.cases) {
      const key = testKey(test);
      let named = ofJob.get(key);
      if (named === undefined) ofJob.set(key, (named = { runs: [], report, count: 0 }));
      if (named.report !== report) [named.report, named.count] = [report, 0];
      let run = named.runs[named.count];
      if (run === undefined) {
        run = { job, attempts: [] };
        named.runs.push(run);
        all.push(run);
      }
      run.attempts.push({ attempt, test });
      named.count += 1;
    }
  }
  return all.flatMap(rowOf).toSorted(byNeed);
}

function rowOf({ job, attempts }: Run): TestRow[] {
  const last = attempts.at(-1);
  if (last === undefined) return [];
  const had = (outcome: TestCase['outcome']): boolean => attempts.some(({ test }) => test.outcome === outcome);
  const flaky = attempts.length > 1 && had('passed') && (had('failed') || had('errored'));
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
