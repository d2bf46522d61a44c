/** The way to the host of a build's reports, asked of the gateway directly, so that a minute passes at once. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Express } from 'express';
import request from 'supertest';
import { type Keeper, openKeeper } from '../../src/identity/keeper.ts';
import { openSeal, type Seal, seal } from '../../src/identity/seals.ts';
import { createLog } from '../../src/log.ts';
import { ensureKeys } from '../../src/tree/keys.ts';
import { writeLabel } from '../../src/tree/labels.ts';
import { sampleBuild, sampleJob } from '../pages/samples.ts';
import { openMirror, type TestMirror } from './mirror.ts';

const now = (): number => Math.floor(Date.now() / 1000);
const report = (number: number): string => `/acme/web/builds/${number}/artifacts/r/`;
const numbers = [42, 43] as const;

let mirror: TestMirror;
let keeper: Keeper;
let app: Express;

before(async () => {
  mirror = openMirror();
  const policyFile = join(mirror.paths.root, 'policy.yml');
  mkdirSync(mirror.paths.root, { recursive: true });
  writeFileSync(policyFile, 'version: 1\nrules:\n  - { who: { user: ann }, read: acme/web }\n');
  ensureKeys(mirror.paths.contentKeys);
  keeper = await openKeeper({ paths: mirror.paths, policyFile, log: createLog('test', 'silent') });
  await keeper.admit({ id: 'ann', kind: 'user', issuer: 'i', seen: now(), user: 'ann', email: null, groups: [] });
  for (const number of numbers) {
    const record = { ...sampleBuild([sampleJob(1)]), number, id: `0190a1b2-0000-4000-8000-0000000000${number}` };
    const place = await mirror.add(record, [sampleJob(1)]);
    await writeLabel(mirror.paths, place, { pipelineId: record.id, branch: 'main', fork: false });
  }
  app = mirror.readers({
    keeper,
    isSecure: false,
    hasLogin: true,
    assertionHeader: null,
    contentUrl: 'http://*.content.test',
    people: null,
    sessionSeconds: 600,
    verifyJob: async () => {
      throw new Error('no job comes here');
    },
    onSignIn: () => undefined,
    onLink: () => undefined,
  });
});
after(() => mirror.close());

/** Where somebody who may read the report is sent. */
async function leave(number: number, more: Partial<Seal> = {}): Promise<URL> {
  const facts = { id: 'session-0001', subject: 'ann', issued: now(), expires: now() + 600, ...more };
  const cookie = `kitemirror=${seal(keeper.key(), 'session', facts)}`;
  const { headers } = await request(app)
    .get(`${report(number)}?open`)
    .set('Cookie', cookie)
    .expect(302);
  return new URL(String(headers['location']));
}

const enter = ({ pathname, search, host }: URL, at = host): request.Test =>
  request(app).get(`${pathname}${search}`).set('Host', at);

describe('a ticket to a report', () => {
  it('is good for less than a minute', async (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
    const [inTime, late] = [await leave(42), await leave(42)];
    t.mock.timers.setTime(Date.now() + 58_000);
    await enter(inTime).expect(302).expect('Location', report(42));
    t.mock.timers.setTime(Date.now() + 2_000);
    const { body, headers } = await enter(late).expect(403);
    assert.equal(body.error, 'ERR_SIGN_IN_FAILED');
    assert.equal(headers['set-cookie'], undefined);
  });

  it('opens no other build’s host, and is used up by being tried there', async () => {
    const [ours, theirs] = [await leave(42), await leave(43)];
    assert.notEqual(ours.host, theirs.host);
    const { headers } = await enter(ours, theirs.host).expect(403);
    assert.equal(headers['set-cookie'], undefined);
    await enter(ours).expect(403);
    await enter(theirs).expect(302).expect('Location', report(43));
  });

  it('leads to the same host whatever else stands in the file of keys, as the gate reads it', async () => {
    const before = (await leave(42)).host;
    const keys = readFileSync(mirror.paths.contentKeys, 'utf8');
    writeFileSync(mirror.paths.contentKeys, `\n# exchanged in November\n${keys}`);
    assert.equal((await leave(42)).host, before);
    writeFileSync(mirror.paths.contentKeys, keys);
  });

  it('becomes a cookie that bears the id and the time of the session, and ends with it', async () => {
    for (const [age, left] of [
      [0, 600],
      [20 * 86_400, 600],
      [3600, 12 * 3600],
    ] as const) {
      const [issued, expires] = [now() - age, now() + left];
      const way = await leave(42, { issued, expires });
      const { headers } = await enter(way).expect(302);
      const [, token = ''] = /^kitemirror-content=([^;]+);/.exec(String(headers['set-cookie'])) ?? [];
      const found = openSeal(keeper.table().keys, 'content', token, now(), way.hostname.split('.')[0]);
      assert.deepEqual([found?.id, found?.subject, found?.issued], ['session-0001', 'ann', issued]);
      assert.ok((found?.expires ?? Infinity) <= Math.min(expires, now() + 8 * 3600));
    }
  });

  it('opens nothing any more once its session, its reader or all from before were revoked', async () => {
    const at = now();
    for (const [issued, card] of [
      [at - 50, { what: 'id', value: 'session-0002', at }],
      [at - 30, { what: 'subject', value: 'ann', at: at - 30 }],
      [at - 20, { what: 'before', value: 'all', at: at - 10 }],
    ] as const) {
      const way = await leave(42, { id: card.what === 'id' ? card.value : 'session-0003', issued });
      await keeper.revoke(card);
      const { body, headers } = await enter(way).expect(403);
      assert.equal(body.error, 'ERR_SIGN_IN_FAILED', card.what);
      assert.equal(headers['set-cookie'], undefined, card.what);
    }
    // Who has signed in since has a way in.
    await enter(await leave(42)).expect(302);
  });

  it('that nobody was given opens nothing', async () => {
    const { host } = await leave(42);
    for (const search of ['', '?ticket=', '?ticket=x', '?ticket=x&ticket=y'])
      await enter(new URL(`http://${host}/-/enter${search}`)).expect(403);
  });
});
