import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { pageSecurityPolicy } from '../../src/pages/layout.ts';
import type { PointerKind, PointerState } from '../../src/tree/paths.ts';
import { asset } from '../pages/assets.ts';
import { ask, faultOf } from './ask.ts';
import { build, openJob, place, put, type Site, startSite } from './site.ts';

let site: Site;
const get = (path: string): ReturnType<typeof ask> => ask(site.port, path);

function write(file: string, content: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}
const page = (path: string): void => write(site.paths.page(...path.split('/').filter(Boolean)), `the page of ${path}`);
const point = (kind: PointerKind, name: string, state: PointerState, number: number): void =>
  write(site.paths.pointer(place.organization, place.folder, kind, name, state), `${number}\n`);

async function location(path: string): Promise<[number, string | undefined]> {
  const { status, headers } = await get(path);
  if (status < 400) assert.equal(headers['cache-control'], 'no-store');
  return [status, headers.location];
}

/** Who answered, by its words. */
async function answerer(path: string): Promise<string> {
  return (await get(path)).text.trim();
}

before(async () => {
  site = await startSite();
  for (const path of ['/', '/acme/', '/acme/web/', '/acme/web/builds/', `${build}/`, `${build}/jobs/${openJob}/`])
    page(path);
  put(site.paths, site.paths.jobFile(place, openJob, 'artifacts/report/index.html'), 'upstream’s index');
  put(site.paths, site.paths.jobFile(place, openJob, 'artifacts/bare/a.txt'), 'a');
  put(site.paths, join(site.paths.merged(place), 'index.html'), 'upstream’s index of all');
  put(site.paths, join(site.paths.step(place, 'lint'), 'index.html'), 'upstream’s index of a step');
});
beforeEach(() => site.gateway.heard.splice(0));
after(() => site.close());

describe('the address of a folder', () => {
  it('shows its page, which is ours: trusted with our own scripts alone, asked for again each time', async () => {
    for (const path of ['/', '/acme/', '/acme/web/', '/acme/web/builds/', `${build}/`, `${build}/jobs/${openJob}/`]) {
      const { status, text, headers } = await get(path);
      assert.deepEqual([status, text], [200, `the page of ${path}`]);
      assert.equal(headers['content-type'], 'text/html; charset=utf-8');
      assert.equal(headers['content-security-policy'], pageSecurityPolicy(`127.0.0.1:${site.port}`));
      assert.equal(headers['cache-control'], 'no-cache');
      assert.ok(headers.etag);
    }
    assert.equal((await ask(site.port, '/acme/', { headers: { 'If-None-Match': '*' } })).status, 304);
  });

  it('is asked of the gateway where there is no page, as it was sent', async () => {
    const paths = [
      '/other/',
      `${build}/jobs/${openJob}/artifacts/bare/`,
      `${build}/artifacts/a%20b%3F/%E2%82%AC/?list`,
    ];
    for (const path of paths) assert.equal(await answerer(path), 'gateway');
    assert.deepEqual(
      site.gateway.heard.map(({ url }) => url),
      paths,
    );
  });

  it('shows upstream’s own index, inert, unless a list is asked for', async () => {
    for (const path of [
      `${build}/jobs/${openJob}/artifacts/report/`,
      `${build}/artifacts/`,
      `${build}/steps/lint/artifacts/`,
    ]) {
      page(path);
      const { text, headers } = await get(`${path}?v=2`);
      assert.match(text, /^upstream’s index/);
      assert.match(String(headers['content-security-policy']), /^sandbox/);
      assert.equal(headers['cache-control'], 'no-cache');
      const list = await get(`${path}?list`);
      assert.equal(list.text, `the page of ${path}`);
      assert.equal(list.headers['content-security-policy'], pageSecurityPolicy(`127.0.0.1:${site.port}`));
      assert.equal(await answerer(`${path}?list&after=b`), 'gateway');
    }
  });

  it('of a build or a job, which shows a page of its own, lists when that is asked for', async () => {
    for (const path of [`${build}/`, `${build}/jobs/${openJob}/`]) {
      assert.equal(await answerer(`${path}?list`), 'gateway', path);
      assert.equal(await answerer(path), `the page of ${path}`);
    }
  });

  it('is not an address of upstream’s where the folder is ours', async () => {
    write(join(site.paths.job(place, openJob), 'index.html'), 'not a page');
    write(join(site.paths.build(place), 'index.html'), 'not a page');
    assert.equal(await answerer(`${build}/`), `the page of ${build}/`);
    assert.equal(await answerer(`${build}/jobs/${openJob}/`), `the page of ${build}/jobs/${openJob}/`);
    assert.equal((await get(`${build}/index.html`)).status, 404);
  });

  it('of all builds is the gateway’s as soon as something is asked', async () => {
    assert.equal(await answerer('/acme/web/builds/?branch=main'), 'gateway');
    assert.equal(site.gateway.heard[0]?.url, '/acme/web/builds/?branch=main');
    assert.equal(await answerer('/acme/?x'), 'the page of /acme/');
  });

  it('is the gateway’s where a power cut has left the page empty', async () => {
    for (const path of ['/acme/web/', `${build}/`, `${build}/jobs/${openJob}/`]) {
      page(path);
      assert.equal(await answerer(path), `the page of ${path}`);
      const file = join(site.paths.pages, path, 'index.html');
      const whole = readFileSync(file);
      truncateSync(file);
      assert.equal(await answerer(path), 'gateway', path);
      writeFileSync(file, whole);
    }
  });

  it('without its slash leads to the one with it, and keeps the question', async () => {
    page(`${build}/jobs/${openJob}/log`);
    const folder = `${build}/jobs/${openJob}`;
    assert.deepEqual(await location('/acme'), [301, '/acme/']);
    assert.deepEqual(await location('/acme/web/builds?branch=a%2Fb'), [301, '/acme/web/builds/?branch=a%2Fb']);
    assert.deepEqual(await location(`${folder}/artifacts/bare?list`), [301, `${folder}/artifacts/bare/?list`]);
    assert.deepEqual(await location(`${folder}/log`), [301, `${folder}/log/`]);
    put(site.paths, site.paths.jobFile(place, openJob, 'artifacts/ü b/x'), '');
    assert.deepEqual(await location(`${folder}/artifacts/%C3%BC%20b`), [301, `${folder}/artifacts/%C3%BC%20b/`]);
  });
});

