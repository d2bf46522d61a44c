import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BuildRecord, FileState, JobRecord } from '../../src/model.ts';
import { renderBuild } from '../../src/pages/build.ts';
import { describeJob } from '../../src/pages/details.ts';
import { renderJob } from '../../src/pages/job.ts';
import { hrefsOf, textOf } from './reading.ts';
import { sampleArtifact, sampleBuild, sampleJob, uuid, viewOf } from './samples.ts';

const base = 'http://mirror.test/acme/web/builds/42/';
const at = { folder: 'web', url: 'http://mirror.test/' };

function page(jobs: Parameters<typeof sampleBuild>[0], changes: Parameters<typeof sampleBuild>[1] = {}): string {
  const details = new Map(jobs.map((job) => [job.id, describeJob(job)]));
  const build = sampleBuild(jobs, changes);
  return renderBuild({ build, merged: viewOf(jobs), previous: 41, next: null, details, url: 'http://mirror.test' });
}

test('a build says who made it of what, and how long it took', () => {
  const text = textOf(page([sampleJob(1)]));
  for (const part of [
    'passed',
    '#42',
    'Keep the cart',
    'The cart was keyed',
    'main',
    '3f786850e3',
    'Ada Lovelace',
    '4m 0s',
    '2026-11-20 09:04',
  ]) {
    assert.ok(text.includes(part), part);
  }
  assert.ok(text.includes('1 of 1 mirrored'));
});

