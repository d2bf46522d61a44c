/** The ledger: what is not complete and why, and the button that tries it again. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import request from 'supertest';
import { openUnsettled } from '../../src/tree/unsettled.ts';
import { textOf } from '../pages/reading.ts';
import { sampleArtifact, sampleBuild, sampleJob, uuid } from '../pages/samples.ts';
import { openMirror, type TestMirror } from './mirror.ts';

const job = uuid(1);
const lacking = uuid(500);
const unread = uuid(501);
let mirror: TestMirror;

before(async () => {
  mirror = openMirror();
  const lost = { state: 'lost', url: null, reason: 'expired upstream before it was mirrored' } as const;
  const jobs = [
    sampleJob(1, {
      artifacts: [
        sampleArtifact(job, 1, 'present.txt'),
        sampleArtifact(job, 2, '<b>one</b>.txt', lost),
        sampleArtifact(job, 3, 'two.txt', lost),
        sampleArtifact(job, 4, 'three.txt', { state: 'refused', url: null, reason: 'evil.example is not allowed' }),
      ],
      expected: 5,
      present: 2,
      complete: false,
    }),
  ];
  await mirror.add(sampleBuild(jobs, { id: lacking, number: 7, expected: 5, present: 2, complete: false }), jobs);
  await mirror.add(sampleBuild([], { id: uuid(502), number: 8, complete: true }), []);
  mkdirSync(mirror.paths.unsettled, { recursive: true });
  const where = { organization: 'acme', pipeline: 'api', number: 3, build: unread };
  const since = '2026-11-20T08:00:00.000Z';
  await openUnsettled(mirror.paths, { version: 1, ...where, pipelineId: null, since, learnedFrom: 'reconcile' });
});
after(() => mirror.close());

const ask = () => request(mirror.app);

interface Ledger {
  readonly unsettled: number;
  readonly incomplete: number;
  readonly oldest_since: string | null;
  readonly builds: readonly Record<string, unknown>[];
  readonly next: string | null;
}

test('ledger.json has every unsettled or incomplete build with its reasons, and no other', async () => {
  const { body, headers } = await ask().get('/-/ledger.json').expect(200).expect('Content-Type', /json/);
  const { unsettled, incomplete, oldest_since, builds, next } = body as Ledger;
  assert.equal(headers['cache-control'], 'no-store');
  assert.deepEqual([unsettled, incomplete, oldest_since, next], [1, 1, '2026-11-20T08:00:00.000Z', null]);
  assert.deepEqual(
    builds.map(({ id }) => id),
    [lacking, unread],
  );
  const [first, second] = builds;
  assert.deepEqual(first?.['reasons'], [
    {
      state: 'lost',
      reason: 'expired upstream before it was mirrored',
      count: 2,
      examples: ['<b>one</b>.txt', 'two.txt'],
    },
    { state: 'refused', reason: 'evil.example is not allowed', count: 1, examples: ['three.txt'] },
  ]);
  assert.deepEqual([first?.['settled'], first?.['url']], [true, '/acme/web/builds/7/']);
  assert.deepEqual(
    [second?.['settled'], second?.['url'], second?.['learned_from'], second?.['since']],
    [false, null, 'reconcile', '2026-11-20T08:00:00.000Z'],
  );
});

test('the page says the same, with upstream’s text escaped and a button for each build', async () => {
  const { text } = await ask()
    .get('/-/ledger')
    .expect(200)
    .expect('Content-Security-Policy', /default-src 'none'/);
  assert.match(textOf(text), /1 build still being fetched, the oldest for .*1 build not complete/s);
  assert.ok(text.includes('&lt;b&gt;one&lt;/b&gt;.txt') && !text.includes('<b>one</b>'));
  assert.match(textOf(text), /learned of by comparing/);
  for (const id of [lacking, unread]) assert.ok(text.includes(`<form method="post" action="/-/ledger/${id}/retry">`));
});

test('pages follow one another until all were shown', async () => {
  const { body } = await ask().get(`/-/ledger.json?after=${lacking}`).expect(200);
  assert.deepEqual(
    (body as Ledger).builds.map(({ id }) => id),
    [unread],
  );
  await ask().get('/-/ledger.json?after=../../etc').expect(400);
});

test('"try again now" asks a worker for another look at all of the build', async () => {
  const send = (id: string, headers: Record<string, string>) => ask().post(`/-/ledger/${id}/retry`).set(headers);
  const own = { Origin: 'http://mirror.test' };
  await send(lacking, own).expect(202, { build: lacking });
  const form = await send(unread, { ...own, Accept: 'text/html' }).expect(303);
  assert.equal(form.headers['location'], `/-/ledger?asked=${unread}`);
  const { text } = await ask().get(`/-/ledger?asked=${unread}`).expect(200);
  assert.match(textOf(text), /Asked for\./);
  assert.deepEqual(
    mirror.asked.map(({ name, payload }) => [
      name,
      'again' in payload && payload.again,
      'build' in payload && payload.build,
    ]),
    [
      ['read-build', true, lacking],
      ['read-build', true, unread],
    ],
  );
});

test('a page of someone else’s cannot ask for it, nor can anyone for what is not known', async () => {
  const before = mirror.asked.length;
  const send = (id: string) => ask().post(`/-/ledger/${id}/retry`);
  for (const origin of ['https://evil.example', 'null', 'http://mirror.test.evil.example', 'http://mirror.test:81']) {
    await send(lacking)
      .set('Origin', origin)
      .expect(403)
      .expect(/ERR_ORIGIN_REFUSED/);
  }
  await send(lacking).expect(403);
  await send(uuid(999)).set('Origin', 'http://mirror.test').expect(404);
  await send('..%2f').set('Origin', 'http://mirror.test').expect(404);
  await ask().post('/-/ledger').set('Origin', 'http://mirror.test').expect(405);
  await ask().post('/acme/web/').set('Origin', 'http://mirror.test').expect(405);
  assert.equal(mirror.asked.length, before);
});

test('more than a person clicks is refused', async () => {
  let refused = 0;
  for (let click = 0; click < 70; click += 1) {
    const { status } = await ask().post(`/-/ledger/${lacking}/retry`).set('Origin', 'http://mirror.test');
    if (status === 429) refused += 1;
  }
  assert.ok(refused >= 10, `${refused} of 70 were refused`);
});
