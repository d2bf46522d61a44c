import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { after, before, test } from 'node:test';
import request from 'supertest';
import type { BuildRecord, JobRecord } from '../../src/model.ts';
import { compareTests, type TestResult } from '../../src/readers/comparison.ts';
import { writeUpstreamView } from '../../src/tree/upstream-view.ts';
import { hrefsOf, textOf } from '../pages/reading.ts';
import { sampleArtifact, sampleBuild, sampleJob, uuid } from '../pages/samples.ts';
import { openMirror, type TestMirror } from './mirror.ts';

let mirror: TestMirror;

/** What upstream told of a build, as read-build leaves it behind. */
async function tellUpstream(build: BuildRecord, default_branch: string | null): Promise<void> {
  const { organization, pipeline, number, pipeline_id, pipeline_name, ...facts } = build;
  await writeUpstreamView(
    mirror.paths,
    { organization, folder: pipeline, number },
    {
      ...{ version: 1, read_at: build.mirrored_at, jobs: [], annotations: null },
      build: {
        ...{ ...facts, number, scheduled_at: null, rebuilt_from: null },
        pipeline: { id: pipeline_id, slug: pipeline, name: pipeline_name, repository: null, default_branch },
      },
    },
  );
}

function junit(outcomes: Record<string, boolean>): string {
  const cases = Object.entries(outcomes).map(([name, passes]) =>
    passes
      ? `<testcase name="${name}"/>`
      : `<testcase name="${name}"><failure message="&lt;b&gt; is wrong"/></testcase>`,
  );
  return `<testsuite name="Cart">${cases.join('')}</testsuite>`;
}

async function add(
  number: number,
  report: string,
  build: Partial<BuildRecord>,
  job: Partial<JobRecord>,
): Promise<BuildRecord> {
  const id = uuid(number * 10);
  const artifacts = [
    sampleArtifact(id, number, 'junit.xml', { size: report.length, sha256: String(number).padStart(64, '0') }),
    sampleArtifact(id, 7, 'same.txt'),
    sampleArtifact(id, number, 'stamp.txt', { sha256: String(number).padStart(64, '2'), size: 9 }),
    sampleArtifact(id, number, 'shot.png', { sha256: String(number).padStart(64, '1'), size: 1000 * number }),
  ];
  const jobs = [sampleJob(number, { id, step_key: 'test', name: 'Test', artifacts, ...job })];
  const record = sampleBuild(jobs, { number, id: uuid(1000 + number), ...build });
  const place = await mirror.add(record, jobs);
  const file = mirror.paths.jobFile(place, id, 'artifacts/junit.xml');
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, report);
  return record;
}

before(async () => {
  mirror = openMirror();
  await add(1, junit({ old: true, broken: false, mended: false, gone: true }), {}, {});
  await add(2, junit({ old: false }), { state: 'failed' }, { state: 'failed', exit_status: 1 });
  const pull_request = { id: '5', base: 'main', repository: null, fork: false };
  await add(
    3,
    junit({ old: false, broken: false, mended: true, fresh: true }),
    { state: 'failed', branch: 'feature', pull_request },
    { state: 'failed', exit_status: 1 },
  );
});
after(() => mirror.close());

const page = async (path: string): Promise<string> =>
  (await request(mirror.app).get(`/acme/web/builds/${path}`).expect(200)).text;

