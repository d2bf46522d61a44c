/** The gate with identity on, as a client meets it: the real Lighttpd, grants as the gateway writes them. */
import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Grant } from '../../src/identity/decide.ts';
import { formatGrants, type GrantTable } from '../../src/identity/grants.ts';
import { type Seal, type SealKey, type SealKind, seal } from '../../src/identity/seals.ts';
import { grantsFile, newToken } from '../../src/identity/state.ts';
import { writeLabel } from '../../src/tree/labels.ts';
import type { Place } from '../../src/tree/paths.ts';
import { ask, faultOf, type Question } from '../lighttpd/ask.ts';
import { build, openJob, place, put, type Site, startSite } from '../lighttpd/site.ts';
import { until } from '../lighttpd/until.ts';

const file = `${build}/jobs/${openJob}/artifacts/a.txt`;
const fork: Place = { ...place, number: 43 };
const hidden: Place = { organization: 'acme', folder: 'vault', number: 7 };
const open: Place = { organization: 'acme', folder: 'docs', number: 1 };
const addressOf = (at: Place): string => `/${at.organization}/${at.folder}/builds/${at.number}`;
const now = (): number => Math.floor(Date.now() / 1000);
const key: SealKey = { id: 'k1', secret: randomBytes(32) };
const robot = newToken({ name: 'robot', reads: [], made: now() - 60, expires: now() + 600 });
const rule = (pipeline: string, branches: string[] | null = null): Grant => ({
  rule: { organization: 'acme', pipeline, pipelineId: null, branches },
  addresses: null,
});

let site: Site;
let table: GrantTable;

function publish(more: Partial<GrantTable> = {}): void {
  table = { ...table, time: now(), ...more };
  const target = grantsFile(site.paths);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(`${target}.new`, formatGrants(table));
  renameSync(`${target}.new`, target);
}

function sealed(kind: SealKind, subject: string, more: Partial<Seal> = {}, bound = ''): string {
  const facts = { id: 'session-0001', subject, issued: now() - 5, expires: now() + 600, ...more };
  return seal(key, kind, facts, bound);
}

const as = (subject: string, more: Partial<Seal> = {}): Question => ({
  headers: { Cookie: `kitemirror=${sealed('session', subject, more)}` },
});
const bearer = (token: string): Question => ({ headers: { Authorization: `Bearer ${token}` } });
const get = (path: string, question: Question = {}): ReturnType<typeof ask> => ask(site.port, path, question);
const status = async (path: string, question: Question = {}): Promise<number> => (await get(path, question)).status;

before(async () => {
  site = await startSite({
    KITEMIRROR_POLICY: '/nowhere/policy.yml',
    KITEMIRROR_OIDC_ISSUER: 'https://login.example',
    KITEMIRROR_OIDC_CLIENT_ID: 'x',
  });
  const { paths } = site;
  for (const [at, branch] of [
    [place, 'main'],
    [fork, 'main'],
    [hidden, 'main'],
    [open, 'main'],
  ] as const) {
    put(paths, paths.jobFile(at, openJob, 'artifacts/a.txt'), `of ${at.folder} ${at.number}`);
    put(paths, paths.jobFile(at, openJob, 'artifacts/badge.svg'), '<svg/>');
    put(paths, paths.jobFile(at, openJob, 'artifacts/r/index.html'), 'report');
    put(
      paths,
      paths.buildFile(at, 'build.json'),
      JSON.stringify({ version: 1, id: `0190a1b2-0000-4000-8000-00000000000${at.number}` }),
    );
    await writeLabel(paths, at, { pipelineId: '0190a1b2-0000-4000-8000-00000000000a', branch, fork: at === fork });
    mkdirSync(dirname(paths.page('acme', at.folder, 'builds', String(at.number))), { recursive: true });
    writeFileSync(paths.page('acme', at.folder, 'builds', String(at.number)), `the page of ${at.folder}`);
  }
  for (const above of [[], ['acme'], ['acme', 'web']]) writeFileSync(paths.page(...above), 'a page for everybody');
  for (const [name, target] of [
    ['web', '42'],
    ['vault', '7'],
  ] as const) {
    const pointer = paths.pointer('acme', name, 'latest', 'main', 'passed');
    mkdirSync(dirname(pointer), { recursive: true });
    writeFileSync(pointer, `${target}\n`);
  }
  writeFileSync(paths.movedPointer('acme', 'old-web'), 'web\n');
  writeFileSync(paths.movedPointer('acme', 'old-vault'), 'vault\n');
  table = {
    time: now(),
    before: 0,
    keys: [key],
    everyone: [rule('docs')],
    publics: [{ rule: rule('web', ['main']).rule, paths: ['jobs/*/artifacts/badge.svg'] }],
    subjects: new Map([
      [
        'ann',
        {
          kind: 'user',
          name: 'ann@example.com',
          issuer: 'https://login.example',
          since: 0,
          grants: [rule('web', ['main'])],
        },
      ],
      ['bob', { kind: 'user', name: 'bob@example.com', issuer: 'https://login.example', since: 0, grants: [] }],
      [
        'job',
        { kind: 'ci', name: 'acme/deploy', issuer: 'https://agent.buildkite.com', since: 0, grants: [rule('web')] },
      ],
      [
        `token-${robot.card.id}`,
        { kind: 'token', name: 'robot', issuer: 'kitemirror', since: 0, grants: [rule('web')] },
      ],
    ]),
    tokens: new Map([[robot.card.id, { ...robot.card, subject: `token-${robot.card.id}` }]]),
    revoked: new Set(['session-gone']),
  };
  publish();
  await until('the grants are in force', async () => (await status(file, as('ann'))) === 200);
});
after(() => site.close());

