/** `…/builds/<number>/compare/`: a build beside the last passed one of the branch it is meant for, or any other. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { type Request, type Response, Router } from 'express';
import { MirrorError } from '../errors.ts';
import type { BuildRecord, BuildSummary, JobRecord } from '../model.ts';
import { renderCompare } from '../pages/compare.ts';
import { mayBeJunit } from '../reports/junit.ts';
import { readLabel } from '../tree/labels.ts';
import { type DataPaths, type Place } from '../tree/paths.ts';
import { readBuildRecord, readJobRecord } from '../tree/records.ts';
import { fileOf } from '../tree/remove.ts';
import { readUpstreamView } from '../tree/upstream-view.ts';
import { missingSlash, notFound, placeOf } from './address.ts';
import { sendPage, sendRedirect } from './answers.ts';
import { mayRead } from './caller.ts';
import { compareArtifacts, compareJobs, compareTests, type TestResult } from './comparison.ts';
import { viewsNow } from './folders.ts';
import type { ReaderParts } from './parts.ts';

/** Of one build's test reports; what is beyond is not read, and the page says so. */
const [mostReports, mostBytes] = [200, 24 * 1024 * 1024];
const mostAtOnce = 2;
const patienceMs = 60_000;
let running = 0;

export function compareRouter(parts: ReaderParts): Router {
  const router = Router({ caseSensitive: true });
  router.get('/:organization/:folder/builds/:number/compare', (request, response) => answer(parts, request, response));
  return router;
}

async function answer(parts: ReaderParts, request: Request, response: Response): Promise<void> {
  const place = placeOf(request.params, parts.organization);
  const slash = missingSlash(request, [place.organization, place.folder, 'builds', String(place.number), 'compare']);
  if (slash !== null) return sendRedirect(response, slash);
  const build = await readBuildRecord(parts.paths, place);
  if (build === null) throw notFound('this build is not mirrored');
  const asked = withOf(request);
  const base = await baseOf(parts, place, build);
  const number = asked ?? base.build?.number ?? null;
  if (number === null)
    return sendPage(response, renderCompare({ build, other: null, baseBranch: base.branch, folder: place.folder }));
  const otherPlace = { ...place, number };
  const other = await readBuildRecord(parts.paths, otherPlace);
  if (other === null || !mayRead(await readLabel(parts.paths, otherPlace)))
    throw notFound(`build #${number} is not mirrored`);
  const [now, then] = [await sideOf(parts.paths, place, build), await sideOf(parts.paths, otherPlace, other)];
  const [testsNow, testsThen] = await readTests([now.reports, then.reports]);
  const page = renderCompare({
    build,
    other: {
      build: other,
      jobs: compareJobs(now.jobs, then.jobs),
      tests: compareTests(testsNow, testsThen),
      artifacts: compareArtifacts(now.merged, then.merged),
      areTestsWhole: now.areReportsWhole && then.areReportsWhole,
    },
    baseBranch: base.branch,
    folder: place.folder,
  });
  sendPage(response, page);
}

/** @throws MirrorError ERR_REQUEST_MALFORMED */
function withOf(request: Request): number | null {
  const value = request.query['with'];
  if (value === undefined || value === '') return null;
  if (typeof value === 'string' && /^#?[1-9]\d{0,15}$/.test(value)) return Number(value.replace('#', ''));
  throw new MirrorError('ERR_REQUEST_MALFORMED', '"with" must be the number of a build');
}

/** The branch that a pull request goes into, or the default branch; where neither is known, the build's own. */
async function baseOf(
  { paths, catalog }: ReaderParts,
  place: Place,
  build: BuildRecord,
): Promise<{ branch: string; build: BuildSummary | null }> {
  const upstream = await readUpstreamView(paths, place);
  const branch = build.pull_request?.base ?? upstream?.build.pipeline.default_branch ?? build.branch;
  const { organization, folder, number } = place;
  const passed = catalog()?.builds({ organization, folder, branch, state: 'passed', before: number, limit: 20 }) ?? [];
  return { branch, build: passed.find((each) => each.settled && each.pull_request?.fork !== true) ?? null };
}

interface Side {
  readonly jobs: readonly JobRecord[];
  readonly merged: Awaited<ReturnType<typeof viewsNow>>['merged'];
  readonly reports: readonly string[];
  readonly areReportsWhole: boolean;
}

async function sideOf(paths: DataPaths, place: Place, build: BuildRecord): Promise<Side> {
  const jobs: JobRecord[] = [];
  for (const { id, url } of build.jobs) {
    const job = url === null ? null : await readJobRecord(paths, place, id);
    if (job !== null) jobs.push(job);
  }
  const candidates = jobs.flatMap((job) =>
    job.retried
      ? []
      : job.artifacts.flatMap((artifact) => {
          const file = artifact.state === 'present' && mayBeJunit(artifact.path) ? fileOf(artifact) : null;
          return file === null ? [] : [{ file: paths.jobFile(place, job.id, file), size: artifact.size }];
        }),
  );
  let bytes = 0;
  const reports = candidates.slice(0, mostReports).filter(({ size }) => (bytes += size) <= mostBytes);
  const { merged } = await viewsNow(paths, place, build);
  return {
    jobs,
    merged,
    reports: reports.map(({ file }) => file),
    areReportsWhole: reports.length === candidates.length,
  };
}

/** @throws MirrorError ERR_READER_BUSY */
async function readTests(sides: readonly (readonly string[])[]): Promise<[TestResult[], TestResult[]]> {
  if (running >= mostAtOnce)
    throw new MirrorError('ERR_READER_BUSY', 'other builds are being compared; try again in a moment');
  running += 1;
  try {
    const [now = [], then = []] = await Promise.all(sides.map(readSide));
    return [now, then];
  } finally {
    running -= 1;
  }
}

async function readSide(files: readonly string[]): Promise<TestResult[]> {
  if (files.length === 0) return [];
  const thread = new Worker(new URL('./tests-thread.ts', import.meta.url), { workerData: { files } });
  try {
    const [results] = (await once(thread, 'message', { signal: AbortSignal.timeout(patienceMs) })) as [TestResult[]];
    return results;
  } finally {
    await thread.terminate();
  }
}
