/** What differs between two builds: jobs, tests, files. Pure. */
import type { JobRecord, ViewEntry } from '../model.ts';
import type { ArtifactChange, ComparedJob, TestChanges, TestLine } from '../pages/compare.ts';
import { variantOf } from '../pages/details.ts';
import { isFailure, type TestOutcome } from '../reports/junit.ts';

/** A run of a test in one build. */
export interface TestResult extends Omit<TestLine, 'jobs'> {
  readonly key: string;
  readonly outcome: TestOutcome;
  readonly job: JobRecord;
}

/** The jobs that count, each beside the one of the same step and variant; in the order of the newer build. */
export function compareJobs(now: readonly JobRecord[], then: readonly JobRecord[]): ComparedJob[] {
  const before = new Map(counting(then).map((job) => [jobKey(job), job]));
  const pairs = counting(now).map((job): ComparedJob => {
    const key = jobKey(job);
    const other = before.get(key) ?? null;
    before.delete(key);
    return { now: job, before: other };
  });
  return [...pairs, ...Array.from(before.values(), (job): ComparedJob => ({ now: null, before: job }))];
}

function counting(jobs: readonly JobRecord[]): JobRecord[] {
  return jobs.filter((job) => !job.retried && job.type === 'script');
}

function jobKey(job: JobRecord): string {
  return JSON.stringify([job.step_key ?? job.name, variantOf(job)]);
}

/** Each test in each variant of its step by itself; what ended alike in several variants is one line. */
export function compareTests(now: readonly TestResult[], then: readonly TestResult[]): TestChanges {
  const before = byRun(then);
  const after = byRun(now);
  const [newlyFailing, stillFailing, fixed]: [TestResult[], TestResult[], TestResult[]] = [[], [], []];
  let [added, gone] = [0, 0];
  for (const [key, test] of after) {
    const old = before.get(key);
    if (old === undefined) added += 1;
    const failed = old !== undefined && isFailure(old.outcome);
    if (isFailure(test.outcome)) (failed ? stillFailing : newlyFailing).push(test);
    else if (failed && test.outcome === 'passed') fixed.push(test);
  }
  for (const key of before.keys()) if (!after.has(key)) gone += 1;
  const counts = { added, gone, now: after.size, before: before.size };
  return { newlyFailing: lines(newlyFailing), stillFailing: lines(stillFailing), fixed: lines(fixed), ...counts };
}

function byRun(tests: readonly TestResult[]): Map<string, TestResult> {
  const found = new Map<string, TestResult>();
  for (const test of tests) {
    const key = JSON.stringify([variantKey(test.job), test.key]);
    const known = found.get(key);
    if (known === undefined || (isFailure(test.outcome) && !isFailure(known.outcome))) found.set(key, test);
  }
  return found;
}

/** Without the place among parallel jobs: which of them runs a test changes from build to build. */
function variantKey({ step_key, name, matrix, parallel_group_total }: JobRecord): string {
  return JSON.stringify([step_key ?? (parallel_group_total === null ? name : null), matrix]);
}

function lines(tests: readonly TestResult[]): TestLine[] {
  const found = new Map<string, TestLine & { jobs: JobRecord[] }>();
  for (const { key, name, place, message, job } of tests) {
    const line = found.get(key);
    if (line === undefined) found.set(key, { name, place, message, jobs: [job] });
    else line.jobs.push(job);
  }
  return [...found.values()];
}

/** By path; what has the same digest in both is left out. */
export function compareArtifacts(now: readonly ViewEntry[], then: readonly ViewEntry[]): ArtifactChange[] {
  const before = new Map(then.map((entry) => [entry.path, entry]));
  const changes = now.flatMap((entry): ArtifactChange[] => {
    const old = before.get(entry.path) ?? null;
    before.delete(entry.path);
    return old !== null && old.sha256 === entry.sha256 ? [] : [{ path: entry.path, now: entry, before: old }];
  });
  const gone = Array.from(before.values(), (entry): ArtifactChange => ({ path: entry.path, now: null, before: entry }));
  return [...changes, ...gone].toSorted((a, b) => (a.path < b.path ? -1 : 1));
}
