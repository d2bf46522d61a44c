/** The content origin as a client meets it: which host shows which file, and with what. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Place } from '../../src/tree/paths.ts';
import { ask, faultOf } from './ask.ts';
import { build, openJob, place, put, type Site, settledJob, startSite } from './site.ts';
import { until } from './until.ts';

const uuids = { mine: '0190a1b2-aaaa-4000-8000-000000000001', other: '0190a1b2-bbbb-4000-8000-000000000002' };
const other: Place = { ...place, number: 43 };
const report = `${build}/jobs/${openJob}/artifacts/report`;

let site: Site;

/** As worked out elsewhere than in the gate. @param line of the file of keys */
function labelOf(uuid: string, line = 0): string {
  const key = readFileSync(site.paths.contentKeys, 'utf8').split('\n')[line] ?? '';
  return createHmac('sha256', Buffer.from(key, 'hex')).update(`kitemirror content\n${uuid}`).digest('hex').slice(0, 40);
}

function record(at: Place, id: string, name = 'Web'): void {
  const { organization, number } = at;
  const text = JSON.stringify({ version: 1, organization, pipeline: 'web', pipeline_name: name, number, id, jobs: [] });
  put(site.paths, site.paths.buildFile(at, 'build.json'), `${text}\n`);
}

const under = (label: string, path: string, more: Parameters<typeof ask>[2] = {}): ReturnType<typeof ask> =>
  ask(site.port, path, { ...more, headers: { ...more.headers, Host: `${label}.localhost:${site.port}` } });
const mine = (path: string, more: Parameters<typeof ask>[2] = {}): ReturnType<typeof ask> =>
  under(labelOf(uuids.mine), path, more);

before(async () => {
  site = await startSite();
  record(place, uuids.mine);
  record(other, uuids.other);
  const { paths } = site;
  put(paths, paths.jobFile(place, openJob, 'artifacts/report/index.html'), '<script src=app.js></script>');
  put(paths, paths.jobFile(place, openJob, 'artifacts/report/app.js'), 'document.title = "ran"');
  put(paths, paths.jobFile(place, openJob, 'artifacts/report/deep/index.html'), 'deep');
  put(paths, paths.jobFile(place, openJob, 'artifacts/bare/a.txt'), 'a');
  put(paths, paths.jobFile(place, openJob, 'artifacts-by-id/some-id/a.html'), 'by id');
  put(paths, paths.jobFile(place, settledJob, 'artifacts/a.html'), 'settled');
  for (const file of ['job.json', 'log.txt', 'SHA256SUMS']) put(paths, paths.jobFile(place, openJob, file), '{}');
  put(paths, paths.buildFile(place, 'upstream.json'), '{}');
  put(paths, join(paths.merged(place), 'report/index.html'), 'merged');
  put(paths, join(paths.step(place, 'lint'), 'index.html'), 'step');
  put(paths, join(paths.merged(other), 'secret.html'), 'of another build');
  for (const path of [[], build.slice(1).split('/')]) {
    mkdirSync(dirname(paths.page(...path)), { recursive: true });
    writeFileSync(paths.page(...path), 'a page of ours');
  }
  mkdirSync(dirname(paths.settledMarker(place, settledJob)), { recursive: true });
  writeFileSync(paths.settledMarker(place, settledJob), '');
});
after(() => site.close());

