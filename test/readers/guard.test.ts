/** The gateway's own door, asked directly: it believes what a request holds, and nothing that a front says of it. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Express } from 'express';
import request from 'supertest';
import { type Keeper, openKeeper } from '../../src/identity/keeper.ts';
import type { People, PersonCard } from '../../src/identity/people.ts';
import { openSeal, type Seal, seal } from '../../src/identity/seals.ts';
import { createLog } from '../../src/log.ts';
import { auditParts } from '../../src/tree/audit.ts';
import { jsonLines } from '../../src/tree/json-lines.ts';
import { writeLabel } from '../../src/tree/labels.ts';
import { sampleBuild, sampleJob } from '../pages/samples.ts';
import { openMirror, type TestMirror } from './mirror.ts';

const now = (): number => Math.floor(Date.now() / 1000);
const build = '/acme/web/builds/42/jobs/';

let mirror: TestMirror;
let policyFile: string;
let keeper: Keeper;
/** That the gateway was told of: by whom, and until when. */
const links: [subject: string, until: number][] = [];

async function keep(nowSeconds = now): Promise<Keeper> {
  const kept = await openKeeper({ paths: mirror.paths, policyFile, log: createLog('test', 'silent'), nowSeconds });
  await kept.admit({
    id: 'ann',
    kind: 'user',
    issuer: 'i',
    seen: now(),
    user: 'ann',
    email: 'ann@example.com',
    groups: [],
  });
  await kept.admit({
    id: 'bob',
    kind: 'user',
    issuer: 'i',
    seen: now(),
    user: 'bob',
    email: 'bob@example.com',
    groups: [],
  });
  return kept;
}

function readers(over: { isSecure?: boolean; hasLogin?: boolean; by?: Keeper; people?: People } = {}): Express {
  const { isSecure = false, hasLogin = true, by = keeper, people = null } = over;
  return mirror.readers({
    keeper: by,
    isSecure,
    hasLogin,
    contentUrl: null,
    assertionHeader: null,
    people,
    sessionSeconds: 600,
    verifyJob: async () => {
      throw new Error('no job comes here');
    },
    onSignIn: () => undefined,
    onLink: (...link) => void links.push(link),
  });
}

function cookie(subject: string, name = 'kitemirror', more: Partial<Seal> = {}): string {
  const facts = { id: 'session-0001', subject, issued: now() - 5, expires: now() + 600, ...more };
  return `${name}=${seal(keeper.key(), 'session', facts)}`;
}

before(async () => {
  mirror = openMirror();
  policyFile = join(mirror.paths.root, 'policy.yml');
  mkdirSync(dirname(policyFile), { recursive: true });
  writeFileSync(policyFile, 'version: 1\nrules:\n  - { who: { user: ann@example.com }, read: acme/web@main }\n');
  keeper = await keep();
  const place = await mirror.add(sampleBuild([sampleJob(1)]), [sampleJob(1)]);
  await writeLabel(mirror.paths, place, {
    pipelineId: '0190a1b2-0000-4000-8000-00000000000a',
    branch: 'main',
    fork: false,
  });
});
after(() => mirror.close());

