/** What differs between two builds: jobs, tests, files. Pure. */
import type { JobRecord, ViewEntry } from '../model.ts';
import type { ArtifactChange, ComparedJob, TestChanges, TestLine } from '../pages/compare.ts';
import { variantOf } from '../pages/details.ts';
import type { TestOutcome } from '../reports/junit.ts';

/** A test of one build: failing where any of its runs that count failed. */
export interface TestResult extends TestLine {
  readonly key: string;
  readonly outcome: TestOutcome;
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

export function compareTests(now: readonly TestResult[], then: readonly TestResult[]): TestChanges {
  const before = byKey(then);
  const after = byKey(now);
  const changes = { newlyFailing: [] as TestLine[], stillFailing: [] as TestLine[], fixed: [] as TestLine[] };
  let [added, gone] = [0, 0];
  for (const [key, test] of after) {
    const old = before.get(key);
    if (old === undefined) added += 1;
    const [fails, failed] = [isFailing(test), old !== undefined && isFailing(old)];
    if (fails) (failed ? changes.stillFailing : changes.newlyFailing).push(test);
    else if (failed && test.outcome === 'passed') changes.fixed.push(test);
  }
  for (const key of before.keys()) if (!after.has(key)) gone += 1;
  return { ...changes, added, gone, now: after.size, before: before.size };
}

function isFailing({ outcome }: TestResult): boolean {
  return outcome === 'failed' || outcome === 'errored';
}

function byKey(tests: readonly TestResult[]): Map<string, TestResult> {
  const found = new Map<string, TestResult>();
  for (const test of tests) {
    const known = found.get(test.key);
    if (known === undefined || (isFailing(test) && !isFailing(known))) found.set(test.key, test);
  }
  return found;
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
