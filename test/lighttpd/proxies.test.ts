/** Behind proxies of KITEMIRROR_TRUSTED_PROXIES: readers are who these say, and nobody else is believed. */
import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { parseConfig } from '../../src/config.ts';
import { proxiesSnippet } from '../../src/site.ts';
import { ask, faultOf, type Question } from './ask.ts';
import { type Heard, type Site, startSite } from './site.ts';

/** A peer that is not listed: all of 127.0.0.0/8 is this machine's. */
const stranger = '127.0.0.2';
const reader = '203.0.113.7';
let site: Site;

before(async () => {
  site = await startSite({ KITEMIRROR_TRUSTED_PROXIES: '127.0.0.1, 10.0.0.0/8, 2001:db8:a::/48' });
});
after(() => site.close());

async function heard(headers: NonNullable<Question['headers']>, from = '127.0.0.1'): Promise<Heard['headers']> {
  assert.equal((await ask(site.port, '/-/api/x', { headers, from })).status, 200);
  return site.gateway.heard.pop()?.headers ?? {};
}

async function addressOf(forwarded: string, from?: string): Promise<unknown> {
  return (await heard({ 'X-Forwarded-For': forwarded }, from))['x-kitemirror-address'];
}

describe('a reader behind a trusted proxy', () => {
  it('is the last address that is none of the proxies’, over any number of hops', async () => {
    assert.equal(await addressOf(reader), reader);
    assert.equal(await addressOf(`${reader}, 10.1.1.1`), reader);
    assert.equal(await addressOf(`${reader},10.1.1.1 , 2001:db8:a::9, 10.255.0.3`), reader);
    assert.equal(await addressOf('2001:db8:b::1, 10.1.1.1'), '2001:db8:b::1');
  });

  it('cannot put another address before their own', async () => {
    assert.equal(await addressOf(`198.51.100.1, 10.9.9.9, ${reader}`), reader);
    assert.equal(await addressOf(`198.51.100.1, ${reader}, 10.1.1.1`), reader);
    const twice = await heard({ 'X-Forwarded-For': ['198.51.100.1', reader] });
    assert.equal(twice['x-kitemirror-address'], reader);
  });

  it('is the proxy itself where it tells nothing that is an address', async () => {
    for (const nothing of [
      '',
      'unknown',
      '10.1.1.1',
      '10.1.1.1:4711',
      '_hidden',
      '999.1.1.1:4711',
      `${reader}:x`,
      '<script>',
    ])
      assert.equal(await addressOf(nothing), '127.0.0.1', nothing);
  });

  it('is found behind a port, over several hops, and told apart from the next one', async () => {
    assert.equal(await addressOf(`${reader}:4711`), reader);
    assert.equal(await addressOf(`198.51.100.1:80, ${reader}:4711, 10.1.1.1:80`), reader);
    assert.equal(await addressOf('[2001:db8:b::1]:4711, 10.1.1.1'), '2001:db8:b::1');
    assert.equal(await addressOf(`${reader}:4711`, stranger), stranger);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const seen: unknown[] = [];
    for (const address of [`${reader}:4711`, null]) {
      const headers = address === null ? {} : { 'X-Forwarded-For': address };
      await new Promise<void>((resolve, reject) => {
        const path = `/-/api/ported?page=${seen.length}`;
        const asked = { port: site.port, host: '127.0.0.1', path, agent, headers };
        request(asked, (response) => void text(response).then(() => resolve(), reject))
          .on('error', reject)
          .end();
      });
      seen.push(site.gateway.heard.pop()?.headers['x-kitemirror-address']);
    }
    agent.destroy();
    assert.deepEqual(seen, [reader, '127.0.0.1']);
    // Each was a connection of its own, and another process may have written the second line first.
    const lines = await site.logged('/-/api/ported', 2);
    assert.deepEqual(
      new Map(lines.map(({ ip, query }) => [query, ip])),
      new Map(seen.map((ip, i) => [`page=${i}`, ip])),
    );
  });

  it('is told apart from the next one on the same connection, in the log as well', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const seen: unknown[] = [];
    for (const address of [reader, null, '203.0.113.8']) {
      await new Promise<void>((resolve, reject) => {
        const headers = address === null ? {} : { 'X-Forwarded-For': address };
        const path = `/-/api/kept?page=${seen.length}`;
        request({ port: site.port, host: '127.0.0.1', path, agent, headers }, (response) => {
          void text(response).then(() => resolve(), reject);
        })
          .on('error', reject)
          .end();
      });
      seen.push(site.gateway.heard.pop()?.headers['x-kitemirror-address']);
    }
    agent.destroy();
    assert.deepEqual(seen, [reader, '127.0.0.1', '203.0.113.8']);
    const lines = await site.logged('/-/api/kept', 3);
    assert.deepEqual(
      lines.map(({ ip, query }) => [query, ip]),
      seen.map((address, index) => [`page=${index}`, address]),
    );
  });
});

