/** Rules that ask where a reader comes from, behind a trusted proxy: files by Lighttpd, pages by the gateway. */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import type { Place } from '../../src/tree/paths.ts';
import { addressOf, job, type Mirror, startMirror } from './scene.ts';

const web: Place = { organization: 'acme', folder: 'web', number: 1 };
let mirror: Mirror;

before(async () => {
  const policy = `version: 1
rules:
  - who: { anonymous: true, address: [198.51.100.0/24, '2001:db8:5::/48'] }
    read: acme/web
`;
  mirror = await startMirror([web], policy, { env: { KITEMIRROR_TRUSTED_PROXIES: '127.0.0.1,10.0.0.0/8' } });
});
after(() => mirror.close());

/** Of a file, which Lighttpd sends, and of a listing of the gateway's, which has no record to list: past its guard, 404. */
async function statuses(forwarded: string | null, from = '127.0.0.1'): Promise<number[]> {
  const headers = forwarded === null ? {} : { 'X-Forwarded-For': forwarded };
  const artifacts = `${addressOf(web)}/jobs/${job}/artifacts/`;
  const paths = [`${artifacts}a.txt`, `${artifacts}r/?list`];
  const answers = await Promise.all(paths.map((path) => mirror.get(path, { headers, from })));
  return answers.map(({ status }) => status);
}

it('a rule about addresses counts the reader’s, over several hops and for both halves of the mirror', async () => {
  assert.deepEqual(await statuses('198.51.100.9'), [200, 404]);
  assert.deepEqual(await statuses('2001:db8:5::1, 10.1.1.1, 10.2.2.2'), [200, 404]);
  assert.deepEqual(await statuses('203.0.113.1'), [401, 401]);
  assert.deepEqual(await statuses(null), [401, 401]);
});

it('nobody gets in by saying to be within it', async () => {
  assert.deepEqual(await statuses('198.51.100.9, 203.0.113.1'), [401, 401]);
  assert.deepEqual(await statuses('198.51.100.9, 203.0.113.1, 10.1.1.1'), [401, 401]);
  assert.deepEqual(await statuses('198.51.100.9', '127.0.0.2'), [401, 401]);
  const headers = { 'X-Kitemirror-Address': '198.51.100.9', X_Kitemirror_Address: '198.51.100.9' };
  const asked = await mirror.get(`${addressOf(web)}/jobs/${job}/artifacts/r/?list`, { headers });
  assert.equal(asked.status, 401);
});
