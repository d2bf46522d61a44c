import assert from 'node:assert/strict';
import { chmodSync, linkSync, mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { encodePath } from '../../src/tree/paths.ts';
import { ask } from './ask.ts';
import { build, openJob, place, put, type Site, settledJob, startSite } from './site.ts';
import { until } from './until.ts';

const immutable = 'private, max-age=31536000, immutable';
const bytes = Buffer.from(Array.from({ length: 4096 }, (_, index) => index % 251));

let site: Site;
const get = (path: string, headers = {}): ReturnType<typeof ask> => ask(site.port, path, { headers });
const file = (job: string, name: string): string => site.paths.jobFile(place, job, name);
const address = (job: string, name: string): string => `${build}/jobs/${job}/${name}`;

before(async () => {
  site = await startSite();
  const marker = site.paths.settledMarker(place, settledJob);
  mkdirSync(dirname(marker), { recursive: true });
  writeFileSync(marker, '');
  put(site.paths, file(settledJob, 'artifacts/dist/app.bin'), bytes);
  put(site.paths, file(openJob, 'artifacts/dist/app.bin'), bytes);
});
after(() => site.close());

describe('files of a job', () => {
  it('are sent whole, and immutable once the job is settled', async () => {
    const answer = await get(address(settledJob, 'artifacts/dist/app.bin'));
    assert.equal(answer.status, 200);
    assert.deepEqual(answer.body, bytes);
    assert.equal(answer.headers['content-length'], '4096');
    assert.equal(answer.headers['cache-control'], immutable);
    assert.match(answer.headers.etag ?? '', /^"[0-9a-f.-]+"$/);
    assert.equal(answer.headers['last-modified'], undefined);
    assert.equal(answer.headers['accept-ranges'], 'bytes');
  });

  it('are asked for again each time until the job is settled, and at once when it no longer is', async () => {
    const path = address(openJob, 'artifacts/dist/app.bin');
    const marker = site.paths.settledMarker(place, openJob);
    assert.equal((await get(path)).headers['cache-control'], 'no-cache');
    mkdirSync(dirname(marker), { recursive: true });
    writeFileSync(marker, '');
    assert.equal((await get(path)).headers['cache-control'], immutable);
    rmSync(marker);
    assert.equal((await get(path)).headers['cache-control'], 'no-cache');
  });

  it('that are small, settled and asked for again are the same answer, until a second after they are not', async () => {
    const path = address(settledJob, 'artifacts/hot.txt');
    const target = file(settledJob, 'artifacts/hot.txt');
    put(site.paths, target, 'first');
    const facts = ({ status, headers, text }: Awaited<ReturnType<typeof get>>): unknown => {
      const { date: _, 'x-request-id': id, ...others } = headers;
      assert.match(String(id), /^[0-9a-f]{22}$/);
      return { status, headers: others, text };
    };
    const first = await get(path);
    for (let time = 0; time < 20; time += 1) assert.deepEqual(facts(await get(path)), facts(first));
    const etag = String(first.headers.etag);
    const again = await get(path, { 'If-None-Match': etag });
    assert.deepEqual([again.status, again.text, again.headers.etag], [304, '', etag]);
    assert.equal((await get(path, { 'If-Match': '"other"' })).status, 412);
    const part = await get(path, { Range: 'bytes=1-2' });
    assert.deepEqual([part.status, part.text, part.headers['content-range']], [206, 'ir', 'bytes 1-2/5']);
    const head = await ask(site.port, path, { method: 'HEAD' });
    assert.deepEqual([head.text, head.headers['content-length'], head.headers.etag], ['', '5', etag]);
    const marker = site.paths.settledMarker(place, settledJob);
    rmSync(marker);
    put(site.paths, target, 'other');
    await until('the other file is there', async () => {
      const answer = await get(path);
      assert.equal(answer.text === 'first', answer.headers.etag === etag, 'bytes and ETag belong together');
      assert.equal(answer.headers['cache-control'], answer.text === 'first' ? immutable : 'no-cache');
      return answer.text === 'other';
    });
    writeFileSync(marker, '');
  });

  it('all follow that rule but the record; the log, its page and the sums wait until they cannot grow', async () => {
    for (const name of ['log.txt', 'SHA256SUMS', 'artifacts-by-id/0190a1b2/odd name', 'job.json']) {
      put(site.paths, file(settledJob, name), 'x');
    }
    const page = site.paths.page(...build.slice(1).split('/'), 'jobs', settledJob, 'log');
    mkdirSync(dirname(page), { recursive: true });
    writeFileSync(page, 'the log');
    const caching = async (name: string): Promise<unknown> =>
      (await get(address(settledJob, name))).headers['cache-control'];
    const growing = ['log.txt', 'log/', 'SHA256SUMS'];
    assert.equal(await caching('artifacts-by-id/0190a1b2/odd%20name'), immutable);
    for (const name of growing) assert.equal(await caching(name), 'no-cache', name);
    writeFileSync(site.paths.finalMarker(place, settledJob), '');
    for (const name of growing) assert.equal(await caching(name), immutable, name);
    assert.equal(await caching('job.json'), 'no-cache');
  });

  it('are served under any name that the tree can hold', async () => {
    const names = ['a b.txt', '100%.txt', '#1.txt', 'what?.txt', '"quoted".txt', "it's.txt", 'back\\slash.txt']
      .concat([
        'Bücher/日本語.txt',
        '🙂.txt',
        '.hidden',
        '.well-known/x',
        '...',
        '..a',
        'a..',
        '-',
        '~',
        ' ',
        '%2e%2e',
        'a%2Fb',
        '%',
      ])
      .concat([
        'plus+and&amp;.txt',
        'semi;colon=1,2',
        'index.html/deep.txt',
        'jobs/settled',
        '<b>.txt',
        '[x]{y}|^`.txt',
        'é'.repeat(127),
      ]);
    for (const name of names) {
      put(site.paths, file(settledJob, `artifacts/names/${name}`), `I am ${name}`);
      const answer = await get(address(settledJob, `artifacts/names/${encodePath(name)}`));
      assert.equal(answer.status, 200, name);
      assert.equal(answer.text, `I am ${name}`);
    }
  });

  it('may have the longest path there is', async () => {
    const name = `long/${Array.from({ length: 11 }, () => 'ü'.repeat(127)).join('/')}`;
    put(site.paths, file(settledJob, `artifacts/${name}`), 'deep');
    assert.equal((await get(address(settledJob, `artifacts/${encodePath(name)}`))).text, 'deep');
  });

  it('may be empty', async () => {
    put(site.paths, file(settledJob, 'artifacts/empty'), '');
    const answer = await get(address(settledJob, 'artifacts/empty'), { Range: 'bytes=0-' });
    assert.deepEqual([answer.status, answer.headers['content-length'], answer.text], [200, '0', '']);
  });

  it('have the type of their name, and none is guessed', async () => {
    const types: Record<string, string> = {
      'report.html': 'text/html; charset=utf-8',
      'TEST.XML': 'application/xml; charset=utf-8',
      'logo.svg': 'image/svg+xml',
      'paper.pdf': 'application/pdf',
      'app.js': 'text/javascript; charset=utf-8',
      'style.css': 'text/css; charset=utf-8',
      'data.json': 'application/json; charset=utf-8',
      'build.log': 'text/plain; charset=utf-8',
      'notes.md': 'text/plain; charset=utf-8',
      'shot.png': 'image/png',
      'shot.webp': 'image/webp',
      'film.webm': 'video/webm',
      'letters.woff2': 'font/woff2',
      'page.html.gz': 'application/gzip',
      'coverage.zip': 'application/zip',
      'core.1234': 'application/octet-stream',
      html: 'application/octet-stream',
    };
    for (const [name, type] of Object.entries(types)) {
      put(site.paths, file(settledJob, `artifacts/types/${name}`), '<script>alert(1)</script>');
      const answer = await get(address(settledJob, `artifacts/types/${name}`));
      assert.equal(answer.headers['content-type'], type, name);
      assert.equal(answer.headers['content-encoding'], undefined);
      assert.ok(answer.headers.etag, name);
    }
  });

  it('can do nothing in a browser but be looked at', async () => {
    for (const name of ['report.html', 'logo.svg', 'TEST.XML', 'paper.pdf', 'core.1234']) {
      const { headers } = await get(address(settledJob, `artifacts/types/${name}`));
      const policy = String(headers['content-security-policy']);
      assert.match(policy, /^sandbox /);
      assert.match(policy, /default-src 'none'/);
      assert.doesNotMatch(policy, /allow-scripts|script-src|unsafe-eval|allow-forms|allow-top/);
      assert.equal(headers['x-content-type-options'], 'nosniff');
      assert.equal(headers['cross-origin-resource-policy'], 'same-origin');
      assert.equal(headers['referrer-policy'], 'no-referrer');
    }
  });
});

describe('a file that replaces another under its address', () => {
  const name = `${build}/artifacts/merged.txt`;

  function replace(text: string, at?: Date): void {
    const target = join(site.paths.merged(place), 'merged.txt');
    put(site.paths, target, text);
    if (at !== undefined) utimesSync(target, at, at);
  }

  it('is another one for every condition, with the same size and the same time', async () => {
    const at = new Date('2026-01-02T03:04:05.678Z');
    replace('one', at);
    const first = await get(name);
    const conditions = { 'If-None-Match': first.headers.etag, 'If-Modified-Since': new Date().toUTCString() };
    assert.equal((await get(name, conditions)).status, 304);
    for (const text of ['two', 'six', 'ten']) {
      replace(text, at);
      const next = await get(name, conditions);
      assert.deepEqual([next.status, next.text], [200, text]);
      assert.notEqual(next.headers.etag, first.headers.etag);
      const part = await get(name, { Range: 'bytes=1-', 'If-Range': first.headers.etag });
      assert.deepEqual([part.status, part.text], [200, text]);
    }
  });

  it('is another one also when it is the older one', async () => {
    replace('new', new Date('2026-01-02T00:00:00Z'));
    const { headers } = await get(name);
    replace('old', new Date('2025-01-02T00:00:00Z'));
    const next = await get(name, { 'If-Modified-Since': headers.date ?? '' });
    assert.deepEqual([next.status, next.text], [200, 'old']);
  });

  it('is never seen torn, and never with the ETag of the other', async () => {
    const [left, right] = ['l'.repeat(64 * 1024), 'r'.repeat(64 * 1024)];
    const source = [join(site.paths.staging, 'left'), join(site.paths.staging, 'right')];
    mkdirSync(site.paths.staging, { recursive: true });
    [left, right].forEach((text, index) => writeFileSync(source[index] ?? '', text));
    const target = join(site.paths.merged(place), 'merged.txt');
    const tags = new Map<string, string>();
    for (let turn = 0; turn < 200; turn += 1) {
      const asked = get(name);
      linkSync(source[turn % 2] ?? '', `${source[0]}.link`);
      renameSync(`${source[0]}.link`, target);
      const { text, headers } = await asked;
      const content = text[0] ?? '';
      if (text.length !== left.length) continue; // the file of the test before
      assert.equal(text, content === 'l' ? left : right);
      assert.equal(tags.get(content) ?? headers.etag, headers.etag);
      tags.set(content, headers.etag ?? '');
    }
    assert.equal(new Set(tags.values()).size, 2);
  });
});

describe('views, records and what is taken away', () => {
  it('are asked for again each time', async () => {
    put(site.paths, join(site.paths.step(place, 'test'), 'junit.xml'), '<x/>');
    for (const name of ['build.json', 'upstream.json'] as const)
      put(site.paths, site.paths.buildFile(place, name), '{}');
    for (const name of ['steps/test/artifacts/junit.xml', 'build.json', 'upstream.json']) {
      const answer = await get(`${build}/${name}`);
      assert.deepEqual([answer.status, answer.headers['cache-control']], [200, 'no-cache'], name);
    }
  });

  it('a file whose bytes were set aside is gone under all its names, also for root', async () => {
    put(site.paths, file(settledJob, 'artifacts/bad.txt'), 'rotten');
    assert.equal((await get(address(settledJob, 'artifacts/bad.txt'))).status, 200);
    chmodSync(file(settledJob, 'artifacts/bad.txt'), 0o000);
    utimesSync(file(settledJob, 'artifacts/bad.txt'), new Date(), new Date());
    // The gateway, which says why it is not there.
    assert.equal((await get(address(settledJob, 'artifacts/bad.txt'))).text, 'gateway\n');
  });
});
