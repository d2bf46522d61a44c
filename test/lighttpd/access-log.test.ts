import assert from 'node:assert/strict';
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ask, askRaw } from './ask.ts';
import { build, openJob, place, put, type Site, startSite } from './site.ts';
import { until } from './until.ts';

let site: Site;
const file = `${build}/jobs/${openJob}/artifacts/a.txt`;

before(async () => {
  site = await startSite();
  put(site.paths, site.paths.jobFile(place, openJob, 'artifacts/a.txt'), 'ten bytes\n');
});
after(() => site.close());

describe('the access log', () => {
  it('has one object a request: who, what, how it ended, how long it took, under the id of the answer', async () => {
    const { headers } = await ask(site.port, `${file}?v=1&w="x"`, {
      headers: {
        'User-Agent': 'curl/8 "q" \\',
        Referer: 'http://127.0.0.1/\t',
        Authorization: 'Bearer sesame',
        Cookie: 'c=sesame',
      },
    });
    const [entry] = await site.logged('a.txt');
    const { ts, duration_us: duration, ...rest } = entry ?? {};
    assert.deepEqual(rest, {
      id: headers['x-request-id'],
      ip: '127.0.0.1',
      method: 'GET',
      url: file,
      query: 'v&w',
      status: 200,
      bytes: '10',
      user_agent: 'curl/8 "q" \\',
      referer: 'http://127.0.0.1/',
      subject: '-',
      kind: '-',
      issuer: '-',
      decision: '-',
      reason: '-',
    });
    assert.match(String(ts), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.ok(Math.abs(Date.parse(String(ts)) - Date.now()) < 60_000);
    assert.equal(typeof duration, 'number');
    assert.ok(!JSON.stringify(entry).includes('sesame'));
  });

  it('has what was refused, and what a back end answered, under the id that the back end was told', async () => {
    const refused = await ask(site.port, '/logged/refused', { method: 'DELETE' });
    await ask(site.port, '/logged/gateway/');
    const entries = await site.logged('/logged/', 2);
    const told = entries.map(({ method, url, status }) => `${String(method)} ${String(url)} ${String(status)}`);
    assert.deepEqual(new Set(told), new Set(['GET /logged/gateway/ 200', 'DELETE /logged/refused 405']));
    assert.ok(entries.some(({ id }) => id === refused.headers['x-request-id']));
    assert.ok(entries.some(({ id }) => id === site.gateway.heard.at(-1)?.headers['x-request-id']));
  });

  it('is JSON whatever a client sends', async () => {
    const bad = Buffer.from([0xff, 0xfe, 0xc3, 0x28, 0x22, 0x5c]);
    const rest = Buffer.from(`\r\nHost: 127.0.0.1:${site.port}\r\nConnection: close\r\n\r\n`);
    const heads = ['User-Agent: ', 'Referer: ', 'Cookie: '].map((name) =>
      Buffer.from(`GET /odd/x HTTP/1.1\r\n${name}`),
    );
    for (const head of heads)
      assert.match(await askRaw(site.port, Buffer.concat([head, bad, rest])), /^HTTP\/1\.1 404/);
    const line = (path: Buffer): Buffer =>
      Buffer.concat([Buffer.from('GET /odd/'), path, Buffer.from(' HTTP/1.1'), rest]);
    await askRaw(site.port, line(bad));
    await askRaw(site.port, line(Buffer.concat([Buffer.from('y?q='), bad])));
    const both = Buffer.concat([Buffer.from('GET /odd/../z HTTP/1.1\r\nUser-Agent: '), bad, rest]);
    await askRaw(site.port, both);
    await askRaw(site.port, Buffer.concat([bad, Buffer.from(' /odd/q HTTP/1.1'), rest]));
    await askRaw(site.port, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    // Every line is parsed on the way.
    const entries = await site.logged('/odd/', 5);
    assert.ok(entries.every(({ status }) => typeof status === 'number'));
    assert.ok(entries.some(({ user_agent: agent }) => agent === '%ff%fe%c3%28%22%5c' || String(agent).startsWith('%')));
  });

  it('is opened anew on SIGHUP, as whoever rotates it expects', async () => {
    const log = join(site.paths.logs, 'access.log');
    await ask(site.port, '/before');
    await site.logged('/before');
    renameSync(log, `${log}.1`);
    site.child.kill('SIGHUP');
    await until('the new file is written', async () => {
      await ask(site.port, '/after');
      return existsSync(log) && readFileSync(log, 'utf8').includes('/after');
    });
    assert.equal((await ask(site.port, file)).status, 200);
  });
});
