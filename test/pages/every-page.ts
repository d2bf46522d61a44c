/** One build through every renderer. */
import { tailHtml } from '../../src/logs/tail-html.ts';
import type { AnnotationFacts, BuildRecord, JobRecord, ViewEntry } from '../../src/model.ts';
import { renderAccount } from '../../src/pages/account.ts';
import { renderBuild } from '../../src/pages/build.ts';
import { renderBuilds } from '../../src/pages/builds.ts';
import { type ArtifactChange, renderCompare } from '../../src/pages/compare.ts';
import { describeJob } from '../../src/pages/details.ts';
import { renderError } from '../../src/pages/error.ts';
import { renderFolder } from '../../src/pages/folder.ts';
import { renderHome } from '../../src/pages/home.ts';
import { renderJob } from '../../src/pages/job.ts';
import { renderLedger } from '../../src/pages/ledger.ts';
import { pathHref, segment } from '../../src/pages/links.ts';
import { renderLiveLog } from '../../src/pages/live-log.ts';
import { renderLog } from '../../src/pages/log.ts';
import { renderLogHits } from '../../src/pages/log-hits.ts';
import { renderPipeline } from '../../src/pages/pipeline.ts';
import { renderSearch } from '../../src/pages/search.ts';
import { htmlOf, linesOf } from '../logs/print.ts';
import { everyView } from './every-view.ts';
import { summaryOfBuild, viewOf } from './samples.ts';

function annotationOf(body_html: string, job_id: string): AnnotationFacts {
  const facts = { id: body_html, context: body_html, style: body_html, scope: body_html };
  return { ...facts, job_id, body_html, created_at: body_html, updated_at: body_html };
}

/** New, changed and gone: files as they are, and pictures. */
function changesOf(entries: readonly ViewEntry[], text: string): ArtifactChange[] {
  const paths = [...entries.map(({ path }) => path), `${text}.png`, `a/${text}/${text}.png`];
  return paths.flatMap((path) =>
    entries.slice(0, 1).flatMap((entry) => [
      { path, now: entry, before: null },
      { path, now: entry, before: entry },
      { path, now: null, before: entry },
    ]),
  );
}

/** @param text put wherever a renderer takes a text that is not in the records */
export function everyPage(
  { build, jobs }: { build: BuildRecord; jobs: JobRecord[] },
  text: string,
): Map<string, string> {
  const { organization } = build;
  const builds = [summaryOfBuild(build)];
  const details = new Map(jobs.map((job) => [job.id, describeJob(job)]));
  const common = { organization, pipeline: build.pipeline, folder: build.pipeline, builds };
  const line = { name: text, place: text, message: text, jobs };
  const [job] = jobs;
  if (job === undefined) throw new Error('no job to render');
  const total = linesOf(text).length;
  const hit = { line: 5, text, before: [text], after: [text] };
  return new Map([
    [
      'home',
      renderHome({
        organization,
        pipelines: [{ ...common, name: text, builds: 1, latest: builds[0] ?? null }],
        newest: builds.map((summary) => ({ folder: text, summary })),
        totals: { builds: 1, incomplete: 1, logicalBytes: 1 },
      }),
    ],
    [
      'pipeline',
      renderPipeline({ ...common, branches: builds, badge: { url: 'http://mirror.test/', branch: build.branch } }),
    ],
    ['builds', renderBuilds({ ...common, filter: { branch: text, state: text }, nextBefore: 7 })],
    [
      'build',
      renderBuild({
        build,
        merged: viewOf(jobs),
        previous: 41,
        next: 43,
        details,
        annotations: [annotationOf(`<p>${text}</p><a href="${text}">${text}</a>`, job.id)],
        url: 'http://mirror.test',
      }),
    ],
    ['build without details', renderBuild({ build, merged: viewOf(jobs), previous: null, next: null })],
    ['job', renderJob({ build, job, at: { folder: build.pipeline, url: 'http://mirror.test' } })],
    [
      'folder',
      renderFolder({
        title: text,
        crumbs: [
          { name: text, href: '../' },
          { name: text, href: './' },
        ],
        folders: [{ name: text, href: `${segment(text)}/`, count: 1, bytes: 2, note: text }],
        files: [{ name: text, path: text, others: 2, href: pathHref(text), size: 1, type: text, sha256: text }],
        next: `?list&after=${segment(text)}`,
      }),
    ],
    ['log', renderLog({ build, job, lines: htmlOf(text), from: 1, shown: total, total, failing: 1 })],
    ['part of a log', renderLog({ build, job, lines: htmlOf(text), from: 5001, shown: total, total: 1e6, failing: 7 })],
    [
      'live log',
      renderLiveLog({
        build,
        job: { ...job, bytes: 0, url: null },
        ended: false,
        tail: { read_at: text, size: 7e4, start: 5000, trouble: text },
        lines: tailHtml(text, false),
      }),
    ],
    ['hits in a log', renderLogHits({ build, job, query: text, hits: [hit], next: 7, total: 1e6 })],
    [
      'compare',
      renderCompare({
        build,
        folder: build.pipeline,
        baseBranch: text,
        other: {
          build,
          jobs: jobs.map((each, index) => ({ now: each, before: index === 0 ? null : each })),
          tests: { newlyFailing: [line], stillFailing: [line], fixed: [line], added: 1, gone: 1, now: 3, before: 3 },
          artifacts: changesOf(viewOf(jobs), text),
          areTestsWhole: false,
        },
      }),
    ],
    ['compare with nothing', renderCompare({ build, folder: build.pipeline, baseBranch: text, other: null })],
    [
      'search',
      renderSearch({
        text,
        hits: [
          {
            folder: build.pipeline,
            summary: summaryOfBuild(build),
            matches: [{ field: 'lines', text: `a \u0001${text}\u0002 ${text}` }],
            isPartial: true,
          },
        ],
        next: '/-/search?q=a&before=1',
        milliseconds: 3,
      }),
    ],
    ...(['user', 'anonymous'] as const).map((kind): [string, string] => [
      `account of ${kind}`,
      renderAccount({ kind, name: text, issuer: text, hasLogin: true, to: `/acme/${segment(text)}` }),
    ]),
    [
      'ledger',
      renderLedger({
        builds: [false, true].map((settled) => ({
          ...{ organization, pipeline: text, number: 42, branch: text, learned_from: text, since: text },
          ...{
            id: build.id,
            url: `/acme/${segment(text)}/builds/42/`,
            settled,
            complete: false,
            expected: 7,
            present: 1,
          },
          reasons: [{ state: 'lost', reason: text, count: 7, examples: [text, text] }],
        })),
        ...{ unsettled: 1, incomplete: 1, lost: 7, oldestSince: build.started_at, next: `?after=${segment(text)}` },
        ...{ asked: build.id, now: Date.parse('2026-11-21T09:00:00.000Z') },
      }),
    ],
    ...everyView({ build, jobs }, text),
    ['error', renderError({ status: 404, message: text, id: text })],
  ]);
}
