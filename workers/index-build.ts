/** A build's row in the full-text index: made from its records, its failing tests and what its failed logs say. */

import { readLogIndex } from '../src/logs/index-file.ts';
import type { BuildRecord, JobRecord } from '../src/model.ts';
import { nameText } from '../src/pages/names.ts';
import { isFailedJob } from '../src/pages/parts.ts';
import { isFailure, mayBeJunit } from '../src/reports/junit.ts';
import type { Place } from '../src/tree/paths.ts';
import { readPart } from '../src/tree/read-part.ts';
import { readBuildRecord } from '../src/tree/records.ts';
import { fileOf } from '../src/tree/remove.ts';
import { readJobs, walkBuilds } from '../src/tree/walk.ts';
import { summaryOf } from './build-record.ts';
import type { WorkerContext } from './context.ts';

/** Bounds of what is read for one build. */
const [mostReports, mostReportBytes, mostFailedJobs, mostPaths] = [40, 4 * 1024 * 1024, 50, 5000];

export async function indexBuild(
  worker: WorkerContext,
  place: Place,
  build: BuildRecord,
  jobs: readonly JobRecord[],
): Promise<void> {
  const failed = jobs.filter((job) => !job.retried && isFailedJob(job)).slice(0, mostFailedJobs);
  await worker.search.put({
    folder: place.folder,
    summary: summaryOf(build),
    jobs: [...new Set(build.jobs.flatMap(({ name }) => (name === null ? [] : [nameText(name)])))],
    paths: pathsOf(jobs),
    // What still changes is read once, when it has settled.
    tests: build.settled ? await failingTests(worker, place, failed) : [],
    lines: build.settled ? await failureLines(worker, place, failed) : [],
  });
}

function pathsOf(jobs: readonly JobRecord[]): string[] {
  const paths = new Set<string>();
  for (const job of jobs) {
    for (const { path } of job.artifacts) {
      if (paths.size >= mostPaths) return [...paths];
      paths.add(path);
    }
  }
  return [...paths];
}

async function failingTests(worker: WorkerContext, place: Place, failed: readonly JobRecord[]): Promise<string[]> {
  const reports = failed.flatMap((job) =>
    job.artifacts.flatMap((artifact) => {
      const file = fileOf(artifact);
      const isReport = artifact.state === 'present' && artifact.size <= mostReportBytes && mayBeJunit(artifact.path);
      return isReport && file !== null ? [worker.paths.jobFile(place, job.id, file)] : [];
    }),
  );
  const names = new Set<string>();
  for (const file of reports.slice(0, mostReports)) {
    const part = await readPart(file, 0, mostReportBytes);
    const report = part === null ? null : await worker.reports.junit(part.bytes);
    for (const { className, name, outcome } of report?.cases ?? [])
      if (isFailure(outcome)) names.add(className === null ? name : `${className} ${name}`);
  }
  return [...names];
}

async function failureLines({ paths }: WorkerContext, place: Place, failed: readonly JobRecord[]): Promise<string[]> {
  const lines: string[] = [];
  for (const job of failed) {
    const index = await readLogIndex(paths, place, job.id);
    lines.push(...(index?.failure.decisive ?? []).map(({ text }) => text));
  }
  return lines;
}

/**
 * Puts every build of the tree into the index that is not there: all of them after the index's file was removed.
 * @returns how many there were
 */
export async function restoreSearch(worker: WorkerContext, signal: AbortSignal): Promise<number> {
  let found = 0;
  for await (const place of walkBuilds(worker.paths)) {
    signal.throwIfAborted();
    found += Number(await indexMissing(worker, place));
  }
  return found;
}

async function indexMissing(worker: WorkerContext, place: Place): Promise<boolean> {
  const build = await readBuildRecord(worker.paths, place);
  if (build === null || (await worker.search.has(build.id))) return false;
  const jobs = (await readJobs(worker.paths, place)).filter((job) => job.build_id === build.id);
  await indexBuild(worker, place, build, jobs);
  return true;
}
