/** What is composed for each reader, with identity on: every way to a build asks the same question, and tells no more. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { renderBadge } from '../../src/pages/badge.ts';
import { openCatalog } from '../../src/search/catalog.ts';
import { openSearch } from '../../src/search/search.ts';
import { writeLabel } from '../../src/tree/labels.ts';
import type { DataPaths, Place } from '../../src/tree/paths.ts';
import { writeBadge, writePointer } from '../../src/tree/pointers.ts';
import { writeBuildRecord, writeJobRecord, writeViews } from '../../src/tree/records.ts';
import { mergeJobs, mergeSteps } from '../../src/tree/views.ts';
import { faultOf } from '../lighttpd/ask.ts';
import { until } from '../lighttpd/until.ts';
import { sampleBuild, sampleJob, summaryOfBuild } from '../pages/samples.ts';
import { job, type Mirror, startMirror } from './scene.ts';

/** Ann reads main of web. The branch of the other build of web, and the vault, are not hers; `none` is not there. */
const builds = {
  mine: ['web', 42, 'main'],
  older: ['web', 41, 'main'],
  other: ['web', 43, 'secret-plan'],
  vault: ['vault', 7, 'main'],
} as const;
const places = Object.values(builds).map(([folder, number]): Place => ({ organization: 'acme', folder, number }));
const address = { mine: '/acme/web/builds/42', other: '/acme/web/builds/43', vault: '/acme/vault/builds/7' };
const none = { web: '/acme/web/builds/99', vault: '/acme/vault/builds/99' };

const policy = 'version: 1\nrules:\n  - { who: { user: ann@example.com }, read: acme/web@main }\n';

let mirror: Mirror;
let cookie: { Cookie: string };

async function prepare(paths: DataPaths): Promise<void> {
  mkdirSync(dirname(paths.catalog), { recursive: true });
  const [catalog, search] = [openCatalog(paths.catalog), openSearch(paths.search)];
  for (const [index, [folder, number, branch]] of Object.values(builds).entries()) {
    const place = { organization: 'acme', folder, number };
    const jobs = [sampleJob(index + 1, { id: job })];
    const facts = {
      pipeline: folder,
      pipeline_name: folder,
      number,
      branch,
      message: `needle of ${folder} ${number}`,
      id: `0190a1b2-0000-4000-8000-00000000100${index}`,
    };
    const build = sampleBuild(jobs, facts);
    for (const each of jobs) await writeJobRecord(paths, place, each);
    await writeBuildRecord(paths, place, build);
    await writeViews(paths, place, { version: 1, merged: mergeJobs(jobs), steps: mergeSteps(jobs) });
    await writeLabel(paths, place, { pipelineId: '0190a1b2-0000-4000-8000-00000000000a', branch, fork: false });
    const summary = summaryOfBuild(build);
    catalog.put({ folder, summary, lost: 0, withheld: 0 }, () => undefined);
    await search.put({ folder, summary, jobs: [], paths: [`dist/${folder}-${number}.js`], tests: [], lines: [] });
    for (const state of ['passed', 'any'] as const)
      writePointer(paths, paths.pointer('acme', folder, 'latest', branch, state), number);
    writeBadge(paths, paths.badge('acme', folder, branch), renderBadge(build.state));
  }
  catalog.close();
  await search.close();
}

before(async () => {
  mirror = await startMirror(places, policy, { hasProxy: true, prepare });
  const claims = {
    iss: mirror.provider.issuer,
    aud: 'the-proxy',
    sub: 'ann',
    email: 'ann@example.com',
    email_verified: true,
  };
  const { headers } = await mirror.get('/-/auth/login', {
    headers: { 'X-Proxy-Assertion': await mirror.agentToken(claims) },
  });
  cookie = { Cookie: String(headers['set-cookie']).split(';')[0] ?? '' };
});
after(() => mirror.close());

const get = (path: string, headers: Record<string, string> = cookie): ReturnType<Mirror['get']> =>
  mirror.get(path, { headers });

