/** Attacks on the login and on the exchange of CI tokens, and the exchange itself. */
import assert from 'node:assert/strict';
import { createSecretKey } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { generateKeyPair, type JWTPayload, type SignJWT } from 'jose';
import type { Place } from '../../src/tree/paths.ts';
import { faultOf } from '../lighttpd/ask.ts';
import { until } from '../lighttpd/until.ts';
import { addressOf, job, type Mirror, startMirror } from './scene.ts';

const web: Place = { organization: 'acme', folder: 'web', number: 42 };
const vault: Place = { organization: 'acme', folder: 'vault', number: 7 };
const file = (at: Place): string => `${addressOf(at)}/jobs/${job}/artifacts/a.txt`;
const ids = {
  organization_id: '0190a1b2-0000-4000-8000-0000000000ac',
  pipeline_id: '0190a1b2-0000-4000-8000-00000000000a',
};

let mirror: Mirror;

before(async () => {
  mirror = await startMirror(
    [web, vault],
    `version: 1\nrules:\n  - { who: { ci: { organization: acme, pipeline: deploy } }, read: acme/web }\n  - { who: { ci: ${JSON.stringify(ids)} }, read: acme/vault }\n`,
  );
});
after(() => mirror.close());

async function exchange(token: string): ReturnType<Mirror['get']> {
  return mirror.get('/-/auth/token', { method: 'POST', headers: { Authorization: `Bearer ${token}` } });
}

describe('a CI job', () => {
  it('has a token for an hour at most, and reads what the policy gives its pipeline', async () => {
    const answer = await exchange(await mirror.agentToken());
    const { token, token_type: type, expires_at: end } = JSON.parse(answer.text) as Record<string, string>;
    assert.deepEqual([answer.status, type, answer.headers['cache-control']], [200, 'Bearer', 'no-store']);
    const left = Date.parse(end ?? '') - Date.now();
    assert.ok(left > 3_500_000 && left <= 3_600_000);
    const headers = { Authorization: `Bearer ${token}` };
    assert.equal((await mirror.get(file(web), { headers })).text, 'of web 42');
    assert.equal((await mirror.get(file(vault), { headers })).status, 404);
    const other = JSON.parse((await exchange(await mirror.agentToken({ pipeline_slug: 'other' }))).text) as {
      token: string;
    };
    assert.equal((await mirror.get(file(web), { headers: { Authorization: `Bearer ${other.token}` } })).status, 404);
    assert.ok(mirror.audit().some(({ action, who }) => action === 'exchange' && who === 'acme/deploy'));
  });

  it('reads what the policy gives to the ids that its token has, both of them', async () => {
    const another = '0190a1b2-0000-4000-8000-0000000000ff';
    const outcome = async (claims: JWTPayload): Promise<number> => {
      const answer = await exchange(await mirror.agentToken({ pipeline_slug: 'by-id', ...claims }));
      const { token } = JSON.parse(answer.text) as { token: string };
      return (await mirror.get(file(vault), { headers: { Authorization: `Bearer ${token}` } })).status;
    };
    assert.equal(await outcome(ids), 200);
    for (const name of ['organization_id', 'pipeline_id'])
      for (const id of [another, undefined]) assert.equal(await outcome({ ...ids, [name]: id }), 404, `${name} ${id}`);
  });

  it('whose token does not hold is refused, whatever is wrong, by one answer', async () => {
    const now = Math.floor(Date.now() / 1000);
    const { privateKey } = await generateKeyPair('RS256');
    const header = { alg: 'RS256', kid: 'ci-1' };
    const jwks = await (await fetch(`${mirror.ci.issuer}/jwks`)).text();
    const cases: Record<string, [JWTPayload, ((jwt: SignJWT) => Promise<string>)?]> = {
      'another audience': [{ aud: 'https://buildkite.com/acme' }],
      'ours among other audiences': [{ aud: [mirror.origin, 'https://other.example'] }],
      'a longer audience': [{ aud: `${mirror.origin}.evil.example` }],
      'another issuer': [{ iss: 'https://agent.buildkite.com' }],
      'another organization': [{ organization_slug: 'evil' }],
      'no organization': [{ organization_slug: '' }],
      expired: [{ exp: now - 60, iat: now - 360 }],
      'not yet': [{ nbf: now + 300 }],
      'far too long': [{ exp: now + 86_400 }],
      'another key': [{}, (jwt) => jwt.setProtectedHeader(header).sign(privateKey)],
      'an unknown kid': [{}, (jwt) => jwt.setProtectedHeader({ ...header, kid: 'ci-2' }).sign(privateKey)],
      'the public key as a secret': [
        {},
        (jwt) => jwt.setProtectedHeader({ alg: 'HS256', kid: 'ci-1' }).sign(createSecretKey(Buffer.from(jwks))),
      ],
    };
    const answers = new Set<string>();
    for (const [name, [claims, sign]] of Object.entries(cases)) {
      const answer = await exchange(await mirror.agentToken(claims, sign));
      assert.equal(answer.status, 403, `${name}: ${answer.text}`);
      const { id: _, ...said } = faultOf(answer);
      answers.add(JSON.stringify(said));
    }
    const good = await mirror.agentToken();
    const [head = '', body = '', mac = ''] = good.split('.');
    const none = Buffer.from('{"alg":"none"}').toString('base64url');
    for (const token of [
      `${none}.${body}.`,
      `${none}.${body}.${mac}`,
      `${head}.${body}.`,
      `${head}.${body}.${mac.slice(4)}`,
      'x',
      '',
    ]) {
      const answer = await exchange(token);
      assert.equal(answer.status, 403, token);
      const { id: _, ...said } = faultOf(answer);
      answers.add(JSON.stringify(said));
    }
    assert.equal(answers.size, 1);
    const reasons = mirror.audit().filter(({ action }) => action === 'refusal');
    assert.ok(reasons.length >= 18);
    assert.ok(!JSON.stringify(reasons).includes(mac));
  });
});

