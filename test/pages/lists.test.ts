import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatDuration } from '../../src/durations.ts';
import { renderBuilds } from '../../src/pages/builds.ts';
import { renderFolder } from '../../src/pages/folder.ts';
import { counted, formatBytes, formatCount } from '../../src/pages/format.ts';
import { renderHome } from '../../src/pages/home.ts';
import { html, raw } from '../../src/pages/html.ts';
import { latestHref } from '../../src/pages/links.ts';
import { renderLog } from '../../src/pages/log.ts';
import { renderLogHits } from '../../src/pages/log-hits.ts';
import { badgeBranch, renderPipeline } from '../../src/pages/pipeline.ts';
import { hrefsOf, textOf } from './reading.ts';
import { sampleBuild, sampleJob, summaryOfBuild } from './samples.ts';

const build = summaryOfBuild(sampleBuild([sampleJob(1)]));
const common = { organization: 'acme', pipeline: 'web', folder: 'web' };

test('a template escapes what is put into it and nothing else', () => {
  const made = html`<a title="${`"'<&>`}">${['a', html`<b>${'<'}</b>`, null, false, undefined, 0, raw('&nbsp;')]}</a>`;
  assert.equal(made.text, '<a title="&quot;&#39;&lt;&amp;&gt;">a<b>&lt;</b>0&nbsp;</a>');
});

test('numbers are written for people', () => {
  assert.deepEqual([0, 1023, 1536, 10_240, 1_048_064, 5e12].map(formatBytes), [
    '0 B',
    '1023 B',
    '1.5 KiB',
    '10 KiB',
    '1.0 MiB',
    '4.5 TiB',
  ]);
  assert.deepEqual([0, 59_400, 192_000, 3_600_000, 200_000_000].map(formatDuration), [
    '0s',
    '59s',
    '3m 12s',
    '1h 0m',
    '2d 7h',
  ]);
  assert.deepEqual(
    [counted(1, 'file'), counted(0, 'file'), formatCount(1_234_567)],
    ['1 file', '0 files', '1\u202f234\u202f567'],
  );
});

test('the address of a branch’s latest keeps its slashes, and odd names go into the query', () => {
  assert.equal(latestHref('main'), 'latest/main/-/');
  assert.equal(latestHref('feature/ä b#1', 'artifacts/x y'), 'latest/feature/%C3%A4%20b%231/-/artifacts/x%20y');
  for (const odd of ['a/-/b', '-', 'a//b', '/a', 'a/', '..', 'a/./b', '']) {
    assert.equal(latestHref(odd, 'artifacts/'), `latest/branch/-/artifacts/?branch=${encodeURIComponent(odd)}`, odd);
  }
});

test('home lists the pipelines, or says that there is none yet', () => {
  const page = renderHome({
    organization: 'acme',
    pipelines: [{ ...common, name: 'Web', folder: 'web~0191e0c4', builds: 3, latest: build }],
    newest: [{ folder: 'api', summary: { ...build, number: 7 } }],
    totals: { builds: 3, incomplete: 0, logicalBytes: 2048 },
  });
  assert.ok(hrefsOf(page).includes('/acme/web~0191e0c4/'));
  assert.ok(hrefsOf(page).includes('/acme/web~0191e0c4/builds/42/'));
  assert.ok(hrefsOf(page).includes('/acme/api/builds/7/'));
  assert.match(textOf(page), /1 pipeline, 3 builds, 2.0 KiB mirrored/);
  assert.match(textOf(page), /3 of 3 builds complete: all their files are here/);
  const none = { organization: 'acme', pipelines: [], newest: [], totals: null };
  assert.match(textOf(renderHome(none)), /No build has been mirrored yet/);
  assert.doesNotMatch(textOf(renderHome(none)), /complete/);
  const gaps = renderHome({ ...none, totals: { builds: 3, incomplete: 1, logicalBytes: 0 } });
  assert.match(textOf(gaps), /2 of 3 builds complete\s+What is missing, and why/);
});

test('a pipeline shows its branches with the way to their latest passed build', () => {
  const page = renderPipeline({ ...common, builds: [build], branches: [{ ...build, branch: 'release/1.0' }] });
  assert.ok(hrefsOf(page).includes('latest/release/1.0/-/'));
  assert.ok(hrefsOf(page).includes('builds/42/'));
  assert.match(
    textOf(renderPipeline({ ...common, folder: 'web~0191e0c4', builds: [build], branches: [] })),
    /another one has that name now/,
  );
});

test('the badge that is offered is one that there is', () => {
  const branches = ['', 'feature', 'main'].map((branch) => ({ ...build, branch }));
  assert.equal(
    badgeBranch(branches, () => true),
    'main',
  );
  assert.equal(
    badgeBranch(branches, (branch) => branch === 'feature'),
    'feature',
  );
  assert.equal(
    badgeBranch(branches, () => false),
    null,
  );
});

test('a pipeline is called as Buildkite shows it', () => {
  const [named] = [{ ...build, pipeline_name: ':rocket: Deploy' }];
  for (const page of [
    renderPipeline({ ...common, builds: [named], branches: [] }),
    renderBuilds({ ...common, builds: [named], filter: {}, nextBefore: null }),
  ])
    assert.match(textOf(page), /🚀 ?Deploy/u);
});

test('a branch of which no build is known to have passed has no way to one', () => {
  const failed = { ...build, state: 'failed' };
  assert.doesNotMatch(renderPipeline({ ...common, builds: [failed], branches: [failed] }), /latest\//);
  assert.match(renderPipeline({ ...common, builds: [failed, build], branches: [failed] }), /latest\/main\/-\//);
});

test('a page of builds goes on with the same filter', () => {
  const page = renderBuilds({ ...common, builds: [build], filter: { branch: 'a&b', state: 'failed' }, nextBefore: 7 });
  assert.ok(hrefsOf(page).includes('./?before=7&branch=a%26b&state=failed'));
  assert.match(page, /name="branch" value="a&amp;b"/);
  assert.match(page, /<option value="failed" selected>/);
  assert.match(
    textOf(renderBuilds({ ...common, builds: [], filter: { branch: 'x' }, nextBefore: null })),
    /No build matches/,
  );
});

test('a listing of 5,000 files has them all, by name', () => {
  const names = Array.from({ length: 5000 }, (_, index) => `file-${String(index).padStart(4, '0')}.txt`);
  const files = names
    .toReversed()
    .map((name) => ({ name, path: name, href: name, size: 1, type: 'text/plain', sha256: null }));
  const page = renderFolder({
    title: 'x',
    crumbs: [
      { name: 'a', href: '../' },
      { name: 'x', href: './' },
    ],
    folders: [],
    files,
  });
  assert.deepEqual(
    hrefsOf(page).filter((href) => /^file-\d+\.txt$/.test(href)),
    names,
  );
  assert.ok(hrefsOf(page).includes('../'));
});

test('what was found in a log is marked, also behind a letter that is longer when it is small', () => {
  const marks = (text: string, query: string): string[] => {
    const hit = { line: 1, text, before: [], after: [] };
    const page = renderLogHits({ build, job: sampleJob(1), query, hits: [hit], next: null, total: 1 });
    return Array.from(page.matchAll(/<mark>(.*?)<\/mark>/g), ([, marked = '']) => marked);
  };
  assert.deepEqual(marks('İİ Not found', 'not'), ['Not']);
  assert.deepEqual(marks('in İzmir', 'İZMIR'), ['İzmir']);
});

test('a log’s page leads to its first failing line, its last one and its other parts', () => {
  const job = sampleJob(1);
  const page = { build, job, lines: '', from: 5001, shown: 5000, total: 12_000, failing: 3 };
  const part = renderLog(page);
  const hrefs = hrefsOf(part);
  for (const href of ['./?line=3#L3', './?line=12000#L12000', './?from=10001', './?from=1'])
    assert.ok(hrefs.includes(href), href);
  assert.match(textOf(part), /Lines 5001 to 10.000 of 12.000/u);
  assert.match(textOf(renderLog({ ...page, from: 1, shown: 0, total: 0, failing: null })), /This log is empty/);
});
