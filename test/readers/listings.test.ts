import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { after, before, test } from 'node:test';
import request from 'supertest';
import { createLog } from '../../src/log.ts';
import type { JobRecord } from '../../src/model.ts';
import { pageCache } from '../../src/readers/page-cache.ts';
import { unlinkFile } from '../../src/tree/blobs.ts';
import { writeBuildRecord, writeJobRecord } from '../../src/tree/records.ts';
import { hrefsOf, textOf } from '../pages/reading.ts';
import { sampleArtifact, sampleBuild, sampleJob, uuid } from '../pages/samples.ts';
import { openMirror, type TestMirror } from './mirror.ts';

const [first, second] = [uuid(1), uuid(2)];
const base = '/acme/web/builds/42';
let mirror: TestMirror;
let jobs: JobRecord[];

before(async () => {
  mirror = openMirror();
  jobs = [
    sampleJob(1, {
      name: 'Report',
      step_key: 'report',
      artifacts: [
        sampleArtifact(first, 1, 'report/index.html', { mime_type: 'text/html' }),
        sampleArtifact(first, 2, 'report/data/a b#ü%.png'),
        sampleArtifact(first, 3, 'top.txt'),
        sampleArtifact(first, 4, 'bad\nname', {
          url: `jobs/${first}/artifacts-by-id/${uuid(1004)}/bad_name`,
          merged: false,
        }),
        sampleArtifact(first, 5, 'gone.webm', { state: 'lost', reason: 'expired at Buildkite', url: null }),
      ],
      expected: 6,
      present: 5,
      complete: false,
    }),
    sampleJob(2, {
      name: 'Odd',
      step_key: 'odd/key',
      artifacts: [sampleArtifact(second, 11, 'index.html/x.txt')],
      expected: 2,
      present: 2,
    }),
    sampleJob(3, { name: 'Bare', step_key: null, artifacts: [] }),
  ];
  await mirror.add(sampleBuild(jobs), jobs);
});
after(() => mirror.close());

async function page(path: string): Promise<string> {
  const answer = await request(mirror.app).get(path).expect(200).expect('Content-Type', 'text/html; charset=utf-8');
  assert.equal(answer.get('Cache-Control'), 'no-cache');
  assert.match(answer.get('Content-Security-Policy') ?? '', /^default-src 'none'/);
  assert.equal(answer.get('X-Content-Type-Options'), 'nosniff');
  assert.equal(answer.get('X-Powered-By'), undefined);
  return answer.text;
}