describe('what all pages share', () => {
  it('comes from the project’s own folder, for everybody, and is looked at again soon', async () => {
    for (const [name, type] of [
      ['site.css', 'text/css; charset=utf-8'],
      ['site.js', 'text/javascript; charset=utf-8'],
      ['icon.svg', 'image/svg+xml'],
    ]) {
      const { status, headers, text } = await get(`/-/assets/${name}`);
      assert.deepEqual([status, headers['content-type']], [200, type]);
      assert.equal(text, asset(name ?? ''));
      assert.match(String(headers['cache-control']), /^public, max-age=60,/);
      assert.equal((await ask(site.port, `/-/assets/${name}`, { headers: { 'If-None-Match': '*' } })).status, 304);
    }
  });

  it('is nothing but scripts and styles by their names', async () => {
    for (const path of [
      '',
      'nothing.js',
      '../layout.ts',
      '%2e%2e/layout.ts',
      'sub/site.js',
      'Site.js',
      '.hidden',
      'tsconfig.json/',
    ])
      assert.ok([400, 404].includes((await get(`/-/assets/${path}`)).status), path);
    assert.equal((await ask(site.port, '/-/assets/site.js', { method: 'POST' })).status, 405);
  });
});

describe('stable addresses', () => {
  it('lead to the build that a pointer names, whatever follows', async () => {
    point('latest', 'main', 'passed', 41);
    point('latest', 'main', 'failed', 42);
    point('latest', 'main', 'any', 43);
    assert.deepEqual(await location('/acme/web/latest/main/-/'), [302, '/acme/web/builds/41/']);
    assert.deepEqual(await location('/acme/web/latest/main/-?state=any'), [301, '/acme/web/latest/main/-/?state=any']);
    assert.deepEqual(await location('/acme/web/latest/main/-/a/-'), [302, '/acme/web/builds/41/a/-']);
    const rest = 'artifacts/a%20b/%E2%82%AC%3F.txt';
    assert.deepEqual(await location(`/acme/web/latest/main/-/${rest}`), [302, `/acme/web/builds/41/${rest}`]);
    assert.deepEqual(await location('/acme/web/latest/main/-/x?state=failed'), [302, '/acme/web/builds/42/x']);
    assert.deepEqual(await location('/acme/web/latest/main/-/x/?state=any&v=1'), [302, '/acme/web/builds/43/x/?v=1']);
    assert.deepEqual(await location('/acme/web/latest/main/-/a/-/b'), [302, '/acme/web/builds/41/a/-/b']);
  });

  it('take a branch with slashes as it is, and an odd one as a question', async () => {
    point('latest', 'feature/a b', 'passed', 7);
    point('latest', 'odd/-/name', 'passed', 8);
    point('latest', 'zweig/ü', 'passed', 9);
    assert.deepEqual(await location('/acme/web/latest/feature/a%20b/-/x'), [302, '/acme/web/builds/7/x']);
    assert.deepEqual(await location('/acme/web/latest/zweig/%C3%BC/-/x'), [302, '/acme/web/builds/9/x']);
    assert.deepEqual(await location('/acme/web/latest/main/-/x?branch=odd/-/name'), [302, '/acme/web/builds/8/x']);
    assert.deepEqual(await location('/acme/web/latest/-/x?branch=zweig%2F%C3%BC'), [302, '/acme/web/builds/9/x']);
    assert.deepEqual(await location('/acme/web/latest/-/x?branch=feature%2Fa+b'), [302, '/acme/web/builds/7/x']);
  });

  it('exist for commits and pull requests', async () => {
    point('commits', 'c0ffee', 'passed', 5);
    point('pulls', '17', 'any', 6);
    assert.deepEqual(await location('/acme/web/commits/c0ffee/-/build.json'), [302, '/acme/web/builds/5/build.json']);
    assert.deepEqual(await location('/acme/web/pulls/17/-/?state=any'), [302, '/acme/web/builds/6/']);
  });

  it('that name nothing are no address, and an unknown state is a mistake', async () => {
    for (const path of [
      '/acme/web/latest/none/-/x',
      '/acme/web/pulls/17/-/x',
      '/acme/web/latest/-/x',
      '/acme/web/latest/main',
    ]) {
      const answer = await get(path);
      assert.deepEqual([answer.status, faultOf(answer).error], [404, 'ERR_NOT_FOUND'], path);
    }
    const answer = await get('/acme/web/latest/main/-/x?state=green');
    assert.deepEqual([answer.status, faultOf(answer).error], [400, 'ERR_REQUEST_MALFORMED']);
    assert.equal(answer.headers['cache-control'], 'no-store');
  });
});