describe('the host of a build', () => {
  it('shows that build’s artifacts, at each of their addresses', async () => {
    const shown: Record<string, string> = {
      [`${report}/`]: '<script src=app.js></script>',
      [`${report}/app.js`]: 'document.title = "ran"',
      [`${report}/deep/`]: 'deep',
      [`${build}/jobs/${openJob}/artifacts-by-id/some-id/a.html`]: 'by id',
      [`${build}/artifacts/report/`]: 'merged',
      [`${build}/steps/lint/artifacts/`]: 'step',
    };
    for (const [path, text] of Object.entries(shown)) {
      const answer = await mine(path);
      assert.deepEqual([answer.status, answer.text], [200, text], path);
    }
    const slash = await mine(`${report}/deep?a=1`);
    assert.deepEqual([slash.status, slash.headers.location], [301, `${report}/deep/?a=1`]);
    const part = await mine(`${report}/app.js`, { headers: { Range: 'bytes=0-7' } });
    assert.deepEqual([part.status, part.text], [206, 'document']);
    const tag = String((await mine(`${report}/app.js`)).headers.etag);
    assert.equal((await mine(`${report}/app.js`, { headers: { 'If-None-Match': tag } })).status, 304);
  });

  it('lets scripts run, and reach nothing else', async () => {
    for (const path of [`${report}/`, `${report}/app.js`, `${build}/artifacts/report/index.html`]) {
      const { headers } = await mine(path);
      const policy = String(headers['content-security-policy']);
      assert.match(policy, /^default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:;/);
      assert.match(policy, /frame-ancestors 'self'/);
      assert.equal(headers['cross-origin-resource-policy'], 'same-origin');
      assert.equal(headers['cross-origin-opener-policy'], 'same-origin');
      assert.equal(headers['x-content-type-options'], 'nosniff');
      assert.equal(headers['referrer-policy'], 'no-referrer');
      assert.equal(headers['access-control-allow-origin'], undefined);
      assert.equal(headers['set-cookie'], undefined);
    }
  });

  it('calls immutable what a settled job has, and nothing else', async () => {
    const settled = await mine(`${build}/jobs/${settledJob}/artifacts/a.html`);
    assert.equal(settled.headers['cache-control'], 'private, max-age=31536000, immutable');
    for (const path of [`${report}/app.js`, `${build}/artifacts/report/`])
      assert.equal((await mine(path)).headers['cache-control'], 'no-cache');
  });

  it('has none of our pages, records and logs, and no back end', async () => {
    const job = `${build}/jobs/${openJob}`;
    const absent = [
      '/',
      '/acme/',
      `${build}/`,
      `${build}/build.json`,
      `${build}/upstream.json`,
      `${job}/`,
      `${job}/job.json`,
      `${job}/log.txt`,
      `${job}/log/`,
      `${job}/SHA256SUMS`,
      `${job}/artifacts/bare/`,
      `${job}/artifacts/bare/?list`,
      `${job}/artifacts/none.html`,
      '/acme/web/latest/main/-/artifacts/report/',
      '/organizations/acme/pipelines/web/builds/42',
      '/-/healthz',
      '/-/readyz',
      '/-/api/x',
      '/-/auth/login',
    ];
    for (const path of absent) {
      const answer = await mine(path);
      assert.deepEqual([answer.status, faultOf(answer).error], [404, 'ERR_NOT_FOUND'], path);
    }
    const posted = await mine('/-/webhooks/buildkite', { method: 'POST', body: '{}' });
    assert.deepEqual([posted.status, posted.headers.allow], [405, 'GET, HEAD']);
    assert.deepEqual([site.receiver.heard.length, site.gateway.heard.length], [0, 0]);
  });
});

describe('a host that is not the build’s', () => {
  it('shows nothing of it, and tells nothing of what there is', async () => {
    const wrong = labelOf(uuids.other);
    const answers = [
      await under(wrong, `${report}/`),
      await under(wrong, `${build}/artifacts/none`),
      await under(wrong, '/acme/web/builds/999/artifacts/report/'),
      await under('0'.repeat(40), `${report}/`),
      await mine('/acme/web/builds/43/artifacts/secret.html'),
    ];
    for (const answer of answers) {
      const fault = faultOf(answer);
      assert.deepEqual([answer.status, fault.error], [404, 'ERR_NOT_FOUND']);
      assert.equal(fault.message, faultOf(answers[0] ?? { text: '' }).message);
    }
    assert.equal((await under(wrong, '/acme/web/builds/43/artifacts/secret.html')).text, 'of another build');
  });

  it('is no host of ours at all where its form is another', async () => {
    const label = labelOf(uuids.mine);
    const forms = [
      label.slice(1),
      `${label}0`,
      `x${label.slice(1)}`,
      `a.${label}`,
      `${label}.a`,
      'www',
      `${label.slice(0, 39)}-`,
    ];
    for (const form of forms) assert.equal((await under(form, `${report}/`)).status, 421, form);
    for (const host of [`${label}.example.com`, `${label}.localhost:1`, `${label}localhost`, label]) {
      assert.equal((await ask(site.port, `${report}/`, { headers: { Host: host } })).status, 421, host);
    }
    const shouted = await ask(site.port, `${report}/app.js`, {
      headers: { Host: `${label.toUpperCase()}.LOCALHOST:${site.port}` },
    });
    assert.equal(shouted.status, 200);
  });

  it('is an old one, once another build has the address', async () => {
    const at: Place = { ...place, number: 44 };
    const path = '/acme/web/builds/44/artifacts/a.html';
    record(at, uuids.mine);
    put(site.paths, join(site.paths.merged(at), 'a.html'), 'first');
    assert.equal((await mine(path)).text, 'first');
    record(at, uuids.other);
    assert.equal((await mine(path)).status, 404);
    assert.equal((await under(labelOf(uuids.other), path)).status, 200);
  });

  it('cannot be had by a name that looks like an id in the record', async () => {
    const at: Place = { ...place, number: 45 };
    record(at, uuids.other, `","id":"${uuids.mine}","`);
    put(site.paths, join(site.paths.merged(at), 'a.html'), 'a');
    assert.equal((await mine('/acme/web/builds/45/artifacts/a.html')).status, 404);
    assert.equal((await under(labelOf(uuids.other), '/acme/web/builds/45/artifacts/a.html')).status, 200);
  });
});