describe('the gateway', () => {
  it('answers who may read, has nothing for who may not, and asks who they are of anybody else', async () => {
    await request(readers()).get(build).set('Cookie', cookie('ann')).expect(200);
    const { body } = await request(readers()).get(build).set('Cookie', cookie('bob')).expect(404);
    assert.equal(body.message, 'there is nothing at this address');
    await request(readers()).get(build).expect(401).expect('WWW-Authenticate', 'Bearer realm="kitemirror"');
    await request(readers())
      .get(`${build}?list`)
      .set('Accept', 'text/html')
      .expect(302)
      .expect('Location', `/-/auth/login?to=${encodeURIComponent(`${build}?list`)}`);
    await request(readers({ hasLogin: false }))
      .get(build)
      .set('Accept', 'text/html')
      .expect(401);
  });

  it('takes nobody’s word for who asks', async () => {
    const told = {
      'X-Kitemirror-Subject': 'ann',
      'X-Kitemirror-Kind': 'user',
      'X-Forwarded-User': 'ann@example.com',
      Remote_User: 'ann',
    };
    await request(readers()).get(build).set(told).expect(401);
    await request(readers()).get(build).set(told).set('Cookie', cookie('bob')).expect(404);
    await request(readers()).get(build).set('Cookie', cookie('ann')).set('Authorization', 'Bearer x').expect(401);
    await request(readers())
      .get(build)
      .set('Cookie', `${cookie('ann')}; ${cookie('ann')}`)
      .expect(401);
    await request(readers())
      .get(build)
      .set('Cookie', cookie('ann', 'kitemirror', { expires: now() - 1 }))
      .expect(401);
  });

  it('has nobody keep the page that says who is signed in, and sends it whole', async () => {
    for (const headers of [{ Cookie: cookie('ann') }, {}]) {
      const { text } = await request(readers())
        .get('/-/auth/')
        .set(headers)
        .expect(200)
        .expect('Cache-Control', 'no-store');
      assert.match(text, /<\/html>\s*$/);
    }
  });

  it('behind https believes the cookie alone that only this host can set', async () => {
    const app = readers({ isSecure: true });
    await request(app).get(build).set('Cookie', cookie('ann', '__Host-kitemirror')).expect(200);
    await request(app).get(build).set('Cookie', cookie('ann')).expect(401);
    const { headers } = await request(app).post('/-/auth/logout').expect(200);
    assert.match(
      String(headers['set-cookie']),
      /^__Host-kitemirror=; Path=\/; Max-Age=0; HttpOnly; SameSite=Lax; Secure$/,
    );
  });

  it('lets nobody in who could have been revoked, once the grants are 15 minutes old', async () => {
    const stale = readers({ by: await keep(() => now() - 901) });
    const { body } = await request(stale).get(build).set('Cookie', cookie('ann')).expect(503);
    assert.equal(body.error, 'ERR_IDENTITY_UNAVAILABLE');
    await request(stale).get(build).expect(401);
  });

  it('refuses what another site’s page posts', async () => {
    const post = request(readers()).post('/-/auth/logout');
    const { body } = await post.set('Origin', 'https://evil.example').set('Cookie', cookie('ann')).expect(403);
    assert.equal(body.error, 'ERR_ORIGIN_REFUSED');
    // The mirror's own host, but not its own way there: whoever is on the way could have sent that page.
    const own = 'https://mirror.example';
    const other = request(readers()).post('/-/auth/logout').set('Host', new URL(own).host);
    await other.set('Origin', own).set('Cookie', cookie('ann')).expect(403);
    await request(readers()).post('/-/auth/logout').set('Cookie', cookie('ann')).expect(403);
    await request(readers())
      .post('/-/auth/logout')
      .set('Origin', 'http://mirror.test')
      .set('Cookie', cookie('bob'))
      .expect(200);
  });
});