describe('the keys of who signs for CI jobs', () => {
  /** The issuer that was asked a moment ago is not asked again yet: till then a key that it did not tell is no key. */
  async function untilAnswered(status: number): ReturnType<typeof exchange> {
    let answer = await exchange(await mirror.agentToken());
    const isSo = async (): Promise<boolean> => {
      if (answer.status === status) return true;
      await pause(500);
      answer = await exchange(await mirror.agentToken());
      return answer.status === status;
    };
    await until(`an exchange is answered ${status}`, isSo, 30_000);
    return answer;
  }

  it('are asked for again when they were exchanged', async () => {
    await mirror.ci.rotate();
    await untilAnswered(200);
  });

  it('that cannot be had are to be tried again; those that are known go on', async (t) => {
    const known = await mirror.agentToken();
    mirror.ci.hang(true);
    t.after(() => mirror.ci.hang(false));
    await mirror.ci.rotate();
    const answer = await untilAnswered(503);
    assert.equal(faultOf(answer).error, 'ERR_IDENTITY_UNAVAILABLE');
    assert.match(String(mirror.audit().at(-1)?.['reason']), /^the keys of who signs these tokens cannot be had/);
    assert.equal((await exchange(known)).status, 200);
    mirror.ci.hang(false);
    await untilAnswered(200);
  });
});

describe('a login', () => {
  it('leads back to a path of ours alone', async () => {
    for (const to of ['//evil.example', 'https://evil.example', '/\\evil.example', 'evil', '/-/auth/logout', '']) {
      const { headers } = await mirror.get(`/-/auth/login?to=${encodeURIComponent(to)}`);
      const carried = /kitemirror-login=[a-z0-9]+\.([\w-]+)\./.exec(String(headers['set-cookie']))?.[1] ?? '';
      assert.equal((JSON.parse(Buffer.from(carried, 'base64url').toString()) as { to: string }).to, '/', to);
    }
  });

  it('asks by code and PKCE, with state and nonce', async () => {
    const { headers, status } = await mirror.get('/-/auth/login?to=/acme/');
    const asked = new URL(String(headers.location)).searchParams;
    assert.equal(status, 302);
    assert.deepEqual([asked.get('response_type'), asked.get('code_challenge_method')], ['code', 'S256']);
    assert.ok((asked.get('state') ?? '').length > 20 && (asked.get('nonce') ?? '').length > 20);
    assert.match(String(headers['set-cookie']), /HttpOnly; SameSite=Lax/);
  });

  it('that was begun elsewhere, changed on its way, or finished before is refused', async () => {
    const begun = await mirror.get('/-/auth/login?to=/');
    const cookie = String(begun.headers['set-cookie']).split(';')[0] ?? '';
    const state = new URL(String(begun.headers.location)).searchParams.get('state') ?? '';
    const back = (headers: Record<string, string>, query: string): ReturnType<Mirror['get']> =>
      mirror.get(`/-/auth/callback?${query}`, { headers });
    const changed = cookie.replace(/.$/, (last) => (last === '0' ? '1' : '0'));
    for (const [headers, query] of [
      [{}, `code=x&state=${state}`],
      [{ Cookie: changed }, `code=x&state=${state}`],
      [{ Cookie: `${cookie}; ${cookie}` }, `code=x&state=${state}`],
      [{ Cookie: cookie }, `code=x&state=other`],
      [{ Cookie: cookie }, `code=x&state=${state}&iss=${encodeURIComponent(mirror.provider.issuer)}`],
      [{ Cookie: cookie }, `code=x&state=${state}&iss=${encodeURIComponent(mirror.provider.issuer)}`],
    ] as [Record<string, string>, string][]) {
      const answer = await back(headers, query);
      assert.equal(answer.status, 403, query);
      assert.doesNotMatch(String(answer.headers['set-cookie']), /kitemirror=v1/);
    }
    assert.ok(mirror.audit().some(({ reason }) => /finished before/.test(String(reason))));
  });
});