describe('`?open` on the mirror’s own host', () => {
  it('leads to the same file on the build’s host', async () => {
    const origin = `http://${labelOf(uuids.mine)}.localhost:${site.port}`;
    for (const [asked, location] of [
      [`${report}/?open`, `${report}/`],
      [`${report}/index.html?open`, `${report}/index.html`],
      [`${report}/a%20b%3F.html?x=1&open=&y`, `${report}/a%20b%3F.html?x=1&y`],
      [`${build}/artifacts/report/?open`, `${build}/artifacts/report/`],
    ] as const) {
      const answer = await ask(site.port, asked);
      assert.deepEqual([answer.status, answer.headers.location], [302, origin + location]);
      assert.equal(answer.headers['cache-control'], 'no-store');
    }
  });

  it('means nothing elsewhere, and without the question files stay inert', async () => {
    assert.equal((await ask(site.port, `${build}/build.json?open`)).status, 200);
    assert.equal((await ask(site.port, '/acme/web/builds/999/artifacts/x?open')).status, 404);
    const inert = await ask(site.port, `${report}/index.html?opening`);
    assert.equal(inert.status, 200);
    assert.match(String(inert.headers['content-security-policy']), /^sandbox/);
  });

  it('is kept by a stable address', async () => {
    const file = site.paths.pointer('acme', 'web', 'latest', 'main', 'any');
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, '42\n');
    const answer = await ask(site.port, '/acme/web/latest/main/-/artifacts/report/?state=any&open');
    assert.equal(answer.headers.location, `${build}/artifacts/report/?open`);
  });
});

describe('the keys of the content origin', () => {
  it('are made at the first start, for their owner alone', () => {
    assert.match(readFileSync(site.paths.contentKeys, 'utf8'), /^[0-9a-f]{64}\n$/);
  });

  it('can be exchanged without a restart: the newest makes labels, the one before is believed, older ones are not', async () => {
    const keys = readFileSync(site.paths.contentKeys, 'utf8');
    const first = labelOf(uuids.mine);
    const exchange = async (text: string): Promise<void> => {
      writeFileSync(`${site.paths.contentKeys}.next`, text);
      renameSync(`${site.paths.contentKeys}.next`, site.paths.contentKeys);
      // Each of Lighttpd's processes looks by itself: the new label must be led to many times in a row.
      let agreed = 0;
      await until('the new key makes labels', async () => {
        const { headers } = await ask(site.port, `${report}/?open`);
        agreed = headers.location?.includes(labelOf(uuids.mine)) === true ? agreed + 1 : 0;
        return agreed >= 40;
      });
    };
    await exchange(`${'ab'.repeat(32)}\n${keys}`);
    assert.notEqual(labelOf(uuids.mine), first);
    assert.equal((await mine(`${report}/`)).status, 200);
    assert.equal((await under(first, `${report}/`)).status, 200);
    await exchange(`${'cd'.repeat(32)}\n${'ab'.repeat(32)}\n${keys}`);
    assert.equal((await under(first, `${report}/`)).status, 404);
    assert.equal((await under(labelOf(uuids.mine, 1), `${report}/`)).status, 200);
  });

  it('stay the last good ones while their file is not readable as keys', async () => {
    const label = labelOf(uuids.mine);
    writeFileSync(site.paths.contentKeys, 'torn');
    await until('the gate has told of it', async () => {
      assert.equal((await under(label, `${report}/`)).status, 200);
      return site.said().includes('content origin');
    });
    assert.equal((await under(label, `${report}/`)).status, 200);
  });
});

it('there is no such origin where none is set', async () => {
  const bare = await startSite({ KITEMIRROR_CONTENT_URL: 'off' });
  try {
    const text = JSON.stringify({ version: 1, id: uuids.mine });
    put(bare.paths, bare.paths.buildFile(place, 'build.json'), text);
    put(bare.paths, join(bare.paths.merged(place), 'a.html'), 'a');
    const path = `${build}/artifacts/a.html`;
    assert.equal((await ask(bare.port, `${path}?open`)).status, 200);
    const headers = { Host: `${labelOf(uuids.mine)}.localhost:${bare.port}` };
    assert.equal((await ask(bare.port, path, { headers })).status, 421);
  } finally {
    await bare.close();
  }
});