/** Each of Lighttpd's processes looks at the grants once a second, by itself. */
async function untilEverywhere(what: string, isTrue: () => Promise<boolean>): Promise<void> {
  let since: number | null = null;
  await until(what, async () => {
    if (!(await isTrue())) since = null;
    else since ??= performance.now();
    return since !== null && performance.now() - since > 1500;
  });
}

describe('without signing in', () => {
  it('what is there and what is not are one answer', async () => {
    const seen = new Set<string>();
    for (const path of [
      file,
      `${file}x`,
      `${addressOf(hidden)}/`,
      '/acme/nothing/builds/1/',
      '/acme/old-web/builds/42/',
    ]) {
      const answer = await get(path);
      assert.equal(answer.status, 401, path);
      assert.equal(answer.headers['www-authenticate'], 'Bearer realm="kitemirror"');
      const { id: _, ...said } = faultOf(answer);
      seen.add(JSON.stringify(said));
    }
    assert.equal(seen.size, 1);
  });

  it('a browser is led to the login, and from there back', async () => {
    const answer = await get(`${file}?a=1&b=2`, { headers: { Accept: 'text/html' } });
    assert.deepEqual(
      [answer.status, answer.headers.location],
      [302, `/-/auth/login?to=${file}${encodeURIComponent('?a=1&b=2')}`],
    );
    assert.equal(answer.headers['cache-control'], 'no-store');
  });

  it('no address shows by what a build is judged, to nobody', async () => {
    for (const each of ['label', 'LABEL', '%6cabel']) {
      assert.equal(await status(`${build}/${each}`, as('ann')), 404, each);
      assert.equal(await status(`${addressOf(open)}/${each}`, as('ann')), 404, each);
    }
  });

  it('health, webhooks and the login are open', async () => {
    assert.equal(await status('/-/healthz'), 200);
    assert.equal(await status('/-/auth/login'), 200);
    assert.equal(await status('/-/webhooks/buildkite', { method: 'POST' }), 200);
  });

  it('what is public is read by anybody, and no more than that', async () => {
    assert.equal((await get(`${addressOf(open)}/jobs/${openJob}/artifacts/a.txt`)).text, 'of docs 1');
    assert.equal(await status(`${build}/jobs/${openJob}/artifacts/badge.svg`), 200);
    assert.equal(await status(`${addressOf(fork)}/jobs/${openJob}/artifacts/badge.svg`), 401);
    assert.equal(await status(`${addressOf(hidden)}/jobs/${openJob}/artifacts/badge.svg`), 401);
  });
});