test('every link of a build and of a job leads to an address of the contract', () => {
  const id = uuid(1);
  const jobs = [sampleJob(1, { artifacts: [sampleArtifact(id, 1, 'a b/ü#?.txt'), sampleArtifact(id, 2, 'top.txt')] })];
  const known = [
    /^\/(acme\/(web\/(builds\/(4[12]\/)?)?)?)?(#content)?$/,
    /^\/acme\/web\/builds\/\?branch=main$/,
    /^\/acme\/web\/latest\/main\/-\/$/,
    /^\/acme\/web\/builds\/42\/(build\.json|compare\/|artifacts\/(a%20b\/)?\?(list|archive)|artifacts\/a%20b\/%C3%BC%23%3F\.txt|artifacts\/top\.txt)$/,
    new RegExp(
      `^/acme/web/builds/42/jobs/${id}/(log/|log\\.txt|SHA256SUMS|job\\.json|artifacts/((\\?(list|archive))?|a%20b/%C3%BC%23%3F\\.txt|top\\.txt))?(#content)?$`,
    ),
  ];
  const pages = [
    { at: base, text: page(jobs) },
    { at: `${base}jobs/${id}/`, text: renderJob({ build: sampleBuild(jobs), job: jobs[0] ?? sampleJob(1), at }) },
  ];
  for (const { at, text } of pages) {
    for (const href of hrefsOf(text)) {
      const url = new URL(href, at);
      if (url.protocol === 'data:') continue;
      if (url.host === 'buildkite.com' || url.pathname.startsWith('/-/assets/')) continue;
      const search = url.search === '?view' && /\/artifacts\/.+[^/]$/.test(url.pathname) ? '' : url.search;
      const address = url.pathname + search + (url.hash === '#content' ? url.hash : '');
      assert.ok(
        known.some((pattern) => pattern.test(address)),
        `${href} at ${at}`,
      );
    }
  }
});

test('what is missing is named with its reason', () => {
  const id = uuid(1);
  const artifacts = [
    sampleArtifact(id, 1, 'video.webm', { state: 'lost', reason: 'expired at Buildkite', url: null }),
    sampleArtifact(id, 2, 'late.txt', { state: 'pending', reason: 'not uploaded yet', url: null }),
    sampleArtifact(id, 3, 'huge.bin', { state: 'excluded', reason: 'larger than 1 GiB', url: null }),
  ];
  const jobs = [sampleJob(1, { artifacts, expected: 3, present: 1, settled: false, complete: false })];
  const text = textOf(page(jobs));
  for (const part of [
    '1 of 3 mirrored',
    'video.webm expired at Buildkite',
    'late.txt not uploaded yet',
    '1 left out by',
  ]) {
    assert.ok(text.includes(part), part);
  }
  assert.ok(!text.includes('huge.bin'), 'nothing is missing where the settings leave it out');
});

test('a retried job stands beside its replacement', () => {
  const jobs = [
    sampleJob(1, { name: 'E2E', state: 'failed', exit_status: 1, retried: true, retried_in_job_id: uuid(3) }),
    sampleJob(2, { name: 'Lint' }),
    sampleJob(3, { name: 'E2E' }),
  ];
  const text = textOf(page(jobs));
  const table = text.slice(text.indexOf('Log and files'));
  assert.match(table, /Lint.*passed E2E attempt 2 of 2.*failed E2E attempt 1 of 2/s);
  const job = jobs[0] ?? sampleJob(1);
  const own = renderJob({ build: sampleBuild(jobs), job, at });
  assert.ok(hrefsOf(own).includes(`../${uuid(3)}/`));
  assert.ok(textOf(own).includes(`curl -fO '${base}jobs/${uuid(1)}/job.json'`));
});

test('of the attempts those whose logs are there lead to them', () => {
  const logOf = (state: FileState) => ({ url: null, size: 0, sha256: null, state, reason: null, fetched_at: null });
  const jobs = [
    sampleJob(1, { retried: true, retried_in_job_id: uuid(2), present: 3, log: logOf('lost') }),
    sampleJob(2, { retried: true, retried_in_job_id: uuid(3), present: 1, log: logOf('present') }),
    sampleJob(3, { present: 2, log: null }),
  ];
  const [, , job] = jobs;
  assert.ok(job !== undefined);
  const build = sampleBuild(jobs);
  const logs = (of: BuildRecord): string[] =>
    hrefsOf(renderJob({ build: of, job, at })).filter((href) => /^\.\.\/[^/]+\/log\/$/.test(href));
  assert.deepEqual(logs(build), [`../${uuid(2)}/log/`]);
  // Records of earlier versions tell of no log.
  const before = { ...build, jobs: build.jobs.map((each) => ({ ...each, log_state: undefined })) };
  assert.equal(logs(before).length, 3);
});

test('the jobs that made a build fail come first, without those that may fail or were retried', () => {
  const failed = { state: 'failed', exit_status: 1 };
  const jobs = [
    sampleJob(1, { ...failed, name: 'Tried again', retried: true, retried_in_job_id: uuid(2) }),
    sampleJob(2, { name: 'Tried again' }),
    sampleJob(3, { ...failed, name: 'May fail', soft_failed: true }),
    sampleJob(4, { ...failed, name: 'Broke it' }),
    sampleJob(5, { state: 'waiting_failed', name: 'Never ran', exit_status: null }),
  ];
  const text = textOf(page(jobs, { state: 'failed' }));
  const first = text.slice(text.indexOf('1 failed job'), text.indexOf('Jobs 4'));
  assert.match(first, /Broke it/);
  assert.doesNotMatch(first, /Tried again|May fail|Never ran/);
});

test('a failed job shows what its log says, each line a link to its place', () => {
  const job = sampleJob(1, { state: 'failed', exit_status: 1 });
  const failing = [
    { line: 31, text: '  <b>✗</b> adds up ' },
    { line: 32, text: 'expected 3' },
  ];
  const details = new Map([[job.id, describeJob(job, failing)]]);
  const build = sampleBuild([job], { state: 'failed' });
  const shown = renderBuild({ build, merged: [], previous: null, next: null, details });
  assert.ok(hrefsOf(shown).includes(`jobs/${job.id}/log/#L31`));
  assert.ok(textOf(shown).includes('<b>✗</b> adds up expected 3'));
});

test('lines to copy name the pipeline’s place, and its latest build only where there is one', () => {
  const jobs = [
    sampleJob(1, { artifacts: [sampleArtifact(uuid(1), 1, '.hidden'), sampleArtifact(uuid(1), 2, "it's.txt")] }),
  ];
  const common = {
    merged: viewOf(jobs),
    previous: null,
    next: null,
    folder: 'web~0191e0c4',
    url: 'http://mirror.test/',
  };
  const passed = textOf(renderBuild({ build: sampleBuild(jobs), ...common }));
  assert.ok(passed.includes("curl -fO 'http://mirror.test/acme/web~0191e0c4/builds/42/artifacts/it%27s.txt'"));
  assert.ok(passed.includes("curl -fLO 'http://mirror.test/acme/web~0191e0c4/latest/main/-/artifacts/it%27s.txt'"));
  for (const changes of [{ state: 'failed' }, { settled: false }, { blocked: true }]) {
    assert.doesNotMatch(renderBuild({ build: sampleBuild(jobs, changes), ...common }), /latest\//);
  }
});

test('only https addresses lead out', () => {
  for (const web_url of [
    'javascript:alert(1)',
    'http://buildkite.com/',
    'https://u:p@buildkite.com/',
    '//evil.test/',
    'data:text/html,x',
  ]) {
    const hrefs = hrefsOf(page([sampleJob(1)], { web_url }));
    assert.deepEqual(
      hrefs.filter((href) => /^[a-z]+:|^\/\//.test(href) && !href.startsWith('data:image/')),
      [],
    );
  }
});

test('a build of 4,000 jobs and 50,000 artifacts has a page of bounded size', () => {
  const jobs = Array.from({ length: 4000 }, (_, index) => {
    const id = uuid(index + 1);
    const count = index < 1000 ? 50 : 0;
    const artifacts = Array.from({ length: count }, (_, at) =>
      sampleArtifact(id, at, `job-${index}/report/page-${at}.html`),
    );
    return sampleJob(index + 1, { artifacts, expected: count + 1, present: count + 1 });
  });
  const text = page(jobs);
  assert.ok(text.length < 5_000_000, `${text.length} characters`);
  assert.ok(text.split('class="leaf"').length <= 402);
  assert.match(textOf(text), /50 000 files/);
});

test('a folder of the tree that does not fit is a link to its listing', () => {
  const id = uuid(1);
  const small = Array.from({ length: 3 }, (_, at) => sampleArtifact(id, at, `a-small/${at}.txt`));
  const large = Array.from({ length: 500 }, (_, at) => sampleArtifact(id, 10 + at, `b-large/${at}.txt`));
  const flat = Array.from({ length: 450 }, (_, at) => sampleArtifact(id, 1000 + at, `${at}.txt`));
  const hrefs = hrefsOf(page([sampleJob(1, { artifacts: [...small, ...large] })]));
  assert.ok(hrefs.includes('artifacts/a-small/0.txt'));
  assert.ok(hrefs.includes('artifacts/b-large/?list'));
  assert.ok(!hrefs.includes('artifacts/b-large/0.txt'));
  const flatText = textOf(page([sampleJob(1, { artifacts: flat })]));
  assert.match(flatText, /50 more/);
});

test('the filter asks for more than the tree holds as soon as a folder or a file does not fit', () => {
  const asks = (paths: readonly string[]): boolean => {
    const artifacts = paths.map((path, at) => sampleArtifact(uuid(1), at, path));
    return page([sampleJob(1, { artifacts })]).includes('action="artifacts/" data-more>');
  };
  const suites = (count: number): string[] =>
    Array.from({ length: count }, (_, at) => [`test-results/${at}/a.txt`, `test-results/${at}/b.txt`]).flat();
  assert.equal(asks(suites(100)), false);
  assert.equal(asks(suites(150)), true);
  const flat = (count: number): string[] => Array.from({ length: count }, (_, at) => `${at}.txt`);
  assert.equal(asks(flat(400)), false);
  assert.equal(asks(flat(401)), true);
});

test('a build that runs says so, and one that has ended says that the rest is fetched', () => {
  const jobs = [sampleJob(1)];
  const told = (changes: Partial<BuildRecord>): string =>
    textOf(
      renderBuild({
        build: sampleBuild(jobs, { settled: false, complete: false, ...changes }),
        merged: viewOf(jobs),
        previous: null,
        next: null,
      }),
    );
  assert.match(told({ state: 'running', finished_at: null }), /The build still runs/);
  assert.match(told({}), /The rest is being fetched/);
});

test('a failed job’s page shows the lines of its log that say why, each leading to its place', () => {
  const job = sampleJob(1, { state: 'failed', exit_status: 1 });
  const shown = renderJob({ build: sampleBuild([job]), job, failing: [{ line: 120, text: 'Error: <b>' }], at });
  assert.match(textOf(shown), /Error: <b>/);
  assert.ok(hrefsOf(shown).includes('log/#L120'));
});

test('files that the merged view leaves out are counted', () => {
  const id = uuid(1);
  const artifacts = [
    sampleArtifact(id, 1, 'shown.txt'),
    sampleArtifact(id, 2, 'outranked.txt', { merged: false }),
    sampleArtifact(id, 3, 'bad\u0000name', { merged: false, url: `jobs/${id}/artifacts-by-id/${uuid(9)}/bad_name` }),
  ];
  const text = textOf(page([sampleJob(1, { artifacts, expected: 4, present: 4 })]));
  assert.match(text, /1 more file has the same path/);
  assert.match(text, /shown\.txt/);
  assert.match(text, /1 more file has a path that no folder can hold/);
});

test('a build says when retention removes what of it', () => {
  const jobs = [sampleJob(1)];
  const common = { merged: viewOf(jobs), previous: null, next: null };
  const told = (shown: Partial<Parameters<typeof renderBuild>[0]>, changes = {}) =>
    textOf(renderBuild({ build: sampleBuild(jobs, changes), ...common, ...shown }));
  const until = '2027-02-18T09:04:00.000Z';
  const outlook = { part: 'artifacts' as const, until, newest: null, keepLatest: 0 };
  assert.match(told({ outlook }), /Artifacts are kept until 2027-02-18 09:04 UTC \./);
  const counted = { ...outlook, part: 'logs' as const, newest: 20, keepLatest: 1 };
  assert.match(
    told({ outlook: counted }),
    /Logs are kept until 2027-02-18 09:04 UTC , while it is among the newest 20 of main ; longer while it is the latest that passed\./,
  );
  const failed = told({ outlook: { ...counted, part: 'build', until: null } }, { state: 'failed' });
  assert.match(failed, /The build is kept while it is among .* main ; longer while it is the latest that failed\./);
  assert.match(told({ outlook, pinned: true }), /Pinned: retention removes nothing/);
  assert.doesNotMatch(told({}), /kept|Pinned/i);
});

test('jobs of one matrix stand under one heading, with a key or without', () => {
  const heads = (jobs: Parameters<typeof page>[0]): string[] =>
    Array.from(page(jobs).matchAll(/<tr class="band">.*?<\/tr>/gs), ([row]) => textOf(`<body>${row}`).trim());
  const matrix = (number: number, node: string, changes: Partial<JobRecord> = {}): JobRecord =>
    sampleJob(number, { name: `Test on Node ${node}`, step_key: null, matrix: { '': node }, ...changes });
  const lint = sampleJob(9, { name: 'Lint', step_key: null });
  assert.deepEqual(heads([matrix(1, '20'), matrix(2, '22'), matrix(3, '24'), lint]), ['Test on Node … 3 jobs']);
  const keyed = ['20', '22'].map((node, at) => matrix(at + 1, node, { step_key: 'test', state: 'failed' }));
  assert.deepEqual(heads([...keyed, lint]), ['test 2 jobs, 2 failed']);
  const parallel = [0, 1].map((at) =>
    sampleJob(at + 1, { name: 'Specs', step_key: null, parallel_group_index: at, parallel_group_total: 2 }),
  );
  assert.deepEqual(heads([lint, ...parallel]), ['Specs 2 jobs']);
  assert.deepEqual(heads([lint, matrix(1, '20')]), []);
});