test('a build is compared with the last passed one of the branch that it goes into', async () => {
  const text = textOf(await page('3/compare/'));
  assert.match(text, /Compare #1 with #3/);
  assert.match(text, /Newly failing 1 old .*<b> is wrong.*Still failing 1 broken.*Fixed 1 mended/);
  assert.match(text, /4 before, 4 now, 1 new, 1 gone/);
  assert.match(text, /1 of 1 differ/);
  assert.match(text, /3 changed, 0 new, 0 gone/);
  assert.match(text, /stamp\.txt 9 B 9 B same size [0-9a-f]{12} [0-9a-f]{12}/);
  assert.doesNotMatch(text, /same\.txt/);
});

test('without a pull request that branch is the default one, or the build’s own where nobody told of one', async () => {
  const push = (number: number, branch: string): Promise<BuildRecord> =>
    add(number, junit({}), { pipeline: 'pushes', id: uuid(2000 + number), branch }, {});
  await push(1, 'trunk');
  await push(2, 'main');
  await push(3, 'topic');
  const pushed = await push(4, 'topic');
  const told = async (): Promise<string> =>
    textOf((await request(mirror.app).get('/acme/pushes/builds/4/compare/').expect(200)).text);
  for (const [branch, line] of [
    ['trunk', /Compare #1 with #4 .*Last passed of trunk/],
    ['nowhere', /Compare #4 .*No earlier build of nowhere that passed is mirrored/],
    [null, /Compare #3 with #4 .*Last passed of topic/],
  ] as const) {
    await tellUpstream(pushed, branch);
    assert.match(await told(), line);
  }
  rmSync(mirror.paths.buildFile({ organization: 'acme', folder: 'pushes', number: 4 }, 'upstream.json'));
  assert.match(await told(), /Compare #3 with #4 .*Last passed of topic/);
});

test('that build is one that `latest` may lead to, however many others of its name have passed since', async () => {
  const push = (number: number, more: Partial<BuildRecord> = {}): Promise<BuildRecord> =>
    add(number, junit({}), { pipeline: 'forked', id: uuid(3000 + number), branch: 'trunk', ...more }, {});
  await push(1);
  await push(2, { blocked: true });
  const pull_request = { id: '5', base: 'trunk', repository: null, fork: true };
  for (let number = 3; number <= 30; number += 1) await push(number, { pull_request });
  for (let number = 31; number <= 55; number += 1) await push(number, { settled: false, complete: false });
  await push(56);
  const { text } = await request(mirror.app).get('/acme/forked/builds/56/compare/').expect(200);
  assert.match(textOf(text), /Compare #1 with #56 /);
});

test('a test is compared with itself in the same variant of its step, whichever parallel job ran it', () => {
  const run = (job: JobRecord, name: string, outcome: TestResult['outcome']): TestResult => ({
    key: name,
    name,
    place: 'Cart',
    message: null,
    outcome,
    job,
  });
  const [old, young] = ['20', '22'].map((node, index) => sampleJob(index, { step_key: 'test', matrix: { node } }));
  const [one, two] = [0, 1].map((index) =>
    sampleJob(5 + index, { step_key: 'shards', parallel_group_index: index, parallel_group_total: 2 }),
  );
  assert.ok(old && young && one && two);
  const then = [run(old, 'adds', 'failed'), run(young, 'adds', 'passed'), run(one, 'pays', 'failed')];
  const now = [
    run(old, 'adds', 'failed'),
    run(young, 'adds', 'failed'),
    run(old, 'ships', 'errored'),
    run(young, 'ships', 'failed'),
    run(two, 'pays', 'failed'),
  ];
  const changes = compareTests(now, then);
  const told = (lines: typeof changes.fixed): unknown[] =>
    lines.map(({ name, jobs }) => [name, jobs.map(({ id }) => id)]);
  assert.deepEqual(told(changes.newlyFailing), [
    ['adds', [young.id]],
    ['ships', [old.id, young.id]],
  ]);
  assert.deepEqual(told(changes.stillFailing), [
    ['adds', [old.id]],
    ['pays', [two.id]],
  ]);
  assert.deepEqual([changes.before, changes.now, changes.added, changes.gone], [3, 5, 2, 0]);
});

test('what fails leads to the log of its job, and each job to its page', async () => {
  const hrefs = hrefsOf(await page('3/compare/'));
  assert.ok(hrefs.includes(`../jobs/${uuid(30)}/log/`));
  assert.ok(hrefs.includes(`../jobs/${uuid(30)}/`));
});

test('any other build can be taken, and pictures that changed stand side by side', async () => {
  const found = await page('3/compare/?with=2');
  assert.match(textOf(found), /Compare #2 with #3.*No|Compare #2 with #3/);
  const images = Array.from(found.matchAll(/<img src="([^"]+)"/g), ([, src]) => src);
  assert.deepEqual(images, ['../../2/artifacts/shot.png', '../artifacts/shot.png']);
  assert.ok(hrefsOf(found).includes(`../../2/jobs/${uuid(20)}/`));
});

test('where there is nothing to compare with the page says so, and what is no build is refused', async () => {
  assert.match(textOf(await page('1/compare/')), /No earlier build of main that passed is mirrored/);
  await request(mirror.app).get('/acme/web/builds/3/compare/?with=99').expect(404);
  await request(mirror.app).get('/acme/web/builds/99/compare/').expect(404);
  for (const other of ['x', '-1', '1&with=2'])
    await request(mirror.app).get(`/acme/web/builds/3/compare/?with=${other}`).expect(400);
  await request(mirror.app)
    .get('/acme/web/builds/3/compare')
    .expect(302)
    .expect('Location', '/acme/web/builds/3/compare/');
});