describe('a pipeline that was renamed', () => {
  it('is led to under its new name, question and all, as long as no other has the old one', async () => {
    write(site.paths.movedPointer('acme', 'old'), 'web\n');
    const old = '/acme/old/builds/42/artifacts/a%20b.txt';
    assert.deepEqual(await location(`${old}?x=%31`), [302, '/acme/web/builds/42/artifacts/a%20b.txt?x=1']);
    assert.deepEqual(await location('/acme/old'), [302, '/acme/web']);
    page('/acme/old/');
    assert.deepEqual(await location('/acme/old/'), [302, '/acme/web/']);
    assert.deepEqual(await location('/acme/old/latest/main/-/x?state=any'), [
      302,
      '/acme/web/latest/main/-/x?state=any',
    ]);
    mkdirSync(site.paths.pipeline('acme', 'old'), { recursive: true });
    assert.equal(await answerer('/acme/old/'), 'the page of /acme/old/');
    assert.equal((await get(old)).status, 404);
  });
});

describe('the mirror’s own addresses', () => {
  it('are answered by Lighttpd, the receiver, the gateway', async () => {
    const health = await get('/-/healthz');
    assert.deepEqual([health.text, health.headers['cache-control']], ['ok\n', 'no-store']);
    assert.equal(await answerer('/-/readyz'), 'receiver');
    for (const path of [
      '/-/api/v2/x',
      '/-/auth/login',
      '/-/mcp',
      '/-/search?q=x',
      '/-/ledger.json',
      '/organizations/acme/x',
    ]) {
      assert.equal(await answerer(path), 'gateway', path);
    }
    assert.equal((await get('/-/other')).status, 404);
    const hook = await ask(site.port, '/-/webhooks/buildkite', { method: 'POST', body: '{}' });
    assert.equal(hook.text, 'receiver\n');
  });

  it('answer with what a back end says about caching, and never let an error be kept', async () => {
    site.gateway.answer((request, response) => {
      const status = Number(request.url?.split('/').at(-1));
      response.writeHead(status, { 'Cache-Control': 'private, max-age=31536000, immutable', 'X-Request-Id': 'mine' });
      response.end();
    });
    assert.equal((await get('/-/api/200')).headers['cache-control'], 'private, max-age=31536000, immutable');
    for (const status of [400, 404, 500, 503]) {
      assert.equal((await get(`/-/api/${status}`)).headers['cache-control'], 'no-store');
    }
    site.gateway.answer((_, response) => response.end('x'));
    const { headers } = await get('/-/api/x');
    assert.equal(headers['cache-control'], 'no-store');
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['content-security-policy'], pageSecurityPolicy(`127.0.0.1:${site.port}`));
    assert.equal(headers['x-request-id'], site.gateway.heard.at(-1)?.headers['x-request-id']);
  });
});

describe('a file of a job that is not here', () => {
  before(() => site.gateway.answer((_, response) => response.end('gateway')));
  const job = `${build}/jobs/${openJob}`;

  it('is asked of the gateway, which tells what became of it, where the job has a record', async () => {
    const paths = [`${job}/artifacts/lost.bin`, `${job}/log.txt`, `${job}/artifacts-by-id/0190a1b2/a`];
    for (const path of paths) assert.equal((await get(path)).status, 404, path);
    put(site.paths, site.paths.jobFile(place, openJob, 'job.json'), '{}');
    for (const path of paths) assert.equal(await answerer(path), 'gateway', path);
    assert.equal(await answerer(`${job}/artifacts/bare/a.txt`), 'a');
    for (const path of [
      `${job}/artifacts/bare/a.txt/x`,
      `${job}/anything`,
      `${build}/artifacts/lost.bin`,
      `${build}/other`,
    ])
      assert.ok(['gateway', 404].includes((await get(path)).status === 404 ? 404 : await answerer(path)), path);
  });

  it('is not here, and no more is said, when the gateway does not run', async () => {
    await site.gateway.close();
    const answer = await get(`${job}/artifacts/lost.bin`);
    assert.deepEqual([answer.status, faultOf(answer).error], [404, 'ERR_NOT_FOUND']);
  });
});
