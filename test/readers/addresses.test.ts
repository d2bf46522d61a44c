import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { after, before, test } from 'node:test';
import { array, asyncProperty, assert as check, constantFrom } from 'fast-check';
import request from 'supertest';
import { hrefsOf, textOf } from '../pages/reading.ts';
import { sampleArtifact, sampleBuild, sampleJob, summaryOfJob, uuid } from '../pages/samples.ts';
import { openMirror, type TestMirror } from './mirror.ts';

const job = uuid(1);
const upstream = '/organizations/acme/pipelines/web/builds/42';
let mirror: TestMirror;

before(async () => {
  mirror = openMirror();
  const artifacts = [
    sampleArtifact(job, 1, 'a b/ü.txt'),
    sampleArtifact(job, 2, 'late.txt', { state: 'pending', reason: 'not uploaded yet', url: null }),
  ];
  const jobs = [sampleJob(1, { artifacts, expected: 3, present: 2, settled: false, complete: false })];
  await mirror.add(sampleBuild(jobs), jobs);
  for (let number = 1; number <= 41; number += 1) {
    const [branch, state] = [number % 2 === 0 ? 'main' : 'feature/x', number % 3 === 0 ? 'failed' : 'passed'];
    await mirror.add(sampleBuild([sampleJob(1)], { number, id: uuid(100 + number), branch, state }), []);
  }
});
after(() => mirror.close());

async function location(path: string): Promise<string | undefined> {
  return (await request(mirror.app).get(path).expect(302).expect('Cache-Control', 'no-store')).get('Location');
}

test('Buildkite’s own addresses lead to what the mirror has', async () => {
  assert.equal(
    await location(`${upstream}/jobs/${job}/artifacts/${uuid(1001)}`),
    `/acme/web/builds/42/jobs/${job}/artifacts/a%20b/%C3%BC.txt`,
  );
  assert.equal(
    await location(`${upstream}/jobs/${job.toUpperCase()}/artifacts/${uuid(1001)}/download`),
    `/acme/web/builds/42/jobs/${job}/artifacts/a%20b/%C3%BC.txt`,
  );
  assert.equal(await location(upstream), '/acme/web/builds/42/');
  assert.equal(await location(`${upstream}/artifacts/`), '/acme/web/builds/42/artifacts/?list');
  assert.equal(await location(`${upstream}/jobs/${job}`), `/acme/web/builds/42/jobs/${job}/`);
  assert.equal(await location(`${upstream}/jobs/${job}/log`), `/acme/web/builds/42/jobs/${job}/log/`);
  assert.equal(await location('/acme/web/builds/42'), '/acme/web/builds/42/');
});

test('the log of a job that runs is led to, as its end is shown there', async () => {
  const running = { ...summaryOfJob(sampleJob(2, { state: 'running', finished_at: null })), url: null };
  const build = sampleBuild([], { number: 43, id: uuid(143), state: 'running', finished_at: null, jobs: [running] });
  await mirror.add(build, [], 'live');
  const own = '/organizations/acme/pipelines/live/builds/43';
  const log = `/acme/live/builds/43/jobs/${running.id}/log/`;
  assert.equal(await location(`${own}/jobs/${running.id}/log`), log);
  assert.match(textOf((await request(mirror.app).get(log).expect(200)).text), /Log of Job 2/);
  await request(mirror.app)
    .get(`${own}/jobs/${uuid(77)}/log`)
    .expect(404);
});

test('a renamed pipeline is found under its old name', async () => {
  const pointer = mirror.paths.movedPointer('acme', 'old-web');
  mkdirSync(dirname(pointer), { recursive: true });
  writeFileSync(pointer, 'web\n');
  assert.equal(await location('/organizations/acme/pipelines/old-web/builds/42'), '/acme/web/builds/42/');
});

test('an artifact that is not there says why', async () => {
  const answer = await request(mirror.app)
    .get(`${upstream}/jobs/${job}/artifacts/${uuid(1002)}`)
    .expect(404);
  assert.equal(answer.body.message, 'this artifact is pending: not uploaded yet');
  await request(mirror.app)
    .get(`${upstream}/jobs/${job}/artifacts/${uuid(77)}`)
    .expect(404);
});

test('pages that the worker has not written are made on request', async () => {
  for (const path of [
    '/',
    '/acme/',
    '/acme/web/',
    '/acme/web/builds/',
    '/acme/web/builds/42/',
    `/acme/web/builds/42/jobs/${job}/`,
  ]) {
    const answer = await request(mirror.app).get(path).expect(200).expect('Cache-Control', 'no-cache');
    assert.match(answer.text, /^<!doctype html>/);
  }
  assert.equal(await location(`/acme/web/builds/42/jobs/${job}/log/`), `/acme/web/builds/42/jobs/${job}/log.txt`);
});

test('home is there before the first build', async () => {
  const empty = openMirror();
  try {
    assert.match(textOf((await request(empty.app).get('/').expect(200)).text), /No build has been mirrored yet/);
    await request(empty.app).get('/acme/web/').expect(404);
  } finally {
    empty.close();
  }
});

