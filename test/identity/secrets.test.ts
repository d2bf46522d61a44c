/** Whatever proves who somebody is stands nowhere but in its owner's hands and under state, where it is the mirror's own key. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { Redis } from 'ioredis';
import { identityState } from '../../src/identity/state.ts';
import { ensureKeys } from '../../src/tree/keys.ts';
import type { Place } from '../../src/tree/paths.ts';
import { kitemirror } from '../commands/scene.ts';
import { createRedisServer, type RedisServer } from '../webhooks/redis-server.ts';
import { addressOf, cookieIn, job, logIn, type Mirror, startMirror } from './scene.ts';

const web: Place = { organization: 'acme', folder: 'web', number: 42 };
const file = `${addressOf(web)}/jobs/${job}/artifacts/a.txt`;
const policy = `version: 1
rules:
  - { who: [{ ci: { organization: acme, pipeline: deploy } }, { user: ann@example.com }], read: acme/web }
`;
/** What each is called → what must not be found; of a signed token that is its signature. */
const secrets: Record<string, string> = {
  clientSecret: 'sesame',
  clientSecretSent: Buffer.from('mirror:sesame').toString('base64'),
};
const answers: string[] = [];
let mirror: Mirror;
let redis: RedisServer;

async function send(path: string, headers: Record<string, string>, method = 'GET', body?: string): Promise<string> {
  const answer = await mirror.get(path, { method, headers, ...(body === undefined ? {} : { body }) });
  // Cookies and the answer to an exchange are how a secret comes to its owner.
  answers.push(`${answer.status} ${JSON.stringify({ ...answer.headers, 'set-cookie': '' })}`);
  return answer.text;
}

before(async () => {
  redis = createRedisServer({ appendOnly: false });
  await redis.start();
  mirror = await startMirror([web], policy, {
    env: { REDIS_URL: redis.url, KITEMIRROR_LOG_LEVEL: 'debug' },
    hasProxy: true,
    refreshes: true,
  });
  ensureKeys(mirror.paths.contentKeys);
  await useAll();
});
after(async () => {
  await mirror?.close();
  await redis?.remove();
});

const signatureOf = (token: string): string => token.split('.').at(-1) ?? '';
const bearer = (token: string): Record<string, string> => ({ Authorization: `Bearer ${token}` });

/** Makes one of each kind and shows it where it belongs, where it does not, and spoiled. */
async function useAll(): Promise<void> {
  const agent = await mirror.agentToken();
  secrets['agentToken'] = signatureOf(agent);
  const exchanged = JSON.parse(await send('/-/auth/token', bearer(agent), 'POST')) as { token: string };
  secrets['mirrorToken'] = signatureOf(exchanged.token);
  const made = await kitemirror(['token', 'create', '--name', 'nightly', '--read', 'acme/web', '--json'], {
    ...(mirror.env as Record<string, string>),
  });
  const named = (JSON.parse(made.out) as { token: string }).token;
  secrets['namedToken'] = named.split('_').slice(2).join('_');
  const keys = await identityState(mirror.paths).keys.all();
  secrets['sessionKey'] = [...keys.values()][0]?.secret ?? '';
  const word = { iss: mirror.provider.issuer, aud: 'the-proxy', sub: 'ann', email: 'ann@example.com' };
  const assertion = await mirror.agentToken({ ...word, email_verified: true });
  secrets['assertion'] = signatureOf(assertion);
  const login = await mirror.get('/-/auth/login?to=/', { headers: { 'X-Proxy-Assertion': assertion } });
  const session = cookieIn(login, 'kitemirror');
  secrets['session'] = signatureOf(session);
  const cookie = { Cookie: `kitemirror=${session}`, Origin: mirror.origin, 'Content-Type': 'application/json' };
  const link = await send('/-/auth/links', cookie, 'POST', JSON.stringify({ path: file, days: 1 }));
  const { url } = JSON.parse(link) as { url?: string };
  secrets['link'] = signatureOf(url ?? '');
  const linked = new URL(url ?? '').searchParams.get('link') ?? '';
  const more = [...(await useProvider()), ...(await openReport(session))];
  const tokens = [exchanged.token, named, agent, session, linked, ...more];
  for (const token of tokens) {
    for (const spoiled of [token, `${token}0`]) {
      for (const path of [file, '/acme/', '/-/auth/me', '/-/search?q=x', '/none/at/all']) {
        answers.push(await send(path, bearer(spoiled)), await send(path, { Cookie: `kitemirror=${spoiled}` }));
        answers.push(await send(`${path}${path.includes('?') ? '&' : '?'}link=${spoiled}`, {}));
        await send(path, { Referer: `${mirror.origin}${file}?link=${spoiled}` });
      }
      for (const path of ['/-/auth/token', '/-/auth/links', '/-/mcp'])
        answers.push(await send(path, bearer(spoiled), 'POST', spoiled));
      answers.push(await send(`/-/auth/callback?code=${spoiled}&state=${spoiled}`, {}));
    }
  }
}