describe('signed in', () => {
  it('what is allowed is a file, a page, a redirect like before', async () => {
    assert.equal((await get(file, as('ann'))).text, 'of web 42');
    assert.equal((await get(`${build}/`, as('ann'))).text, 'the page of web');
    assert.equal((await get(build, as('ann'))).headers.location, `${build}/`);
    assert.equal(
      (await get('/acme/web/latest/main/-/artifacts/x', as('ann'))).headers.location,
      `${build}/artifacts/x`,
    );
    assert.equal((await get(`/acme/old-web/builds/42/x`, as('ann'))).headers.location, '/acme/web/builds/42/x');
  });

  it('what is shown of an artifact needs the right to read its build', async () => {
    const artifacts = (at: Place): string => `${addressOf(at)}/jobs/${openJob}/artifacts/`;
    for (const view of ['a.txt?view', 'r/?tests', 'r/?gallery']) {
      assert.equal((await get(`${artifacts(place)}${view}`, as('ann'))).text, 'gateway\n', view);
      site.gateway.heard.length = 0;
      for (const at of [hidden, fork]) assert.equal(await status(`${artifacts(at)}${view}`, as('ann')), 404, view);
      assert.equal(await status(`${artifacts(place)}${view}`), 401, view);
      assert.deepEqual(site.gateway.heard, [], 'the gateway hears of it only from who may read the build');
    }
    // A path that is open to all opens its bytes, not a page that draws on others of its build.
    assert.equal((await get(`${artifacts(place)}badge.svg?view`)).text, '<svg/>');
  });

  it('a seal counts in its own letters alone, also once it is known', async () => {
    const token = sealed('session', 'ann');
    const shout = `${token.slice(0, -64)}${token.slice(-64).toUpperCase()}`;
    const mine = `${token.slice(0, -64)}${'0'.repeat(64)}`;
    const statuses: number[] = [];
    for (let round = 0; round < 6; round += 1)
      for (const each of [token, shout, mine])
        statuses.push(await status(file, { headers: { Cookie: `kitemirror=${each}` } }));
    assert.deepEqual(statuses, Array.from({ length: 6 }, () => [200, 401, 401]).flat());
  });

  it('what is not allowed is what is not there', async () => {
    const missing = await get(`${build}/jobs/${openJob}/artifacts/none.txt`, as('ann'));
    const { id: _, ...said } = faultOf(missing);
    for (const path of [
      `${addressOf(hidden)}/jobs/${openJob}/artifacts/a.txt`,
      `${addressOf(hidden)}/`,
      addressOf(hidden),
      `${addressOf(fork)}/jobs/${openJob}/artifacts/a.txt`,
      '/acme/none/builds/9/',
      '/acme/old-vault/builds/7/',
    ]) {
      const answer = await get(path, as('ann'));
      const { id, ...found } = faultOf(answer);
      assert.deepEqual([answer.status, found], [404, said], path);
      assert.ok(id !== '');
      const names = (of: typeof answer): string[] => Object.keys(of.headers).toSorted();
      assert.deepEqual(names(answer), names(missing), path);
    }
  });

  it('what spans builds is the gateway’s to compose, never a file for everybody', async () => {
    for (const path of [
      '/',
      '/acme/',
      '/acme/web/',
      '/acme/web/builds/',
      '/acme/vault/latest/main/-/x',
      '/acme/old-vault/',
    ])
      assert.equal((await get(path, as('ann'))).text, 'gateway\n', path);
    assert.equal((await get('/acme/web/', as('bob'))).text, 'gateway\n');
  });

  it('a job and a robot read by their bearer tokens, and a wrong one is told at once', async () => {
    assert.equal(await status(file, bearer(sealed('bearer', 'job'))), 200);
    assert.equal(await status(file, bearer(robot.token)), 200);
    assert.equal(await status(`${addressOf(open)}/`, bearer(sealed('session', 'ann'))), 401);
    assert.equal(await status(`${addressOf(open)}/`, bearer(`${robot.token}x`)), 401);
    assert.equal(await status(`${addressOf(open)}/`, bearer('x')), 401);
  });

  it('a cookie that holds no more makes a stranger, who still reads what is public', async () => {
    for (const more of [{ expires: now() - 1 }, { id: 'session-gone' }]) {
      assert.equal(await status(file, as('ann', more)), 401);
      assert.equal(await status(`${addressOf(open)}/jobs/${openJob}/artifacts/a.txt`, as('ann', more)), 200);
    }
  });

  it('two cookies of the name are none', async () => {
    const { headers } = as('ann');
    assert.equal(
      await status(file, { headers: { Cookie: `${String(headers?.Cookie)}; ${String(headers?.Cookie)}` } }),
      401,
    );
  });
});

