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
interface Series {
  readonly runs: Run[];
  /** The attempt that is gone through, and how many of this name were in it. */
  attempt: number;
  count: number;
}

/** Failures first, then what failed at some time, then the slowest. */
export function joinAttempts(reports: readonly ReportOf[]): TestRow[] {
  const all: Run[] = [];
  const known = new Map<string, Series>();
  const namesIn = namesAmong(reports);
  for (const each of reports.toSorted(byAttempt)) {
    const { job, attempt, report } = each;
    const nameOf = namesIn(each);
    for (const test of report.cases) {
      const name = nameOf(test);
      let series = known.get(name);
      if (series === undefined) known.set(name, (series = { runs: [], attempt, count: 0 }));
      if (series.attempt !== attempt) [series.attempt, series.count] = [attempt, 0];
      let run = series.runs[series.count];
      if (run === undefined) {
        run = { job, attempts: [] };
        series.runs.push(run);
        all.push(run);
      }
      run.attempts.push({ attempt, test });
      series.count += 1;
    }
  }
  return all.flatMap(rowOf).toSorted(byNeed);
}

/**
 * Which tests are one from attempt to attempt: those of one job and key, as in a comparison of builds, since a test may move to
 * another report when the job is retried. Where one attempt has it in several reports, as tox writes one for each Python, the
 * path tells them apart. A path that no other attempt has, with a time in it perhaps, tells nothing.
 */
function namesAmong(reports: readonly ReportOf[]): (report: ReportOf) => (test: TestCase) => string {
  const shared = sharedTests(reports);
  const pathOf = ({ job, path }: ReportOf): string => `${job}\u0000${path}`;
  const ofPath = Map.groupBy(reports, pathOf);
  return (report) => {
    const isPathKept = (ofPath.get(pathOf(report))?.length ?? 0) > 1;
    return (test) => {
      const name = nameIn(report, test);
      return isPathKept && shared.has(name) ? `${name}\u0000${report.path}` : name;
    };
  };
}

/** By name, the tests that several reports of one attempt have. */
function sharedTests(reports: readonly ReportOf[]): Set<string> {
  const shared = new Set<string>();
  for (const ofAttempt of Map.groupBy(reports, ({ attempt }) => attempt).values()) {
    const firstIn = new Map<string, ReportOf>();
    for (const each of ofAttempt) {
      for (const test of each.report.cases) {
        const name = nameIn(each, test);
        const first = firstIn.get(name);
        if (first === undefined) firstIn.set(name, each);
        else if (first !== each) shared.add(name);
      }
    }
  }
  return shared;
}

function nameIn({ job }: ReportOf, test: TestCase): string {
  return `${job}\u0000${testKey(test)}`;
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
