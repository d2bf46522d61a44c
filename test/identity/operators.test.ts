/** What operators give and end by command, and people who come by a proxy: each seen by the real gate. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { generateKeyPair, type JWTPayload, type SignJWT } from 'jose';
import { subjectId } from '../../src/identity/state.ts';
import type { Place } from '../../src/tree/paths.ts';
import { root } from '../lighttpd/site.ts';
import { until } from '../lighttpd/until.ts';
import { addressOf, job, type Mirror, startMirror } from './scene.ts';

const web: Place = { organization: 'acme', folder: 'web', number: 42 };
const vault: Place = { organization: 'acme', folder: 'vault', number: 7 };
const file = (at: Place): string => `${addressOf(at)}/jobs/${job}/artifacts/a.txt`;
/** What the mirror promises: a change counts within a minute. */
const promisedMs = 60_000;

let mirror: Mirror;

before(async () => {
  mirror = await startMirror(
    [web, vault],
    'version: 1\nrules:\n  - { who: { domain: example.com }, read: acme/web }\n  - { who: { ci: { pipeline: deploy } }, read: acme/web }\n  - { who: { group: wardens }, read: acme/vault }\n',
    { hasProxy: true },
  );
});
after(() => mirror.close());

async function kitemirror(...args: string[]): Promise<{ code: number; out: string; said: string }> {
  const command = ['--disable-warning=ExperimentalWarning', join(root, 'src', 'cli.ts'), ...args];
  const child = spawn(process.execPath, command, { env: mirror.env, stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, said, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: code as number, out, said };
}

const assertion = (claims: JWTPayload = {}, sign?: (jwt: SignJWT) => Promise<string>): Promise<string> =>
  mirror.agentToken(
    {
      iss: mirror.provider.issuer,
      aud: 'the-proxy',
      sub: 'ann',
      email: 'ann@example.com',
      email_verified: true,
      ...claims,
    },
    sign,
  );
const login = (token: string, headers = {}): ReturnType<Mirror['get']> =>
  mirror.get(`/-/auth/login?to=${file(web)}`, { headers: { 'X-Proxy-Assertion': token, ...headers } });

/** @returns what a browser sends from then on */
async function signIn(claims: JWTPayload = {}): Promise<{ Cookie: string }> {
  const answer = await login(await assertion(claims));
  assert.deepEqual([answer.status, answer.headers.location], [302, file(web)], `${answer.text}${mirror.said()}`);
  return { Cookie: String(answer.headers['set-cookie']).split(';')[0] ?? '' };
}

async function bearer(): Promise<{ Authorization: string }> {
  const headers = { Authorization: `Bearer ${await mirror.agentToken()}` };
  const { text: body } = await mirror.get('/-/auth/token', { method: 'POST', headers });
  return { Authorization: `Bearer ${(JSON.parse(body) as { token: string }).token}` };
}

const status = async (headers: Record<string, string>, path = file(web)): Promise<number> =>
  (await mirror.get(path, { headers })).status;
const becomes = (what: string, wanted: number, headers: Record<string, string>, path?: string): Promise<void> =>
  until(what, async () => (await status(headers, path)) === wanted, promisedMs);

/** One that reads the vault, once it does. */
async function makeToken(name: string): Promise<{ id: string; headers: { Authorization: string } }> {
  const made = await kitemirror('token', 'create', '--name', name, '--read', 'acme/vault', '--json');
  const { token } = JSON.parse(made.out) as { token: string };
  const headers = { Authorization: `Bearer ${token}` };
  await becomes(`${name} reads`, 200, headers, file(vault));
  return { id: token.split('_')[1] ?? '', headers };
}

it('a start says that groups may stay as they were, where no refresh token is asked for and the policy goes by groups', () => {
  assert.equal(mirror.said().split('KITEMIRROR_OIDC_SCOPES has no offline_access').length, 2);
});

describe('whoever comes by a proxy that vouches for them', () => {
  it('has the groups that the proxy told last, without a new login, whatever older word comes after it', async () => {
    const now = Math.floor(Date.now() / 1000);
    const told = (groups: string[], seconds: number): Promise<string> =>
      assertion({ sub: 'eve', email: 'eve@elsewhere.org', groups, iat: now + seconds });
    const cookie = await signIn({ sub: 'eve', email: 'eve@elsewhere.org', iat: now - 30 });
    const page = async (token: string): Promise<void> => {
      await mirror.get('/acme/', { headers: { ...cookie, 'X-Proxy-Assertion': token } });
    };
    assert.equal(await status(cookie, file(vault)), 404);
    const warden = await told(['wardens'], -20);
    await page(warden);
    await becomes('a warden reads the vault', 200, cookie, file(vault));
    await page(await told([], -10));
    await becomes('nobody else does', 404, cookie, file(vault));
    await page(await told(['wardens'], -15));
    await page(warden);
    await page(`${(await told(['wardens'], 0)).slice(0, -8)}AAAAAAAA`);
    // Each process of Lighttpd looks once a second: none may have another word by then.
    await pause(1500);
    for (let count = 0; count < 20; count += 1) assert.equal(await status(cookie, file(vault)), 404);
    await page(await told(['wardens'], -5));
    await becomes('a warden again', 200, cookie, file(vault));
  });

  it('signs in by an older word too, and has the groups that were told last', async () => {
    const now = Math.floor(Date.now() / 1000);
    const kit = { sub: 'kit', email: 'kit@elsewhere.org' };
    const cookie = await signIn({ ...kit, iat: now - 10 });
    const older = await signIn({ ...kit, groups: ['wardens'], iat: now - 20 });
    assert.deepEqual([await status(cookie, file(vault)), await status(older, file(vault))], [404, 404]);
    const page = { ...cookie, 'X-Proxy-Assertion': await assertion({ ...kit, iat: now }) };
    assert.equal((await mirror.get('/acme/', { headers: page })).status, 200);
    await signIn({ ...kit, groups: ['wardens'], iat: now - 5 });
    // Each process of Lighttpd looks once a second.
    await pause(1500);
    assert.equal(await status(older, file(vault)), 404);
  });

  it('comes in whatever the digest of their name begins with', async () => {
    const idOf = (sub: string): string => subjectId(mirror.provider.issuer, sub);
    const names = Array.from({ length: 2000 }, (_, number) => `user-${number}`);
    for (const sign of ['-', '_']) {
      const sub = names.find((name) => idOf(name).startsWith(sign));
      assert.ok(sub);
      const cookie = await signIn({ sub });
      assert.equal(await status(cookie), 200, sub);
      assert.equal((await kitemirror('revoke', '--subject', sub)).code, 0);
      await becomes('what was given is void', 401, cookie);
    }
  });

  it('has a session by its signed word, and asks without it from then on', async () => {
    const cookie = await signIn();
    assert.equal(await status(cookie), 200);
    assert.equal(await status(cookie, file(vault)), 404);
    const me = JSON.parse((await mirror.get('/-/auth/me', { headers: cookie })).text) as { name: string };
    assert.equal(me.name, 'ann@example.com');
  });

  it('has the address that the proxy tells, unless it says itself that it is not verified', async () => {
    const name = async (claims: JWTPayload): Promise<[string, number]> => {
      const cookie = await signIn({ sub: 'kim', email: 'kim@example.com', ...claims });
      const { text: told } = await mirror.get('/-/auth/me', { headers: cookie });
      return [(JSON.parse(told) as { name: string }).name, await status(cookie)];
    };
    assert.deepEqual(await name({ email_verified: undefined }), ['kim@example.com', 200]);
    assert.deepEqual(await name({ email_verified: false, sub: 'kim-2' }), ['kim-2', 404]);
    assert.deepEqual(await name({ email_verified: 'no', sub: 'kim-3' }), ['kim-3', 404]);
  });

  it('is let in by a clock that is a little ahead of ours', async () => {
    const now = Math.floor(Date.now() / 1000);
    await signIn({ nbf: now + 10, iat: now + 10 });
  });

  it('is nobody by a word for another audience, of another issuer, that is over, unsigned or signed by others', async () => {
    const now = Math.floor(Date.now() / 1000);
    const { privateKey } = await generateKeyPair('RS256');
    const wrong = {
      audience: await assertion({ aud: mirror.origin }),
      issuer: await assertion({ iss: mirror.ci.issuer }),
      over: await assertion({ exp: now - 120 }),
      unnamed: await assertion({ sub: '' }),
      forged: await assertion({}, (jwt) => jwt.setProtectedHeader({ alg: 'RS256', kid: 'ci-1' }).sign(privateKey)),
      unsigned: `${(await assertion()).split('.').slice(0, 2).join('.')}.`,
      empty: 'x',
    };
    for (const [what, token] of Object.entries(wrong)) {
      const answer = await login(token);
      assert.equal(answer.status, 403, what);
      assert.equal(answer.headers['set-cookie'], undefined, what);
    }
    // The word counts at the login alone: no file is read by it.
    assert.equal(await status({ 'X-Proxy-Assertion': await assertion() }), 401);
  });

  it('goes on with no session that somebody has planted', async () => {
    const planted = await signIn({ sub: 'eve', email: 'eve@example.com' });
    const answer = await login(await assertion(), planted);
    const own = String(answer.headers['set-cookie']).split(';')[0] ?? '';
    assert.notEqual(own, planted.Cookie);
    const me = async (headers: { Cookie: string }): Promise<string> =>
      (JSON.parse((await mirror.get('/-/auth/me', { headers })).text) as { name: string }).name;
    assert.deepEqual([await me({ Cookie: own }), await me(planted)], ['ann@example.com', 'eve@example.com']);
    // No Domain: the cookie goes to this host alone.
    assert.doesNotMatch(String(answer.headers['set-cookie']), /domain=/i);
    assert.match(String(answer.headers['set-cookie']), /; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Lax/);
  });
});

describe('a named token', () => {
  it('reads what it was made for, is listed without itself, and ends by command', async () => {
    const made = await kitemirror(
      'token',
      'create',
      '--name',
      'nightly',
      '--read',
      'acme/vault',
      '--ttl',
      '1d',
      '--json',
    );
    assert.equal(made.code, 0, made.said);
    const { token } = JSON.parse(made.out) as { token: string };
    const headers = { Authorization: `Bearer ${token}` };
    await becomes('the token reads', 200, headers, file(vault));
    assert.equal(await status(headers), 404);
    const listed = await kitemirror('token', 'list');
    assert.match(listed.out, /^nightly {2}acme\/vault {2}until \d{4}-/m);
    assert.ok(!listed.out.includes(token.slice(-20)));
    const again = await kitemirror('token', 'create', '--name', 'nightly', '--read', 'acme/web');
    assert.deepEqual([again.code, again.out], [78, '']);
    assert.match(again.said, /revoke it first/);
    const ended = await kitemirror('token', 'revoke', 'nightly', '--json');
    assert.deepEqual([ended.code, ended.out, ended.said], [0, '{"name":"nightly","revoked":1}\n', '']);
    await becomes('the token is void', 401, headers, file(vault));
    const gone = await kitemirror('token', 'revoke', 'nightly', '--json');
    assert.deepEqual([gone.code, gone.out], [1, '{"name":"nightly","revoked":0}\n']);
    const by = mirror
      .audit()
      .flatMap(({ action, who, reason }) => (who === 'nightly' ? [`${String(action)} ${String(reason)}`] : []));
    assert.deepEqual(by, ['token created by command', 'revoke revoked by command']);
  });

  it('ends by its id', async () => {
    const [first, second] = [await makeToken('weekly'), await makeToken('monthly')];
    assert.equal((await kitemirror('revoke', '--id', first.id)).code, 0);
    await becomes('weekly is void', 401, first.headers, file(vault));
    assert.equal(await status(second.headers, file(vault)), 200);
  });
});

describe('kitemirror revoke', () => {
  it('ends one session, and no other of the same person', async () => {
    const [first, second] = [await signIn(), await signIn()];
    const id = /v1\.s\.[a-z0-9]+\.([\w-]+)\./.exec(first.Cookie)?.[1] ?? '';
    assert.equal((await kitemirror('revoke', '--id', id)).code, 0);
    await becomes('the session is void', 401, first);
    assert.equal(await status(second), 200);
  });

  it('ends one link, and no other of the same person', async () => {
    const ann = await signIn();
    const make = async (): Promise<{ id: string; path: string }> => {
      const headers = { ...ann, Origin: mirror.origin, 'Content-Type': 'application/json' };
      const answer = await mirror.get('/-/auth/links', {
        method: 'POST',
        headers,
        body: JSON.stringify({ path: file(web) }),
      });
      const { id, url } = JSON.parse(answer.text) as { id: string; url: string };
      return { id, path: url.slice(mirror.origin.length) };
    };
    const [first, second] = [await make(), await make()];
    assert.deepEqual([await status({}, first.path), await status({}, second.path)], [200, 200]);
    assert.equal((await kitemirror('revoke', '--id', first.id)).code, 0);
    await becomes('the link is void', 401, {}, first.path);
    assert.deepEqual([await status({}, second.path), await status(ann)], [200, 200]);
  });

  it('ends all that somebody was given, and lets them sign in again', async () => {
    const [ann, other, robot] = [
      await signIn(),
      await signIn({ sub: 'bob', email: 'bob@example.com' }),
      await bearer(),
    ];
    assert.equal((await kitemirror('revoke', '--subject', 'ann@example.com')).code, 0);
    await becomes('ann is out', 401, ann);
    assert.deepEqual([await status(other), await status(robot)], [200, 200]);
    assert.equal((await kitemirror('revoke', '--subject', 'acme/deploy')).code, 0);
    await becomes('the job is out', 401, robot);
    await until('ann can come back', async () => (await status(await signIn())) === 200, promisedMs);
    assert.equal((await kitemirror('revoke', '--subject', 'nobody@example.com')).code, 1);
  });

  it('ends what was given before a time, named tokens too', async () => {
    const [cookie, token] = [await signIn(), await makeToken('yearly')];
    const before = await kitemirror('revoke', '--before', 'now');
    assert.equal(before.code, 0, before.said);
    await becomes('everybody is out', 401, cookie);
    await becomes('and so is the token', 401, token.headers, file(vault));
    const past = new Date(Date.now() - 3_600_000).toISOString();
    const weaker = await kitemirror('revoke', '--before', past);
    assert.equal(weaker.code, 0, weaker.said);
    assert.match(weaker.said, /^all from before \d{4}-\S+Z is revoked already: nothing has changed$/m);
    const told = JSON.parse((await kitemirror('revoke', '--before', past, '--json')).out) as Record<string, unknown>;
    assert.equal(told.revoked, 0);
    assert.ok(Date.parse(String(told.before)) > Date.parse(past));
    // Each process of Lighttpd looks once a second: none may have taken the earlier time by then.
    await pause(1500);
    assert.equal(await status(cookie), 401);
    await until('one comes in again', async () => (await status(await signIn())) === 200, promisedMs);
  });

  it('changes the keys: the first time what they sealed still holds, the second time no more', async () => {
    // What was sealed within the second of `--before now` is void too, as soon as each process of Lighttpd knows of it.
    await pause(1100);
    const cookie = await signIn();
    const keyOf = ({ Cookie }: { Cookie: string }): string => /v1\.s\.([a-z0-9]+)\./.exec(Cookie)?.[1] ?? '';
    assert.equal((await kitemirror('revoke', '--keys')).code, 0);
    await until('the new key seals', async () => keyOf(await signIn()) !== keyOf(cookie), promisedMs);
    assert.equal(await status(cookie), 200);
    assert.equal((await kitemirror('revoke', '--keys')).code, 0);
    await becomes('the old key is void', 401, cookie);
  });

  it('wants one thing to end, and says so', async () => {
    for (const args of [
      [],
      ['--keys', '--before', 'now'],
      ['--before', 'tomorrow'],
      ['--before', '2999-01-01T00:00Z'],
    ]) {
      const { code, said } = await kitemirror('revoke', ...args);
      assert.equal(code, 64, said);
      assert.match(said, /one of --id, --subject, --before/);
    }
  });

  it('takes for an id only what has its form, and of a named token only one that there is', async () => {
    for (const id of ['session-1', '0123456789abcdef0123456789abcde', 'A'.repeat(32), 'nightly']) {
      const { code, out, said } = await kitemirror('revoke', '--id', id);
      assert.deepEqual([code, out], [64, ''], id);
      assert.match(said, /--id is "/, id);
    }
    const unknown = await kitemirror('revoke', '--id', '0123456789abcdef', '--json');
    assert.deepEqual([unknown.code, unknown.out], [1, '{"revoked":0}\n']);
    // Of these there is no list.
    assert.equal((await kitemirror('revoke', '--id', 'f'.repeat(32))).code, 0);
  });
});