describe('links', () => {
  const link = (path: string, subject = 'ann', more: Partial<Seal> = {}): string =>
    `${path}?link=${sealed('link', subject, { id: 'link-0001', ...more }, path)}`;

  it('open one file to whoever has them, while their maker may read it', async () => {
    assert.equal((await get(link(file))).text, 'of web 42');
    assert.equal((await get(link(file), { method: 'HEAD' })).status, 200);
    assert.equal(await status(link(file, 'bob')), 401);
    assert.equal(await status(link(file, 'ann', { expires: now() - 1 })), 401);
    assert.equal(await status(link(file, 'ann', { id: 'session-gone' })), 401);
    assert.equal(await status(link(file, 'ann', { issued: now() - 10, expires: now() + 31 * 86_400 })), 401);
  });

  it('open no other file, no folder and no other host', async () => {
    const query = link(file).split('?')[1] ?? '';
    assert.equal(await status(`${build}/jobs/${openJob}/artifacts/badge.svgx?${query}`), 401);
    assert.equal(await status(`${build}/jobs/${openJob}/artifacts/r/index.html?${query}`), 401);
    assert.equal(await status(link(`${build}/`)), 401);
  });

  it('open nothing at the host of the build’s reports, where what is public and a report’s own cookie do', async () => {
    const [line = ''] = readFileSync(site.paths.contentKeys, 'utf8').split('\n');
    const uuid = `0190a1b2-0000-4000-8000-00000000000${place.number}`;
    const mac = createHmac('sha256', Buffer.from(line, 'hex')).update(`kitemirror content\n${uuid}`);
    const label = mac.digest('hex').slice(0, 40);
    const headers = { Host: `${label}.localhost:${site.port}` };
    const Cookie = `kitemirror-content=${sealed('content', 'ann', {}, label)}`;
    assert.equal((await get(file, { headers: { ...headers, Cookie } })).text, 'of web 42');
    assert.equal(await status(`${build}/jobs/${openJob}/artifacts/badge.svg`, { headers }), 200);
    assert.equal(await status(link(file), { headers }), 401);
    assert.equal(await status(link(file)), 200);
  });

  it('are logged by their id and their maker, without the link', async () => {
    const linked = await logged((each) => each.kind === 'link');
    const lines = await site.logged('artifacts/a.txt');
    assert.deepEqual(
      [linked.subject, linked.reason, linked.decision],
      ['ann@example.com', 'link link-0001', 'allowed'],
    );
    assert.doesNotMatch(JSON.stringify(lines), /v1\.l\./);
  });
});

describe('the grants', () => {
  it('change within seconds, without a new login', async () => {
    publish({
      subjects: new Map([
        ...table.subjects,
        ['ann', { ...(table.subjects.get('ann') as never as object), grants: [rule('vault')] } as never],
      ]),
    });
    await untilEverywhere(
      'ann reads the vault',
      async () => (await status(`${addressOf(hidden)}/`, as('ann'))) === 200,
    );
    assert.equal(await status(file, as('ann')), 404);
    publish({
      subjects: new Map([
        ...table.subjects,
        ['ann', { ...(table.subjects.get('ann') as never as object), grants: [rule('web', ['main'])] } as never],
      ]),
    });
    await untilEverywhere('ann reads main again', async () => (await status(file, as('ann'))) === 200);
  });

  it('know at once who has just come in', async () => {
    publish({
      subjects: new Map([
        ...table.subjects,
        ['eve', { kind: 'user', name: 'eve', issuer: 'i', since: 0, grants: [rule('web')] }],
      ]),
    });
    assert.equal(await status(file, as('eve')), 200);
  });

  it('that are cut short leave the last good ones in force', async () => {
    const target = grantsFile(site.paths);
    writeFileSync(`${target}.new`, formatGrants({ ...table, subjects: new Map() }).slice(0, -4));
    renameSync(`${target}.new`, target);
    await until('the gate has seen it', async () => {
      assert.equal(await status(file, as('ann')), 200);
      return site.said().includes('keeps the grants');
    });
    assert.equal(await status(file, as('ann')), 200);
    publish();
  });

  it('void what was sealed before a time, for one subject and for all', async () => {
    publish({ before: now() - 1 });
    await untilEverywhere('the seal is void', async () => (await status(file, as('ann'))) === 401);
    assert.equal(await status(file, bearer(robot.token)), 401);
    publish({ before: 0 });
    await untilEverywhere('the seal is good', async () => (await status(file, as('ann'))) === 200);
  });

  it('void one session or one named token by its id', async () => {
    publish({ revoked: new Set([...table.revoked, robot.card.id]) });
    await untilEverywhere('the token is void', async () => (await status(file, bearer(robot.token))) === 401);
    assert.equal(await status(file, as('ann')), 200);
    publish({ revoked: new Set(['session-gone']) });
    await untilEverywhere('the token is good', async () => (await status(file, bearer(robot.token))) === 200);
  });

  it('without a sign of life let nobody in who could have been revoked', async () => {
    publish();
    const stale = formatGrants({ ...table, time: now() - 901 });
    writeFileSync(`${grantsFile(site.paths)}.new`, stale);
    renameSync(`${grantsFile(site.paths)}.new`, grantsFile(site.paths));
    await untilEverywhere('they are stale', async () => (await status(file, as('ann'))) === 503);
    const answer = await get(file, as('ann'));
    assert.equal(faultOf(answer).error, 'ERR_IDENTITY_UNAVAILABLE');
    assert.equal(await status(`${addressOf(open)}/jobs/${openJob}/artifacts/a.txt`), 200);
    publish();
    await untilEverywhere('they are not', async () => (await status(file, as('ann'))) === 200);
  });
});

