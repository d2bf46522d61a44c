/** A search by who may not read all: what is kept from them shows in nothing, not in what there is more of, not in time. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Express } from 'express';
import request from 'supertest';
import { openKeeper } from '../../src/identity/keeper.ts';
import { seal } from '../../src/identity/seals.ts';
import { createLog } from '../../src/log.ts';
import type { SearchDocument } from '../../src/search/fulltext.ts';
import { sampleBuild, summaryOfBuild } from '../pages/samples.ts';
import { openMirror, type TestMirror } from './mirror.ts';

let mirror: TestMirror;
let app: Express;
let cookie: string;

/** Later ones are newer. */
function documents(folder: string, first: number, count: number, word: string): SearchDocument[] {
  const sample = summaryOfBuild(sampleBuild([]));
  return Array.from({ length: count }, (_, index) => {
    const number = first + index;
    const id = `0190a1b2-0000-4000-8000-${String(number).padStart(12, '0')}`;
    const finished = new Date(1_700_000_000_000 + number * 1000).toISOString();
    const summary = { ...sample, id, number, pipeline: folder, finished_at: finished };
    return { folder, summary, jobs: [], paths: [`${word}.js`], tests: [], lines: [] };
  });
}

before(async () => {
  mirror = openMirror();
  const policyFile = join(mirror.paths.root, 'policy.yml');
  writeFileSync(policyFile, 'version: 1\nrules:\n  - { who: { user: ann }, read: acme/web }\n');
  const keeper = await openKeeper({ paths: mirror.paths, policyFile, log: createLog('test', 'silent') });
  const now = Math.floor(Date.now() / 1000);
  await keeper.admit({ id: 'ann', user: 'ann', kind: 'user', issuer: 'i', seen: now, email: null, groups: [] });
  cookie = `kitemirror=${seal(keeper.key(), 'session', { id: 'session-0001', subject: 'ann', issued: now, expires: now + 600 })}`;
  app = mirror.readers({
    keeper,
    isSecure: false,
    hasLogin: true,
    contentUrl: null,
    assertionHeader: null,
    people: null,
    sessionSeconds: 600,
    verifyJob: () => assert.fail('no job comes here'),
    onSignIn: () => undefined,
    onLink: () => undefined,
  });
  await mirror.search.add([
    ...documents('web', 1, 30, 'shared'),
    ...documents('vault', 1001, 700, 'shared'),
    ...documents('vault', 2001, 700, 'hidden'),
    ...documents('web', 3001, 25, 'exact'),
    ...documents('vault', 900, 1, 'exact'),
  ]);
});
after(() => mirror.close());

interface Found {
  results: { pipeline: string; number: number }[];
  next: string | null;
}

async function find(query: string): Promise<Found> {
  const { body } = await request(app)
    .get(`/-/search?${query}`)
    .set('Accept', 'application/json')
    .set('Cookie', cookie)
    .expect(200);
  return body as Found;
}

test('one’s own are found behind any number of others’, page by page, to the last', async () => {
  const first = await find('q=shared');
  assert.equal(first.results.length, 25);
  assert.deepEqual(new Set(first.results.map(({ pipeline }) => pipeline)), new Set(['web']));
  const { search } = new URL(String(first.next));
  const second = await find(search.slice(1));
  assert.deepEqual([second.results.map(({ number }) => number), second.next], [[5, 4, 3, 2, 1], null]);
});

test('that others’ match shows in no sign that there is more', async () => {
  assert.deepEqual(await find('q=hidden'), { ...(await find('q=hidden')), results: [], next: null });
  const { results, next } = await find('q=exact');
  assert.deepEqual([results.length, next], [25, null]);
});

test('an answer takes whole twentieths of a second, whatever was looked at for it', async () => {
  for (const word of ['hidden', 'absent']) {
    const start = performance.now();
    await find(`q=${word}`);
    assert.ok(performance.now() - start >= 45, word);
  }
});
