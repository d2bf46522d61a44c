/** A build's row in the full-text index: made from its records, its failing tests and what its failed logs say. */

import { readLogIndex } from '../src/logs/index-file.ts';
import type { BuildRecord, JobRecord } from '../src/model.ts';
import { nameText } from '../src/pages/names.ts';
import { isFailedJob } from '../src/pages/parts.ts';
import { isFailure, mayBeJunit } from '../src/reports/junit.ts';
import type { Entry } from '../src/search/catalog-rows.ts';
import type { SearchDocument } from '../src/search/fulltext.ts';
import { fileOf, type Place } from '../src/tree/paths.ts';
import { readPart } from '../src/tree/read-part.ts';
import { damaged, orDamaged, readBuildRecord } from '../src/tree/records.ts';
import { readJobs } from '../src/tree/walk.ts';
import { summaryOf } from './build-record.ts';
import type { WorkerContext } from './context.ts';

/** Builds that are looked for in the index together, and those that are put into it together. */
const [lookedAtAtOnce, addedAtOnce] = [500, 50];
/** Bounds of what is read for one build. */
const [mostReports, mostReportBytes, mostFailedJobs, mostPaths] = [40, 4 * 1024 * 1024, 50, 5000];

/** What a build is read with, and put into. */
type Indexing = Pick<WorkerContext, 'paths' | 'reports' | 'search'>;

export async function indexBuild(
  worker: Indexing,
  place: Place,
  build: BuildRecord,
  jobs: readonly JobRecord[],
): Promise<void> {
  await worker.search.put(await documentOf(worker, place, build, jobs));
}

async function documentOf(
  worker: Indexing,
  place: Place,
  build: BuildRecord,
  jobs: readonly JobRecord[],
): Promise<SearchDocument> {
  const allFailed = jobs.filter((job) => !job.retried && isFailedJob(job));
  const failed = allFailed.slice(0, mostFailedJobs);
  const paths = pathsOf(jobs);
  // What still changes is read once, when it has settled.
  const tests = build.settled ? await failingTests(worker, place, failed) : { names: [], isCut: false };
  return {
    folder: place.folder,
    summary: summaryOf(build),
    jobs: [...new Set(build.jobs.flatMap(({ name }) => (name === null ? [] : [nameText(name)])))],
    paths: paths.slice(0, mostPaths),
    tests: tests.names,
    lines: build.settled ? await failureLines(worker, place, failed) : [],
    isCut: paths.length > mostPaths || allFailed.length > mostFailedJobs || tests.isCut,
  };
}

/**
 * Those of failed jobs first: the index keeps some thousand of a build, so that to answer from it stays quick.
 * @returns one more than it keeps where there are more
 */
function pathsOf(jobs: readonly JobRecord[]): string[] {
  const paths = new Set<string>();
  for (const job of jobs.toSorted((left, right) => Number(isFailedJob(right)) - Number(isFailedJob(left)))) {
    for (const { path } of job.artifacts) {
      if (paths.size > mostPaths) return [...paths];
      paths.add(path);
    }
  }
  return [...paths];
}

interface FailingTests {
  readonly names: readonly string[];
  /** Whether there may be more, in what was not read. */
  readonly isCut: boolean;
}

async function failingTests(
  { paths, reports: reader }: Indexing,
  place: Place,
  failed: readonly JobRecord[],
): Promise<FailingTests> {
  const reports = failed.flatMap((job) =>
    job.artifacts.flatMap((artifact) => {
      const file = artifact.state === 'present' && mayBeJunit(artifact.path) ? fileOf(artifact) : null;
      return file === null ? [] : [{ file: paths.jobFile(place, job.id, file), size: artifact.size }];
    }),
  );
  const read = reports.filter(({ size }) => size <= mostReportBytes).slice(0, mostReports);
  let isCut = read.length < reports.length;
  const names = new Set<string>();
  for (const { file } of read) {
    const part = await readPart(file, 0, mostReportBytes);
    if (part === null) continue;
    const report = await reader.junit(part.bytes);
    // What is no report by its content, whatever its name, holds no test that could be missed.
    isCut ||= report?.truncated ?? part.bytes.includes('<testcase');
    for (const { className, name, outcome } of report?.cases ?? [])
      if (isFailure(outcome)) names.add(className === null ? name : `${className} ${name}`);
  }
  return { names: [...names], isCut };
}

async function failureLines({ paths }: Indexing, place: Place, failed: readonly JobRecord[]): Promise<string[]> {
  const lines: string[] = [];
  for (const job of failed) {
    const index = await readLogIndex(paths, place, job.id);
    lines.push(...(index?.failure.decisive ?? []).map(({ text }) => text));
  }
  return lines;
}

/**
 * Puts every build of the catalog, which has all of the tree, into the index where it is not there: all of them after the
 * index's file was removed.
 * @returns how many there were
 */
export async function restoreSearch(worker: WorkerContext, signal: AbortSignal): Promise<number> {
  const { catalog, search } = worker;
  let found = 0;
  for (let after: string | null = null; ; ) {
    const builds = catalog.page({ after, limit: lookedAtAtOnce });
    after = builds.at(-1)?.summary.id ?? null;
    if (after === null) return found;
    const missing = new Set(await search.missing(builds.map(({ summary }) => summary.id)));
    const absent = builds.filter(({ summary }) => missing.has(summary.id));
    for (let at = 0; at < absent.length; at += addedAtOnce) {
      signal.throwIfAborted();
      found += await addAll(worker, absent.slice(at, at + addedAtOnce));
    }
    signal.throwIfAborted();
  }
}

async function addAll(worker: WorkerContext, builds: readonly Entry[]): Promise<number> {
  const documents: SearchDocument[] = [];
  for (const { folder, summary } of builds) {
    const place: Place = { organization: summary.organization, folder, number: summary.number };
    const build = await orDamaged(readBuildRecord(worker.paths, place));
    // One that cannot be read is put in when it was made again.
    if (build === damaged || build?.id !== summary.id) continue;
    const jobs = (await readJobs(worker.paths, place)).records.filter((job) => job.build_id === build.id);
    documents.push(await documentOf(worker, place, build, jobs));
  }
  // What was published meanwhile is newer than this, and stays.
  await worker.search.add(documents);
  return documents.length;
}