describe('what a request says of itself', () => {
  it('in headers of ours, in any spelling, reaches no back end', async () => {
    const before = site.gateway.heard.length;
    const headers = {
      ...as('ann').headers,
      'X-Kitemirror-Subject': 'root',
      X_KITEMIRROR_To: 'receiver',
      'x-kiteMirror_kind': 'user',
      'X-Kitemirror-Address': '203.0.113.9',
    };
    assert.equal(await status('/acme/web/', { headers }), 200);
    const heard = site.gateway.heard.slice(before).at(-1);
    const names = Object.keys(heard?.headers ?? {}).filter((name) => /kitemirror/i.test(name));
    assert.deepEqual(names.toSorted(), ['x-kitemirror-address', 'x-kitemirror-to']);
    assert.equal(heard?.headers['x-kitemirror-to'], 'gateway');
    assert.equal(heard?.headers['x-kitemirror-address'], '127.0.0.1');
  });

  it('by a host that is not ours is refused before anything else', async () => {
    assert.equal(await status(file, { headers: { ...as('ann').headers, Host: 'rebound.example' } }), 421);
  });

  it('by a path in another spelling opens nothing', async () => {
    const vault = `${addressOf(hidden)}/jobs/${openJob}/artifacts/a.txt`;
    for (const path of [
      vault.replace('/vault/', '/web/../vault/'),
      vault.replace('/vault/', '/web%2f..%2fvault/'),
      vault.replace('vault', '%76ault'),
      vault.replace('/acme/', '//acme/'),
      vault.replace('builds/7', 'builds/07'),
      vault.replace('builds/7/', 'builds/7//'),
      vault.replace('/acme/', '/ACME/'),
      `${build}/../../../vault/builds/7/jobs/${openJob}/artifacts/a.txt`,
      `${vault}/`,
      `${vault}%00`,
      `${build}/artifacts/../../../../vault/builds/7/build.json`,
    ]) {
      const answer = await get(path, as('ann'));
      assert.ok(answer.status >= 400 || answer.text === 'gateway\n', `${path}: ${answer.status} ${answer.text}`);
      assert.doesNotMatch(answer.text, /of vault/, path);
    }
  });

  it('posted from a page of another site is refused', async () => {
    const post = (headers: Record<string, string>): Promise<number> =>
      status('/-/auth/logout', { method: 'POST', headers });
    const own = `http://127.0.0.1:${site.port}`;
    const cookie = String(as('ann').headers?.Cookie);
    assert.equal(await post({ Cookie: cookie, Origin: own }), 200);
    assert.equal(await post({ Cookie: cookie, Origin: 'https://evil.example' }), 403);
    assert.equal(await post({ Cookie: cookie, Origin: own.replace('http:', 'https:') }), 403);
    assert.equal(await post({ Cookie: cookie, Origin: 'null' }), 403);
    assert.equal(await post({ Cookie: cookie }), 403);
    assert.equal(await post({ Origin: 'https://evil.example' }), 403);
    assert.equal(await post({}), 200);
  });
});

describe('the access log', () => {
  it('says who, and what was decided', async () => {
    await get(`${file}?state=passed&code=secret1&x=secret2`, {
      headers: { ...as('ann').headers, Referer: 'http://a.example/x?code=secret3' },
    });
    await get(`${addressOf(hidden)}/jobs/none/log.txt`, as('ann'));
    const line = await logged((each) => String(each.query).includes('state'));
    assert.deepEqual(
      [line.subject, line.kind, line.issuer, line.decision, line.query, line.referer],
      ['ann@example.com', 'user', 'https://login.example', 'allowed', 'state=passed&code&x', 'http://a.example/x'],
    );
    const refused = await logged((each) => String(each.url).endsWith('/none/log.txt'));
    assert.deepEqual(
      [refused.subject, refused.decision, refused.reason, refused.status],
      ['ann@example.com', 'refused', 'policy', 404],
    );
  });
});

async function logged(isMeant: (line: Record<string, unknown>) => boolean): Promise<Record<string, unknown>> {
  let found: Record<string, unknown> | undefined;
  await until('the line is in the log', async () => {
    found = (await site.logged('/acme/')).find(isMeant);
    return found !== undefined;
  });
  return found as Record<string, unknown>;
}
