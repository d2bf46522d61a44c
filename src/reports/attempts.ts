/** Test reports of all attempts of a job, or of many jobs, as one table: a row for each test, an outcome for each attempt. */
import { isFailure, type TestCase, type TestReport, testKey } from './junit.ts';

/** One report, and whose it is. */
export interface ReportOf {
  /** Attempts of one job share it. */
  readonly job: string;
  /** From 1. */
  readonly attempt: number;
  /** Below the job's folder of artifacts. */
  readonly path: string;
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

/** What has one name: two tests of one name in one attempt are two tests, as data-driven ones often are. */
interface Named {
  readonly runs: Run[];
  /** The attempt that is gone through, and how many of this name were in it. */
  attempt: number;
  count: number;
}

/** Failures first, then what failed at some time, then the slowest. */
export function joinAttempts(reports: readonly ReportOf[]): TestRow[] {
  const all: Run[] = [];
  const names = new Map<string, Map<string, Named>>();
  const seriesOf = seriesAmong(reports);
  for (const each of reports.toSorted(byAttempt)) {
    const { job, attempt, report } = each;
    const series = seriesOf(each);
    const ofSeries = names.get(series) ?? new Map<string, Named>();
    names.set(series, ofSeries);
    for (const test of report.cases) {
      const key = testKey(test);
      let named = ofSeries.get(key);
      if (named === undefined) ofSeries.set(key, (named = { runs: [], attempt, count: 0 }));
      if (named.attempt !== attempt) [named.attempt, named.count] = [attempt, 0];
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

/**
 * Which reports are one from attempt to attempt: those of one path, as one job may run the same tests several times, each in
 * a report of its own. A path that no other attempt has, with a time in it perhaps, tells nothing: there the tests alone do.
 */
function seriesAmong(reports: readonly ReportOf[]): (report: ReportOf) => string {
  const nameOf = ({ job, path }: ReportOf): string => JSON.stringify([job, path]);
  const named = Map.groupBy(reports, nameOf);
  return (report) => {
    const name = nameOf(report);
    return (named.get(name)?.length ?? 0) > 1 ? name : JSON.stringify([report.job]);
  };
}

function byAttempt(left: ReportOf, right: ReportOf): number {
  return left.attempt - right.attempt || (left.path < right.path ? -1 : Number(left.path > right.path));
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