/** Each way to something of a build, behind its address. */
const ways = [
  '/',
  '/build.json',
  `/jobs/${job}/`,
  `/jobs/${job}/job.json`,
  `/jobs/${job}/log/`,
  `/jobs/${job}/log/?q=needle`,
  `/jobs/${job}/log.txt`,
  `/jobs/${job}/artifacts/a.txt`,
  `/jobs/${job}/artifacts/a.txt?view`,
  `/jobs/${job}/artifacts/r/?gallery`,
  `/jobs/${job}/artifacts/r/?tests`,
  `/jobs/${job}/artifacts/a.txt?open`,
  `/jobs/${job}/artifacts/?archive`,
  '/artifacts/?archive',
  '/artifacts/?list',
  '/steps/',
  '/compare/',
  '/jobs/',
];
/** The same by Buildkite's own addresses. */
const upstream = (at: string): string[] => {
  const [, , folder, , number] = at.split('/');
  const base = `/organizations/acme/pipelines/${folder}/builds/${number}`;
  return [base, `${base}/jobs`, `${base}/artifacts`, `${base}/jobs/${job}/log`, `${base}/jobs/${job}/artifacts`];
};
const waysTo = (at: string): string[] => [...ways.map((way) => `${at}${way}`), ...upstream(at)];

