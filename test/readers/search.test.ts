import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import request from 'supertest';
import { hrefsOf, textOf } from '../pages/reading.ts';
import { sampleBuild, summaryOfBuild, uuid } from '../pages/samples.ts';
import { openMirror, type TestMirror } from './mirror.ts';

let mirror: TestMirror;

before(async () => {
  mirror = openMirror();
  const summary = summaryOfBuild(sampleBuild([]));
  const lines = ['<script>alert(1)</script> memory'];
  await mirror.search.put({ folder: 'web', summary, jobs: [], paths: ['dist/app.js'], tests: [], lines });
});
after(() => mirror.close());

test('people get a page with links, and upstream’s text stays text in it', async () => {
  const { text } = await request(mirror.app).get('/-/search?q=memory').set('Accept', 'text/html').expect(200);
  assert.ok(hrefsOf(text).includes('/acme/web/builds/42/'));
  assert.match(text, /&lt;script&gt;alert\(1\)&lt;\/script&gt; <mark>memory<\/mark>/);
  assert.match(textOf((await request(mirror.app).get('/-/search?q=nowhere').expect(200)).text), /Nothing has nowhere/);
  assert.match(textOf((await request(mirror.app).get('/-/search').expect(200)).text), /the beginning of one is enough/);
});

test('scripts get JSON with whole addresses', async () => {
  for (const answer of [
    request(mirror.app).get('/-/search?q=path:app.js&format=json'),
    request(mirror.app).get('/-/search?q=path:app.js').set('Accept', 'application/json'),
  ]) {
    const { body } = await answer.expect(200).expect('Content-Type', /json/);
    assert.deepEqual([body.query, body.next, body.results.length], ['path:app.js', null, 1]);
    assert.equal(body.results[0].url, 'http://mirror.test/acme/web/builds/42/');
    assert.deepEqual(body.results[0].matches, [{ in: 'paths', text: 'dist/app.js' }]);
  }
});

test('a build of which not all is searched says so', async () => {
  const summary = summaryOfBuild(sampleBuild([], { number: 43, id: uuid(43) }));
  await mirror.search.put({ folder: 'web', summary, jobs: [], paths: ['huge.js'], tests: [], lines: [], isCut: true });
  for (const [query, isPartial] of [
    ['huge', true],
    ['memory', false],
  ] as const) {
    const { text } = await request(mirror.app).get(`/-/search?q=${query}`).set('Accept', 'text/html').expect(200);
    assert.equal(text.includes('not all of its files and lines are searched'), isPartial, query);
    const { body } = await request(mirror.app).get(`/-/search?q=${query}&format=json`).expect(200);
    assert.equal(body.results[0].partial, isPartial, query);
  }
});

test('what a search cannot be asked for is refused by name', async () => {
  for (const query of [`q=${'x'.repeat(201)}`, 'q=a&q=b', 'q=a&before=-1', 'q=%07']) {
    const { body } = await request(mirror.app).get(`/-/search?${query}`).expect(400);
    assert.equal(body.error, 'ERR_REQUEST_MALFORMED');
    assert.match(body.message, /"(q|before)" is not what/);
  }
});