describe('what else is said on the way', () => {
  it('counts nothing from a peer that is not listed', async () => {
    assert.equal(await addressOf(reader, stranger), stranger);
    const headers = await heard({ 'X-Forwarded-For': reader, 'X-Forwarded-Proto': 'https' }, stranger);
    assert.equal(headers['x-forwarded-proto'], 'http');
    await ask(site.port, '/none/a', { headers: { 'X-Forwarded-For': reader }, from: stranger });
    assert.deepEqual(
      (await site.logged('/none/a')).map(({ ip }) => ip),
      [stranger],
    );
  });

  it('of the host, the address or the protocol counts nothing from a trusted one either', async () => {
    const forged = {
      'X-Forwarded-Host': 'evil.example',
      Forwarded: 'for=198.51.100.1;host=evil.example',
      'X-Real-IP': '198.51.100.2',
    };
    const headers = await heard({ ...forged, 'X-Forwarded-For': reader });
    assert.equal(headers['x-kitemirror-address'], reader);
    assert.doesNotMatch(JSON.stringify(headers), /evil|198\.51/);
    const misdirected = await ask(site.port, '/none', {
      headers: { Host: 'evil.example', 'X-Forwarded-Host': `127.0.0.1:${site.port}`, 'X-Forwarded-For': reader },
    });
    assert.equal(misdirected.status, 421);
    assert.equal(faultOf(misdirected).error, 'ERR_MISDIRECTED');
    for (const proto of ['http', 'https', 'javascript']) {
      const answer = await ask(site.port, '/-/healthz', {
        headers: { 'X-Forwarded-Proto': proto, 'X-Forwarded-For': reader },
      });
      assert.equal(answer.status, 200);
      assert.equal(answer.headers['strict-transport-security'], undefined);
    }
  });
});

describe('the setting', () => {
  const parse = (value: string, more: NodeJS.ProcessEnv = {}): string => {
    const env = { BUILDKITE_ORGANIZATION: 'acme', KITEMIRROR_TRUSTED_PROXIES: value, ...more };
    return proxiesSnippet(parseConfig(env, 'lighttpd', '/srv').config);
  };

  it('takes addresses and ranges, and nothing that could be read as anything else', () => {
    assert.match(
      parse('10.0.0.7,::1, fd00::/8'),
      /\( "10\.0\.0\.7\/32" => "trust", "::1\/128" => "trust", "fd00::\/8" => "trust" \)/,
    );
    for (const value of [
      'all',
      'proxy.example.com',
      '10.0.0.0/33',
      '10.0.0',
      '10.0.0.1:80',
      '[::1]',
      '"',
      '10.0.0.1 10.0.0.2',
      ',',
    ])
      assert.throws(() => parse(value), /KITEMIRROR_TRUSTED_PROXIES/, value);
  });

  it('refuses everybody as a proxy', () => {
    for (const value of ['0.0.0.0/0', '10.0.0.1,::/0'])
      assert.throws(() => parse(value), /KITEMIRROR_TRUSTED_PROXIES has "[^"]+\/0", by which anybody/);
  });

  it('and HTTP/2 do not go together: streams of one connection share an address in Lighttpd', () => {
    assert.throws(() => parse('10.0.0.1', { KITEMIRROR_HTTP2: 'on' }), /KITEMIRROR_HTTP2 cannot be on beside/);
  });

  it('is needed: without it a proxy’s word counts nothing', async () => {
    const plain = await startSite();
    try {
      await ask(plain.port, '/-/api/x', { headers: { 'X-Forwarded-For': reader } });
      assert.equal(plain.gateway.heard.pop()?.headers['x-kitemirror-address'], '127.0.0.1');
    } finally {
      await plain.close();
    }
  });
});