describe('on record', () => {
  const lines = async (action: string): Promise<Record<string, unknown>[]> => {
    const found: Record<string, unknown>[] = [];
    for (const { name } of auditParts(mirror.paths))
      for await (const line of jsonLines(join(mirror.paths.audit, name)))
        if (line['action'] === action) found.push(line);
    return found;
  };
  const digest = (text: string): string => createHash('sha256').update(text).digest('hex');

  it('is each policy that takes force, once, by its digest', async () => {
    const before = readFileSync(policyFile, 'utf8');
    const kept = await keep();
    const next = `${before}  - { who: { user: bob@example.com }, read: acme/* }\n`;
    try {
      for (const text of [next, 'version: 1\nrules: no list\n']) {
        writeFileSync(policyFile, text);
        await kept.refresh();
        await kept.refresh();
      }
    } finally {
      writeFileSync(policyFile, before);
    }
    const digests = (await lines('policy')).map(({ sha256 }) => sha256);
    assert.equal(digests[0], digest(before));
    assert.deepEqual(
      digests.filter((each) => each !== digest(before)),
      [digest(next)],
    );
  });

  it('is each link, by the one path that was judged and sealed; one that means another path is none', async () => {
    const file = '/acme/web/builds/42/artifacts/';
    const make = (path: string) =>
      request(readers())
        .post('/-/auth/links')
        .set({ Cookie: cookie('ann', 'kitemirror', { id: 'session-0003' }), Origin: 'http://mirror.test' })
        .send({ path });
    for (const path of [
      'a/../../../43/artifacts/b',
      'a/%2e%2E/b',
      './a',
      'a//b',
      'a\\b',
      'a\t',
      'a/',
      '%',
      'a?b',
      'a#b',
    ]) {
      const { body } = await make(`${file}${path}`).expect(400);
      assert.equal(body.error, 'ERR_REQUEST_MALFORMED', path);
    }
    await make('//other.example/acme/web/builds/42/artifacts/a').expect(400);
    for (const path of [`${file}a.zip`, `${file}ä b?.zip`]) {
      const { body } = await make(encodeURI(path).replaceAll('?', '%3F')).expect(200);
      const link = new URL(String(body.url));
      assert.equal(decodeURIComponent(link.pathname), path);
      const opened = openSeal(keeper.table().keys, 'link', link.searchParams.get('link') ?? '', now(), path);
      assert.deepEqual([opened?.id, opened?.subject], [body.id, 'ann']);
      assert.deepEqual(links.at(-1), ['ann', opened?.expires], 'the provider is asked about its maker as long');
    }
    assert.deepEqual(
      (await lines('link')).map(({ what }) => what),
      [`${file}a.zip`, `${file}ä b?.zip`],
    );
  });

  it('is a link for 7 days, or for as many as are asked for, up to 30', async () => {
    const path = '/acme/web/builds/42/artifacts/a.zip';
    const make = (days?: unknown) =>
      request(readers())
        .post('/-/auth/links')
        .set({ Cookie: cookie('ann', 'kitemirror', { id: 'session-0004' }), Origin: 'http://mirror.test' })
        .send({ path, ...(days === undefined ? {} : { days }) });
    for (const [days, wanted] of [
      [undefined, 7],
      [30, 30],
      [0.5, 0.5],
    ] as const) {
      const { body } = await make(days).expect(200);
      const token = new URL(String(body.url)).searchParams.get('link') ?? '';
      const opened = openSeal(keeper.table().keys, 'link', token, now(), path);
      assert.equal((opened?.expires ?? 0) - (opened?.issued ?? 0), wanted * 86_400);
      assert.equal(Date.parse(String(body.expires_at)), (opened?.expires ?? 0) * 1000);
    }
    const made = links.length;
    for (const days of [30.001, 31, 0, -1, '7', null, [7], true]) {
      const { body } = await make(days).expect(400);
      assert.deepEqual(
        [body.error, body.message],
        ['ERR_REQUEST_MALFORMED', '"days" must be at most 30'],
        String(days),
      );
    }
    assert.equal(links.length, made);
  });

  it('is each login before it gives a session: none is given where it cannot be written', async () => {
    const person: PersonCard = {
      id: 'cid',
      kind: 'user',
      issuer: 'i',
      seen: now(),
      user: 'cid',
      email: null,
      groups: [],
    };
    const people: People = {
      begin: async () => null,
      finish: () => Promise.reject(new Error('nobody comes back')),
      asserted: async () => ({ person, claims: {}, again: null }),
      resume: () => assert.fail(),
    };
    const login = () => request(readers({ people })).get('/-/auth/login');
    const { audit } = mirror.paths;
    renameSync(audit, `${audit}.away`);
    writeFileSync(audit, 'no folder');
    try {
      const { headers } = await login().expect(500);
      assert.equal(headers['set-cookie'], undefined);
    } finally {
      rmSync(audit);
      renameSync(`${audit}.away`, audit);
    }
    const { headers } = await login().expect(302);
    assert.match(String(headers['set-cookie']), /^kitemirror=v1\.s\./);
    assert.deepEqual(
      (await lines('login')).map(({ who }) => who),
      ['cid'],
    );
  });

  it('is who had a build tried again', async () => {
    const before = readFileSync(policyFile, 'utf8');
    writeFileSync(policyFile, `${before}  - { who: { user: bob@example.com }, read: acme/* }\n`);
    const kept = await keep().finally(() => writeFileSync(policyFile, before));
    const { id } = sampleBuild([sampleJob(1)]);
    const retry = (from: string) =>
      request(readers({ by: kept }))
        .post(`/-/ledger/${id}/retry`)
        .set({ Cookie: from, Origin: 'http://mirror.test' });
    const session = { id: 'session-0002' };
    await retry(cookie('ann', 'kitemirror', session)).expect(404);
    await retry(cookie('bob', 'kitemirror', session)).expect(202);
    const [line, ...more] = await lines('retry');
    assert.deepEqual(more, []);
    assert.deepEqual(
      [line?.['who'], line?.['issuer'], line?.['id'], line?.['build'], line?.['pipeline']],
      ['bob@example.com', 'i', session.id, id, 'web'],
    );
  });
});
