/** A Lighttpd that has answered nobody yet, with identity on: nothing of one request is ever another's. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterEach, beforeEach, it } from 'node:test';
import { formatGrants, type GrantTable } from '../../src/identity/grants.ts';
import { type SealKey, seal } from '../../src/identity/seals.ts';
import { grantsFile } from '../../src/identity/state.ts';
import { ask } from '../lighttpd/ask.ts';
import { type Site, startSite } from '../lighttpd/site.ts';
import { until } from '../lighttpd/until.ts';

const key: SealKey = { id: 'k1', secret: randomBytes(32) };
const now = Math.floor(Date.now() / 1000);
const facts = { id: 'session-0001', subject: 'ann', issued: now - 5, expires: now + 3600 };
const ann = { Cookie: `kitemirror=${seal(key, 'session', facts)}` };
const nobody = { Authorization: 'Bearer none' };

let site: Site;

beforeEach(async () => {
  site = await startSite({
    KITEMIRROR_POLICY: '/nowhere/policy.yml',
    KITEMIRROR_OIDC_ISSUER: 'https://login.example',
    KITEMIRROR_OIDC_CLIENT_ID: 'x',
  });
});
afterEach(() => site.close());

function publish(): void {
  const table: GrantTable = {
    time: now,
    before: 0,
    keys: [key],
    everyone: [],
    publics: [],
    subjects: new Map([['ann', { kind: 'user', name: 'ann', issuer: 'i', since: 0, grants: [] }]]),
    tokens: new Map(),
    revoked: new Set(),
  };
  mkdirSync(dirname(grantsFile(site.paths)), { recursive: true });
  writeFileSync(grantsFile(site.paths), formatGrants(table));
}

const status = async (path: string, headers = {}): Promise<number> => (await ask(site.port, path, { headers })).status;

it('what pages share is open to all, also before there are grants and by a token that does not hold', async () => {
  // The first request of each of Lighttpd's processes: an address below which all is open, and nothing lies.
  for (let count = 0; count < 16; count += 1) assert.equal(await status('/-/assets/'), 404);
  assert.doesNotMatch(site.said(), /the gate failed/);
  for (const headers of [{}, nobody]) {
    assert.equal(await status('/-/assets/site.css', headers), 200);
    assert.equal(await status('/-/assets/none.css', headers), 404);
  }
  assert.equal(await status('/-/assetsx'), 503);
});

it('who asked before is not who asks now', async () => {
  publish();
  await until('ann is known', async () => (await status('/-/none', ann)) === 404);
  for (let count = 0; count < 16; count += 1) {
    assert.equal(await status('/-/none', ann), 404);
    for (const path of ['/-/assets/', '/-/assets/none', '/-/assets/x/y']) assert.equal(await status(path), 404, path);
    assert.equal(await status('/-/none'), 401);
  }
  const lines = await site.logged('/-/assets/', 48);
  assert.deepEqual(
    lines.filter(({ subject, reason }) => subject !== '-' || reason === 'policy'),
    [],
  );
});