async function links(path: string): Promise<string[]> {
  return hrefsOf(await page(path)).filter((href) => !/^(data:|#|\.|\/|\?archive)|\?(open|view|gallery)$/.test(href));
}

test('the merged view lists its folders and files', async () => {
  assert.deepEqual(await links(`${base}/artifacts/`), ['index.html/', 'report/?list', 'top.txt']);
  assert.deepEqual(await links(`${base}/artifacts/report/?list`), ['data/', 'index.html']);
  assert.deepEqual(await links(`${base}/artifacts/report/data/`), ['a%20b%23%C3%BC%25.png']);
});

test('artifacts have a page of their own, and a folder with pictures a gallery; records have neither', async () => {
  const ways = async (path: string): Promise<string[]> =>
    hrefsOf(await page(path)).filter((href) => /\?(view|gallery)$/.test(href));
  assert.deepEqual(await ways(`${base}/artifacts/report/data/`), ['?gallery', 'a%20b%23%C3%BC%25.png?view']);
  assert.deepEqual(await ways(`${base}/jobs/${first}/artifacts/`), ['top.txt?view']);
  assert.deepEqual(await ways(`${base}/jobs/${first}/?list`), []);
});

test('a job’s folders list what the job has, files without a path of their own too', async () => {
  assert.deepEqual(await links(`${base}/jobs/${first}/artifacts/`), ['report/?list', 'top.txt']);
  assert.deepEqual(await links(`${base}/jobs/${first}/artifacts-by-id/${uuid(1004)}/`), ['bad_name']);
  assert.deepEqual(await links(`${base}/jobs/${first}/?list`), [
    'artifacts/',
    'artifacts-by-id/',
    'SHA256SUMS',
    'job.json',
    'log.txt',
  ]);
  assert.deepEqual(await links(`${base}/jobs/`), [`${first}/`, `${second}/`, `${uuid(3)}/`]);
});

test('steps are listed by the names of their folders', async () => {
  const [report, odd] = await links(`${base}/steps/`);
  assert.equal(report, 'report/');
  assert.match(odd ?? '', /^~[0-9a-f]{16}\/$/);
  assert.deepEqual(await links(`${base}/steps/${odd}`), ['artifacts/']);
  assert.match(textOf(await page(`${base}/steps/`)), /odd\/key/);
  assert.deepEqual(await links(`${base}/steps/report/artifacts/`), ['report/?list', 'top.txt']);
});

test('a folder without files that has to be there is empty; any other is not found', async () => {
  assert.match(textOf(await page(`${base}/jobs/${uuid(3)}/artifacts/`)), /This folder is empty/);
  for (const path of [
    '/artifacts/nothing/',
    '/artifacts/top.txt/',
    '/steps/none/',
    `/jobs/${first}/other/`,
    `/jobs/${uuid(9)}/artifacts/`,
  ]) {
    await request(mirror.app)
      .get(base + path)
      .expect(404);
  }
});

test('a file that the mirror has not says what became of it', async () => {
  const answer = await request(mirror.app).get(`${base}/jobs/${first}/artifacts/gone.webm`).expect(404);
  assert.equal(answer.body.error, 'ERR_NOT_FOUND');
  assert.equal(answer.body.message, 'this artifact is lost: expired at Buildkite');
  assert.equal(answer.get('Cache-Control'), 'no-store');
});

test('a folder’s address without its slash leads to the one with it', async () => {
  for (const [path, to] of [
    ['/artifacts/report/data?list', '/artifacts/report/data/?list'],
    ['/artifacts', '/artifacts/'],
    [`/jobs/${first}`, `/jobs/${first}/`],
    ['', '/'],
  ] as const) {
    await request(mirror.app)
      .get(base + path)
      .expect(302)
      .expect('Location', base + to)
      .expect('Cache-Control', 'no-store');
  }
});

test('a listing that cannot change is kept as a file; a part of one is not', async () => {
  const file = mirror.paths.page('acme', 'web', 'builds', '42', 'artifacts', 'report', 'data');
  rmSync(file, { force: true });
  await page(`${base}/artifacts/report/data/?list&after=0`);
  assert.equal(existsSync(file), false);
  const text = await page(`${base}/artifacts/report/data/?list`);
  await untilTrue(() => existsSync(file));
  assert.equal(readFileSync(file, 'utf8'), text);
});

test('a folder called index.html is listed, and not kept where a page would have to be', async () => {
  await page(`${base}/artifacts/index.html/`);
  assert.deepEqual(await links(`${base}/artifacts/index.html/`), ['x.txt']);
  await page(`${base}/artifacts/`);
  await untilTrue(() => existsSync(mirror.paths.page('acme', 'web', 'builds', '42', 'artifacts')));
});

test('a listing of something unsettled is not kept', async () => {
  const own = openMirror();
  try {
    const [job] = [sampleJob(1, { artifacts: [sampleArtifact(first, 1, 'a/b.txt')], settled: false, complete: false })];
    const place = await own.add(sampleBuild([job], { number: 7 }), [job]);
    await request(own.app).get('/acme/web/builds/7/artifacts/a/').expect(200);
    await request(own.app).get(`/acme/web/builds/7/jobs/${first}/artifacts/a/`).expect(200);
    assert.equal(existsSync(own.paths.page('acme', 'web', 'builds', '7', 'artifacts', 'a')), false);
    assert.equal(existsSync(own.paths.page('acme', 'web', 'builds', '7', 'jobs', first, 'artifacts', 'a')), false);
    const settled = { ...job, settled: true, complete: true };
    await writeJobRecord(own.paths, place, settled);
    await writeBuildRecord(own.paths, place, sampleBuild([settled], { number: 7 }));
    await request(own.app).get('/acme/web/builds/7/artifacts/a/').expect(200);
    await untilTrue(() => existsSync(own.paths.page('acme', 'web', 'builds', '7', 'artifacts', 'a')));
  } finally {
    own.close();
  }
});

test('a listing that a publish has overtaken does not stay', async () => {
  const own = openMirror();
  try {
    const log = createLog('test', 'silent');
    const at = ['acme', 'web', 'builds', '7', 'artifacts'];
    await pageCache(own.paths, log).keep(at, 'old', async () => false);
    assert.equal(existsSync(own.paths.page(...at)), false);
    await pageCache(own.paths, log).keep(at, 'new', async () => true);
    assert.equal(readFileSync(own.paths.page(...at), 'utf8'), 'new');
  } finally {
    own.close();
  }
});

test('while a publish rewrites the views, the job records say what is in them', async () => {
  const own = openMirror();
  try {
    const place = await own.add(sampleBuild(jobs), jobs);
    unlinkFile(own.paths.views(place));
    const answer = await request(own.app).get(`${base}/artifacts/?list`).expect(200);
    assert.ok(hrefsOf(answer.text).includes('top.txt'));
  } finally {
    own.close();
  }
});

test('a folder of 12,000 files comes in parts that lose none', async () => {
  const own = openMirror();
  try {
    const artifacts = Array.from({ length: 12_000 }, (_, index) => sampleArtifact(first, index, `f${index}.txt`));
    const job = sampleJob(1, { artifacts });
    await own.add(sampleBuild([job]), [job]);
    const seen = new Set<string>();
    let next: string | undefined = '';
    const told: string[] = [];
    for (let parts = 0; next !== undefined && parts < 5; parts += 1) {
      const answer: { text: string } = await request(own.app).get(`${base}/artifacts/${next}`).expect(200);
      const hrefs = hrefsOf(answer.text);
      for (const href of hrefs) if (/^f\d+\.txt$/.test(href)) seen.add(href);
      next = hrefs.find((href) => href.startsWith('?list&after='));
      told.push(/>([^<]+ more)</.exec(answer.text)?.[1] ?? '');
      assert.match(answer.text, /<form class="tree-tools"[^>]* data-more>/, 'its filter asks for the other parts');
    }
    assert.equal(seen.size, 12_000);
    assert.deepEqual(told, ['7000 more', '2000 more', '']);
  } finally {
    own.close();
  }
});

test('a page that is known is not sent again', async () => {
  const answer = await request(mirror.app).get(`${base}/artifacts/?list`).expect(200);
  await request(mirror.app)
    .get(`${base}/artifacts/?list`)
    .set('If-None-Match', answer.get('ETag') ?? '')
    .expect(304);
  await request(mirror.app)
    .head(`${base}/artifacts/?list`)
    .expect(200)
    .expect('ETag', answer.get('ETag') ?? '');
});

async function untilTrue(condition: () => boolean): Promise<void> {
  const end = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > end) throw new Error('not within 10 s');
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
}
