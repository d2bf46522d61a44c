/** What a build's page leads to, and what is told to those who show a link to it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JobRecord } from '../../src/model.ts';
import { type BuildPage, renderBuild } from '../../src/pages/build.ts';
import { describeJob } from '../../src/pages/details.ts';
import { hrefsOf, textOf } from './reading.ts';
import { sampleArtifact, sampleBuild, sampleJob, uuid, viewOf } from './samples.ts';

function page(jobs: readonly JobRecord[], changes: Partial<BuildPage> = {}): string {
  const details = new Map(jobs.map((job) => [job.id, describeJob(job)]));
  return renderBuild({
    build: sampleBuild(jobs),
    merged: viewOf(jobs),
    previous: null,
    next: null,
    details,
    ...changes,
  });
}

/** A job for each list of paths. */
function jobsOf(...paths: string[][]): JobRecord[] {
  return paths.map((own, index) => {
    const number = index + 1;
    return sampleJob(number, {
      artifacts: own.map((path, at) => sampleArtifact(uuid(number), number * 100 + at, path)),
    });
  });
}

/** The buttons above the tree: what they say, and where they lead. */
function reportsOf(shown: string): [string, string][] {
  const [, bar = ''] = /<nav class="actions" aria-label="Reports">(.*?)<\/nav>/s.exec(shown) ?? [];
  return Array.from(bar.matchAll(/<a [^>]*href="([^"]*)"[^>]*>(.*?)<\/a>/g), ([, href = '', label = '']) => [
    label.replaceAll(/<[^>]*>/g, ''),
    href,
  ]);
}

test('a build’s reports are opened by a button each, and so are its tests and pictures', () => {
  const shown = page(
    jobsOf(['play/index.html', 'play/trace/index.html', 'a b/ü/index.html'], ['junit.xml', 'one.png', 'more/two.webp']),
  );
  assert.deepEqual(reportsOf(shown), [
    ['Open report: Playwright report', 'artifacts/play/?open'],
    ['Open report: ü', 'artifacts/a%20b/%C3%BC/?open'],
    ['Tests', 'artifacts/?tests'],
    ['2 pictures', 'artifacts/?gallery'],
  ]);
  // In the tree beside its folder, too.
  assert.ok(hrefsOf(shown.slice(shown.indexOf('id="tree"'))).includes('artifacts/play/?open'));
  assert.doesNotMatch(page(jobsOf(['a.txt'])), /aria-label="Reports"/);
});

test('a file whose path other jobs have too is marked with how many', () => {
  const artifacts = (job: number): JobRecord['artifacts'] => [
    sampleArtifact(uuid(job), job, 'out/same.txt', { merged: job === 3 }),
    sampleArtifact(uuid(job), 10 + job, `out/own-${job}.txt`),
  ];
  const jobs = [1, 2, 3].map((number) => sampleJob(number, { artifacts: artifacts(number) }));
  const marks = (shown: string): string[] =>
    textOf(shown).match(/(same|own-\d)\.txt( also in \d+ other jobs?)?(?= view)/g) ?? [];
  assert.deepEqual(marks(page(jobs)), ['own-1.txt', 'own-2.txt', 'own-3.txt', 'same.txt also in 2 other jobs']);
  // An earlier attempt is no other job.
  const [first, ...rest] = jobs;
  assert.ok(first !== undefined);
  const retried = page([{ ...first, retried: true, retried_in_job_id: uuid(3) }, ...rest]);
  assert.match(retried, /also in 1 other job</);
});

test('a build leads to those before and after it, as far as they are mirrored', () => {
  const neighbours = (shown: string): string[] =>
    Array.from(shown.matchAll(/rel="(prev|next)" href="([^"]*)" aria-label="([^"]*)"/g), (match) =>
      match.slice(1).join(' '),
    );
  const jobs = jobsOf(['a.txt']);
  assert.deepEqual(neighbours(page(jobs, { previous: 40, next: 43 })), [
    'prev ../40/ Previous build, #40',
    'next ../43/ Next build, #43',
  ]);
  assert.deepEqual(neighbours(page(jobs, { next: 43 })), ['next ../43/ Next build, #43']);
  assert.deepEqual(neighbours(page(jobs)), []);
});

test('who shows a link to a build is told what it is and where, whatever its texts hold', () => {
  const jobs = jobsOf(['a.txt']);
  const told = (changes: Partial<BuildPage>): Record<string, string> =>
    Object.fromEntries(
      Array.from(
        page(jobs, changes).matchAll(/<meta property="og:(title|description|url)" content="([^"]*)">/g),
        ([, name = '', content = '']) => [name, content],
      ),
    );
  const evil = '"><script>alert(1)</script>';
  const build = sampleBuild(jobs, { state: 'timed_out', branch: evil, message: `:rocket: Ship ${evil}\n\nmore` });
  const escaped = '&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;';
  assert.deepEqual(told({ build, folder: 'web~0191e0c4', url: 'http://mirror.test/' }), {
    title: `web #42: 🚀 Ship ${escaped}`,
    description: `timed out · ${escaped} · 1 of 1 mirrored`,
    url: 'http://mirror.test/acme/web~0191e0c4/builds/42/',
  });
  assert.deepEqual(told({ build }), {}, 'without an address of the mirror there is nothing to lead to');
});