/** A login with all that goes to and fro in it. @returns what somebody might show elsewhere */
async function useProvider(): Promise<string[]> {
  mirror.provider.accounts.set('ann', { email: 'ann@example.com', email_verified: true, groups: [] });
  const { state, back, answer } = await logIn(mirror, 'ann');
  answers.push(`${answer.status} ${String(answer.headers.location)} ${answer.text}`);
  const session = cookieIn(answer, 'kitemirror');
  const code = back.searchParams.get('code') ?? '';
  const {
    access_token: accessToken = '',
    refresh_token: refreshToken = '',
    id_token: idToken = '',
  } = mirror.provider.given[0] ?? {};
  const carried = JSON.parse(Buffer.from(state.split('.')[1] ?? '', 'base64url').toString()) as { verifier: string };
  Object.assign(secrets, {
    code,
    accessToken,
    refreshToken,
    idToken: signatureOf(idToken),
    loginState: signatureOf(state),
    verifier: carried.verifier,
    loginSession: signatureOf(session),
  });
  return [code, accessToken, refreshToken, idToken, state, session];
}

/** The way into a report by a ticket, which is then shown again. @returns what somebody might show elsewhere */
async function openReport(session: string): Promise<string[]> {
  const report = `${addressOf(web)}/jobs/${job}/artifacts/r/`;
  const left = await mirror.get(`${report}?open`, { headers: { Cookie: `kitemirror=${session}` } });
  const { host, pathname, search, searchParams } = new URL(String(left.headers.location));
  const entered = await mirror.get(pathname + search, { headers: { Host: host } });
  const cookie = cookieIn(entered, 'kitemirror-content');
  const ticket = searchParams.get('ticket') ?? '';
  Object.assign(secrets, {
    ticket,
    contentCookie: signatureOf(cookie),
    contentKey: readFileSync(mirror.paths.contentKeys, 'utf8').trim(),
  });
  const headers = { Host: host, Cookie: `kitemirror-content=${cookie}` };
  answers.push(`${entered.status} ${String(entered.headers.location)} ${entered.text}`);
  answers.push(await send(`${report}app.js`, headers), await send(pathname + search, { Host: host }));
  await send(`${report}app.js`, { ...headers, Referer: String(left.headers.location) });
  return [ticket, cookie];
}

/** Which of the secrets a text has, by what they are called. */
const found = (text: string): string[] => Object.keys(secrets).filter((name) => text.includes(secrets[name] ?? ''));

it('there is one of each kind, long enough to be told from other text', () => {
  const names = [
    'clientSecret',
    'clientSecretSent',
    'agentToken',
    'assertion',
    'mirrorToken',
    'namedToken',
    'sessionKey',
    'session',
    'link',
    'code',
    'accessToken',
    'refreshToken',
    'idToken',
    'loginState',
    'verifier',
    'loginSession',
    'ticket',
    'contentCookie',
    'contentKey',
  ];
  assert.deepEqual(Object.keys(secrets).toSorted(), names.toSorted());
  for (const [name, value] of Object.entries(secrets)) assert.ok(value.length >= 6, name);
});

it('none is in an answer, a page or an error that did not give it out', () => {
  assert.ok(answers.length > 100);
  for (const answer of answers) assert.deepEqual(found(answer), [], answer);
});

it('none is in what the programs say, at the level debug', () => {
  assert.match(mirror.said(), /gateway ready/);
  assert.deepEqual(found(mirror.said()), []);
});

it('none is below the data folder, the access log and the audit included, but under state/identity and in the content key’s file', async () => {
  // The audit is on disk with each answer; Lighttpd writes its log in pieces and at its end.
  await mirror.stopFront();
  const entries = readdirSync(mirror.paths.root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  assert.ok(
    files.some((name) => name.endsWith('access.log')) && files.some((name) => name.startsWith(mirror.paths.audit)),
  );
  const log = readFileSync(join(mirror.paths.logs, 'access.log'), 'utf8');
  assert.match(log, /"query":"link"/);
  assert.match(log, /\/-\/enter/);
  // Where the access and the refresh token are, sealed.
  assert.ok(files.includes(join(mirror.paths.identity, 'asking')));
  for (const name of files) {
    const kept = [
      ...(name.startsWith(mirror.paths.identity) ? ['sessionKey'] : []),
      ...(name === mirror.paths.contentKeys ? ['contentKey'] : []),
    ];
    assert.deepEqual(
      found(readFileSync(name, 'latin1')).filter((each) => !kept.includes(each)),
      [],
      name,
    );
  }
});

it('none is in Redis, or in the arguments of a process', async () => {
  const client = new Redis({ path: redis.url.replace('unix://', '') });
  const keys = await client.keys('*');
  const dumps = await Promise.all(
    keys.map(async (key) => `${key} ${(await client.dumpBuffer(key))?.toString('latin1')}`),
  );
  client.disconnect();
  assert.deepEqual(found(dumps.join('\n')), []);
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  for (const pid of processes) {
    const words = readArguments(pid);
    assert.deepEqual(found(words), [], words);
  }
});

function readArguments(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    // It has ended since the folder was read.
    return '';
  }
}