describe('who may not read a build', () => {
  it('has, by every way to it, the very answer of a build that is not there', async () => {
    for (const [at, absent] of [
      [address.vault, none.vault],
      [address.other, none.web],
    ] as const) {
      const absences = waysTo(absent);
      for (const [index, path] of waysTo(at).entries()) {
        const [answer, wanted] = [await get(path), await get(absences[index] ?? '')];
        const { id: _, ...said } = faultOf(answer);
        const { id: __, ...saidOfNone } = faultOf(wanted);
        assert.deepEqual([path, answer.status, said], [path, 404, saidOfNone]);
        assert.deepEqual(Object.keys(answer.headers).toSorted(), Object.keys(wanted.headers).toSorted(), path);
      }
    }
  });

  it('and is not signed in has one answer for all of them', async () => {
    for (const at of [address.mine, address.vault, none.web])
      for (const path of waysTo(at)) assert.equal((await get(path, {})).status, 401, path);
  });

  it('learns nothing from what stands beside it: compare, latest, badges', async () => {
    for (const number of [43, 99]) {
      const { text } = await get(`${address.mine}/compare/?with=${number}`);
      assert.deepEqual(
        [JSON.parse(text).error, JSON.parse(text).message],
        ['ERR_NOT_FOUND', `build #${number} is not mirrored`],
      );
    }
    assert.match((await get(`${address.mine}/compare/?with=41`)).text, /#41/);
    for (const path of [
      '/acme/web/latest/secret-plan/-/',
      '/acme/web/latest/secret-plan/-/badge.svg',
      '/acme/vault/latest/main/-/build.json',
    ]) {
      const absent = path.replace('secret-plan', 'no-such-branch').replace('/vault/', '/no-such-pipeline/');
      const [answer, wanted] = [await get(path), await get(absent)];
      assert.deepEqual([path, answer.status, faultOf(answer).message], [path, wanted.status, faultOf(wanted).message]);
    }
    assert.equal(
      (await get('/acme/web/latest/main/-/artifacts/x')).headers.location,
      '/acme/web/builds/41/artifacts/x',
    );
  });
});

describe('a path in another spelling', () => {
  it('opens nothing of a build that may not be read', async () => {
    const file = `${address.vault}/jobs/${job}/artifacts/a.txt`;
    for (const path of [
      file.replace('/vault/', '/web/../vault/'),
      file.replace('/vault/', '/web%2f..%2fvault/'),
      file.replace('vault', '%76ault'),
      file.replace('/acme/', '//acme/'),
      file.replace('builds/7', 'builds/07'),
      file.replace('builds/7/', 'builds/7//'),
      file.replace('/acme/', '/ACME/'),
      `${address.mine}/../../../vault/builds/7/jobs/${job}/artifacts/a.txt`,
      `${file}/`,
      `${file}%00`,
      `${address.mine}/artifacts/../../../../vault/builds/7/build.json`,
    ]) {
      const { status, text } = await get(path);
      assert.ok(status === 404 || status === 400, `${path}: ${status} ${text}`);
      assert.doesNotMatch(text, /of vault/, path);
    }
  });

  it('shows of no build by what it is judged', async () => {
    assert.equal((await get(`${address.mine}/`)).status, 200);
    for (const way of ['label', 'label/', 'label?view', 'label?open', 'label?list'])
      assert.equal((await get(`${address.mine}/${way}`)).status, 404, way);
    assert.equal((await get(`/pages${address.mine}/label`)).status, 404);
  });
});

describe('what spans builds', () => {
  it('holds those of its reader alone: in lists, counts and searches', async () => {
    for (const path of ['/', '/acme/', '/acme/web/', '/acme/web/builds/']) {
      const { status, text } = await get(path);
      assert.equal(status, 200, path);
      assert.doesNotMatch(text, /secret-plan|vault|needle of web 43/, path);
    }
    const found = async (query: string): Promise<unknown> => {
      const { results, ...about } = JSON.parse((await get(`/-/search?format=json&q=${query}`)).text) as {
        results: { url: string }[];
      };
      return { urls: results.map(({ url }) => new URL(url).pathname).toSorted(), about };
    };
    const none = (query: string): unknown => ({ urls: [], about: { query, next: null } });
    const { urls } = (await found('needle')) as { urls: string[] };
    assert.deepEqual(urls, ['/acme/web/builds/41/', '/acme/web/builds/42/']);
    for (const query of ['path:vault-7.js', 'path:web-43.js', 'branch:secret-plan', 'nothing-has-this'])
      assert.deepEqual(await found(query), none(query), query);
  });

  it('is nobody’s who is not signed in, and of all builds only theirs who read all', async () => {
    for (const path of [
      '/',
      '/acme/',
      '/acme/web/',
      '/acme/web/builds/',
      '/-/search?q=needle',
      '/-/ledger',
      '/-/ledger.json',
    ])
      assert.equal((await get(path, {})).status, 401, path);
    for (const path of ['/-/ledger', '/-/ledger.json']) assert.equal((await get(path)).status, 404, path);
    assert.equal((await get('/acme/vault/')).status, 404);
    assert.equal((await get('/acme/vault/builds/')).status, 404);
  });
});

describe('the access log', () => {
  it('says who asked and what was decided, also of what the gateway answers', async () => {
    const strange = { headers: {} };
    const asked: [string, { headers: Record<string, string> }, unknown[]][] = [
      ['/', { headers: cookie }, ['ann@example.com', 'allowed', '-', 200]],
      ['/acme/web/', { headers: cookie }, ['ann@example.com', 'allowed', '-', 200]],
      ['/acme/vault/', { headers: cookie }, ['ann@example.com', 'allowed', '-', 404]],
      ['/-/search?q=needle', { headers: cookie }, ['ann@example.com', 'allowed', '-', 200]],
      ['/-/ledger.json', { headers: cookie }, ['ann@example.com', 'refused', 'policy', 404]],
      ['/acme/web/latest/main/-/artifacts/x', { headers: cookie }, ['ann@example.com', 'allowed', '-', 302]],
      [
        '/organizations/acme/pipelines/vault/builds/7',
        { headers: cookie },
        ['ann@example.com', 'refused', 'policy', 404],
      ],
      [`${address.vault}/`, { headers: cookie }, ['ann@example.com', 'refused', 'policy', 404]],
      ['/-/search?q=none', strange, ['-', 'refused', 'not signed in', 401]],
      ['/-/auth/me', { headers: cookie }, ['ann@example.com', '-', '-', 200]],
    ];
    const ids: string[] = [];
    for (const [path, options] of asked) {
      const { headers } = await mirror.get(path, options);
      assert.equal(headers['x-kitemirror-decision'], undefined, path);
      ids.push(String(headers['x-request-id']));
    }
    const lines = await mirror.logged(ids);
    for (const [index, [path, , wanted]] of asked.entries()) {
      const { subject, decision, reason, status } = lines[index] ?? {};
      assert.deepEqual([subject, decision, reason, status], wanted, path);
    }
  });
});

describe('the badge of a branch', () => {
  const badge = (branch: string): string => `/acme/web/latest/${branch}/-/badge.svg`;
  const line = '/-/badge.svg)](';

  it('is a picture for who reads the branch, and on pages elsewhere once everybody does', async () => {
    assert.match((await get(badge('main'))).text, />passed</);
    assert.equal((await get(badge('main'), {})).status, 401);
    assert.ok(!(await get('/acme/web/')).text.includes(line), 'no line that leads to a 401');
    mirror.policy(`${policy}  - { public: true, read: acme/web@main }\n`);
    try {
      await until('everybody reads main', async () => (await get(badge('main'), {})).status === 200);
      // Each process of Lighttpd looks once a second: another one may not know of it yet.
      await pause(1500);
      const { headers, text } = await get(badge('main'), {});
      assert.equal(headers['content-type'], 'image/svg+xml');
      assert.match(text, />passed</);
      assert.equal((await get(badge('secret-plan'), {})).status, 401);
      const isOffered = async (): Promise<boolean> =>
        (await get('/acme/web/')).text.includes(`[![build](${mirror.origin}/acme/web/latest/main${line}`);
      await until('the page offers it', isOffered);
    } finally {
      mirror.policy(policy);
      await until('main is closed again', async () => (await get(badge('main'), {})).status === 401);
    }
  });
});
