/** `…/builds/<number>/compare/`: a build beside the last passed one of the branch it is meant for, or any other. */
import { type Request, type Response, Router } from 'express';
import { MirrorError } from '../errors.ts';
import { type BuildRecord, type BuildSummary, isEligible, type JobRecord } from '../model.ts';
import { renderCompare } from '../pages/compare.ts';
import { mayBeJunit, testKey } from '../reports/junit.ts';
import { readLabel } from '../tree/labels.ts';
import { type DataPaths, fileOf, type Place } from '../tree/paths.ts';
import { readPart } from '../tree/read-part.ts';
import { readBuildRecord, readJobRecord } from '../tree/records.ts';
import { readUpstreamView } from '../tree/upstream-view.ts';
import { missingSlash, notFound, placeOf } from './address.ts';
import { sendPage, sendRedirect } from './answers.ts';
import { mayRead } from './caller.ts';
import { compareArtifacts, compareJobs, compareTests, type TestResult } from './comparison.ts';
import { viewsNow } from './folders.ts';
import type { ReaderParts } from './parts.ts';

/** Of one build's test reports; what is beyond is not read, and the page says so. */
const [mostReports, mostBytes] = [200, 24 * 1024 * 1024];
const [mostTests, longestMessage] = [100_000, 500];

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
  const [testsNow, testsThen] = [await testsOf(parts, now.reports), await testsOf(parts, then.reports)];
  const page = renderCompare({
    build,
    other: {
      build: other,
      jobs: compareJobs(now.jobs, then.jobs),
      tests: compareTests(testsNow.results, testsThen.results),
      artifacts: compareArtifacts(now.merged, then.merged),
      areTestsWhole: now.areReportsWhole && then.areReportsWhole && testsNow.isWhole && testsThen.isWhole,
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
  const asked = { organization, folder, branch, state: 'passed', isOwn: true, limit: 20 } as const;
  // As `latest` has it; what is not settled yet, or waits for somebody, is passed over.
  for (let before = number; ; ) {
    const passed = catalog()?.builds({ ...asked, before }) ?? [];
    const found = passed.find(isEligible);
    if (found !== undefined || passed.length < asked.limit) return { branch, build: found ?? null };
    before = passed.at(-1)?.number ?? 0;
  }
}

interface Report {
  readonly job: JobRecord;
  readonly file: string;
}

interface Side {
  readonly jobs: readonly JobRecord[];
  readonly merged: Awaited<ReturnType<typeof viewsNow>>['merged'];
  readonly reports: readonly Report[];
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
          return file === null ? [] : [{ job, file: paths.jobFile(place, job.id, file), size: artifact.size }];
        }),
  );
  let bytes = 0;
  const reports = candidates.slice(0, mostReports).filter(({ size }) => (bytes += size) <= mostBytes);
  const { merged } = await viewsNow(paths, place, build);
  return {
    jobs,
    merged,
    reports,
    areReportsWhole: reports.length === candidates.length,
  };
}

/** @throws MirrorError ERR_READER_BUSY */
async function testsOf(
  { reports }: ReaderParts,
  files: readonly Report[],
): Promise<{ results: TestResult[]; isWhole: boolean }> {
  const results: TestResult[] = [];
  for (const { job, file } of files) {
    const part = await readPart(file, 0, mostBytes);
    const report = part === null ? null : await reports.junit(part.bytes);
    for (const test of report?.cases ?? []) {
      if (results.length >= mostTests) return { results, isWhole: false };
      const { className, suite, name, message, outcome } = test;
      const shown = { name, place: className ?? suite, message: message?.slice(0, longestMessage) ?? null };
      results.push({ key: testKey(test), outcome, job, ...shown });
    }
  }
  return { results, isWhole: true };
}
