import assert from 'node:assert/strict';
import { truncateSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { ask, faultOf } from './ask.ts';
import { build, openJob, place, put, type Site, startSite } from './site.ts';

const name = `${build}/jobs/${openJob}/artifacts/alphabet.txt`;
const alphabet = 'abcdefghijklmnopqrstuvwxyz';

let site: Site;
let etag: string;
const get = (headers: Record<string, string>, path = name): ReturnType<typeof ask> => ask(site.port, path, { headers });

before(async () => {
  site = await startSite();
  put(site.paths, site.paths.jobFile(place, openJob, 'artifacts/alphabet.txt'), alphabet);
  etag = (await get({})).headers.etag ?? '';
});
after(() => site.close());

describe('conditions', () => {
  it('answer 304 to who has the file, with what a cache needs and without a body', async () => {
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`, `"other",W/${etag}`, '*']) {
      const answer = await get({ 'If-None-Match': known });
      assert.equal(answer.status, 304, known);
      assert.equal(answer.text, '');
      assert.equal(answer.headers.etag, etag);
      assert.equal(answer.headers['cache-control'], 'no-cache');
      assert.equal(answer.headers['content-length'], undefined);
      assert.match(String(answer.headers['content-security-policy']), /^sandbox/);
    }
    for (const known of ['"other"', etag.slice(1, -1), `${etag.slice(0, -1)}x"`, '', '"']) {
      assert.equal((await get({ 'If-None-Match': known })).status, 200, known);
    }
  });

  it('do not go by time, for there is none to go by', async () => {
    const later = new Date(Date.now() + 86_400_000).toUTCString();
    assert.equal((await get({ 'If-Modified-Since': later })).status, 200);
    assert.equal((await get({ 'If-Modified-Since': later, 'If-None-Match': '"other"' })).status, 200);
    assert.equal((await get({ Range: 'bytes=0-1', 'If-Range': later })).status, 200);
  });

  it('hold before ranges do', async () => {
    assert.equal((await get({ Range: 'bytes=0-1', 'If-None-Match': etag })).status, 304);
    assert.equal((await get({ Range: 'bytes=99-', 'If-None-Match': etag })).status, 304);
    assert.equal((await get({ Range: 'bytes=0-1', 'If-None-Match': '"other"' })).status, 206);
  });

  it('answer 412 to If-Match with another file in mind', async () => {
    assert.equal((await get({ 'If-Match': etag })).status, 200);
    assert.equal((await get({ 'If-Match': '*' })).status, 200);
    for (const wanted of ['"other"', `W/${etag}`]) {
      const answer = await get({ 'If-Match': wanted });
      assert.deepEqual([answer.status, faultOf(answer).error], [412, 'ERR_PRECONDITION_FAILED']);
    }
  });

  it('hold for HEAD too, which never has a body', async () => {
    const head = await ask(site.port, name, { method: 'HEAD' });
    assert.deepEqual([head.status, head.text, head.headers['content-length']], [200, '', '26']);
    assert.equal(head.headers.etag, etag);
    assert.equal((await ask(site.port, name, { method: 'HEAD', headers: { 'If-None-Match': etag } })).status, 304);
    const missing = await ask(site.port, `${name}x`, { method: 'HEAD' });
    assert.deepEqual([missing.status, missing.text], [404, '']);
    assert.ok(Number(missing.headers['content-length']) > 0);
  });
});

describe('ranges', () => {
  it('give the part that was asked for', async () => {
    const parts: Record<string, string> = {
      'bytes=0-0': 'a',
      'bytes=2-4': 'cde',
      'bytes=20-': 'uvwxyz',
      'bytes=-3': 'xyz',
      'bytes=-99': alphabet,
      'bytes=24-999999999999': 'yz',
      'BYTES=1-1': 'b',
    };
    for (const [range, part] of Object.entries(parts)) {
      const answer = await get({ Range: range });
      assert.deepEqual([answer.status, answer.text], [206, part], range);
      const from = alphabet.indexOf(part);
      assert.equal(answer.headers['content-range'], `bytes ${from}-${from + part.length - 1}/26`);
      assert.equal(answer.headers['cache-control'], 'no-cache');
      assert.equal(answer.headers.etag, etag);
    }
  });

  it('may be several', async () => {
    const wide = `${build}/jobs/${openJob}/artifacts/wide.txt`;
    put(site.paths, site.paths.jobFile(place, openJob, 'artifacts/wide.txt'), `first${' '.repeat(500)}last`);
    const answer = await get({ Range: 'bytes=0-4, -4' }, wide);
    assert.equal(answer.status, 206);
    assert.match(String(answer.headers['content-type']), /^multipart\/byteranges/);
    assert.match(answer.text, /bytes 0-4\/509\r\n\r\nfirst\r\n[\s\S]+bytes 505-508\/509\r\n\r\nlast\r\n/);
  });

  it('beyond the end are an error that says where the end is', async () => {
    for (const range of ['bytes=26-', 'bytes=99-100', 'bytes=-0', 'bytes=30-40,50-60']) {
      const answer = await get({ Range: range });
      assert.deepEqual([answer.status, faultOf(answer).error], [416, 'ERR_RANGE_UNSATISFIABLE'], range);
      assert.equal(answer.headers['content-range'], 'bytes */26');
      assert.equal(answer.headers['cache-control'], 'no-store');
      assert.equal(answer.headers.etag, undefined);
    }
  });

  it('that are none are as if they were not there', async () => {
    const none = ['bytes=', 'bytes=x-y', 'bytes=5-2', 'bytes=-', 'lines=1-2', 'bytes 0-1', 'bytes=0-1,x', 'bytes=- 5'];
    const tooLong = [`bytes=0-${'9'.repeat(30)}`, `bytes=-${'9'.repeat(19)}`, `bytes=${'9'.repeat(19)}-`];
    for (const range of [...none, ...tooLong]) {
      assert.deepEqual([(await get({ Range: range })).status, range], [200, range]);
    }
    assert.equal((await ask(site.port, name, { method: 'HEAD', headers: { Range: 'bytes=99-' } })).status, 200);
  });

  it('are of the file that If-Range names, or of none', async () => {
    assert.equal((await get({ Range: 'bytes=0-0', 'If-Range': etag })).status, 206);
    for (const known of ['"other"', `W/${etag}`, 'x']) {
      const answer = await get({ Range: 'bytes=0-0', 'If-Range': known });
      assert.deepEqual([answer.status, answer.text], [200, alphabet], known);
      assert.equal((await get({ Range: 'bytes=99-', 'If-Range': known })).status, 200, known);
    }
  });

  it('reach the end of a file larger than 4 GiB', async () => {
    const large = `${build}/jobs/${openJob}/artifacts/large.bin`;
    const file = site.paths.jobFile(place, openJob, 'artifacts/large.bin');
    put(site.paths, file, 'x');
    truncateSync(file, 5 * 2 ** 30 + 7);
    const answer = await get({ Range: 'bytes=-4' }, large);
    assert.deepEqual([answer.status, answer.body], [206, Buffer.alloc(4)]);
    assert.equal(answer.headers['content-range'], 'bytes 5368709123-5368709126/5368709127');
    assert.equal((await ask(site.port, large, { method: 'HEAD' })).headers['content-length'], '5368709127');
  });

  it('are of files alone: what is answered in words is answered whole', async () => {
    assert.equal((await get({ Range: 'bytes=9-' }, '/-/healthz')).status, 200);
    assert.equal((await get({ Range: 'bytes=9-99' }, '/acme/')).text, 'gateway\n');
  });
});