test('builds are filtered by branch and state, and come in pages that follow one another', async () => {
  const seen: string[] = [];
  let next: string | undefined = '?branch=main&state=passed&limit=5';
  for (let pages = 0; next !== undefined && pages < 9; pages += 1) {
    const answer: { text: string } = await request(mirror.app).get(`/acme/web/builds/${next}`).expect(200);
    const hrefs = hrefsOf(answer.text);
    seen.push(...hrefs.filter((href) => /^\d+\/$/.test(href)));
    next = hrefs.find((href) => href.startsWith('./?before='))?.slice(2);
  }
  const wanted = Array.from({ length: 41 }, (_, index) => 41 - index).filter(
    (number) => number % 2 === 0 && number % 3 !== 0,
  );
  assert.deepEqual(seen, ['42/', ...wanted.map((number) => `${number}/`)]);
  const all = await request(mirror.app).get('/acme/web/builds/?limit=99999&branch=&state=').expect(200);
  assert.equal(hrefsOf(all.text).filter((href) => /^\d+\/$/.test(href)).length, 42);
});

test('a query that makes no sense is refused by name', async () => {
  for (const query of [
    'before=x',
    'before=0',
    'state=DROP%20TABLE',
    'limit=-1',
    'branch=a&branch=b',
    'branch=%00',
    `branch=${'x'.repeat(256)}`,
  ]) {
    const answer = await request(mirror.app).get(`/acme/web/builds/?${query}`).expect(400);
    assert.equal(answer.body.error, 'ERR_REQUEST_MALFORMED');
    assert.match(answer.body.message, /^"(before|state|limit|branch)"/);
  }
});

test('only GET and HEAD are answered', async () => {
  for (const method of ['post', 'put', 'delete', 'patch', 'options'] as const) {
    await request(mirror.app)[method]('/acme/').expect(405).expect('Allow', 'GET, HEAD');
  }
  assert.equal((await request(mirror.app).head('/acme/').expect(200)).text, undefined);
});

test('an error is JSON, or a page for who asks for one, with the request’s id', async () => {
  const plain = await request(mirror.app).get('/nobody/').set('X-Request-Id', 'abc-123').expect(404);
  assert.deepEqual(plain.body, { error: 'ERR_NOT_FOUND', message: 'there is nothing at this address', id: 'abc-123' });
  assert.equal(plain.get('X-Request-Id'), 'abc-123');
  const person = await request(mirror.app)
    .get('/nobody/')
    .set('Accept', 'text/html,*/*')
    .set('X-Request-Id', '<b>')
    .expect(404);
  assert.match(person.text, /<h1>Not found<\/h1>/);
  assert.match(person.get('Content-Security-Policy') ?? '', /default-src 'none'/);
  assert.doesNotMatch(person.text, /<b>/);
});

test('a record that cannot be read is an error of ours, and the next request is answered', async () => {
  const broken = openMirror();
  try {
    const place = await broken.add(sampleBuild([sampleJob(1)]), [sampleJob(1)]);
    writeFileSync(broken.paths.buildFile(place, 'build.json'), '{"version":1,');
    const answer = await request(broken.app).get('/acme/web/builds/42/').expect(500);
    assert.equal(answer.body.error, 'ERR_TREE_CORRUPT');
    assert.doesNotMatch(answer.text, /kitemirror-readers/);
    await request(broken.app).get('/').expect(200);
  } finally {
    broken.close();
  }
});

test('what is too long or not an encoding is refused', async () => {
  await request(mirror.app)
    .get(`/acme/${'x'.repeat(10_001)}/`)
    .expect(400);
  await request(mirror.app)
    .get(`/acme/?${'x'.repeat(2001)}`)
    .expect(400);
  await request(mirror.app).get('/acme/%ff/').expect(400);
  await request(mirror.app).get('/acme/web/builds/42/artifacts/%zz/').expect(400);
});

test('no spelling of an address reaches beside the records', async () => {
  const part = constantFrom(
    '..',
    '.',
    '',
    '%2e%2e',
    '..%2f..',
    '%2F',
    '%5c..',
    '~',
    'acme',
    'web',
    'builds',
    '42',
    'jobs',
    job,
    'artifacts',
    'steps',
    'organizations',
    'pipelines',
    '%00',
    'build.json',
    '__proto__',
  );
  await check(
    asyncProperty(array(part, { minLength: 1, maxLength: 10 }), async (parts) => {
      const answer = await request(mirror.app)
        .get(`/${parts.join('/')}`)
        .redirects(0);
      assert.ok([200, 302, 400, 404].includes(answer.status), `${parts.join('/')}: ${answer.status}`);
      if (answer.status === 302) assert.match(answer.get('Location') ?? '', /^\/(acme)\/(?!.*\/\.\.?\/)/);
      if (answer.status === 200) assert.match(answer.text, /^<!doctype html>/);
    }),
    { numRuns: 300 },
  );
});
