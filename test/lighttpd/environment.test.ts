import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseConfig } from '../../src/config.ts';
import { contentHostsOf, hostsOf, type Machine, siteEnvironment } from '../../src/site.ts';
import { dataPaths } from '../../src/tree/paths.ts';

const machine: Machine = { version: [1, 4, 69], cores: 4, openFiles: 20_000 };

function environment(env: NodeJS.ProcessEnv, more: Partial<Machine> = {}): Record<string, string> {
  const { config } = parseConfig({ BUILDKITE_ORGANIZATION: 'acme', ...env }, 'lighttpd', '/srv');
  return siteEnvironment(config, dataPaths(config.dataRoot), '/opt/kitemirror', { ...machine, ...more });
}

describe('what Lighttpd is told', () => {
  it('is where things are, and nothing of the settings besides', () => {
    const told = environment({ KITEMIRROR_LISTEN: '0.0.0.0:80', KITEMIRROR_GATEWAY_LISTEN: '10.0.0.2:9000' });
    assert.equal(told.SITE_TREE, '/srv/data/tree');
    assert.equal(told.SITE_PAGES, '/srv/data/pages');
    assert.deepEqual([told.SITE_BIND, told.SITE_PORT], ['0.0.0.0', '80']);
    assert.deepEqual([told.SITE_RECEIVER_HOST, told.SITE_RECEIVER_PORT], ['/srv/data/run/receiver.sock', '0']);
    assert.deepEqual([told.SITE_GATEWAY_HOST, told.SITE_GATEWAY_PORT], ['10.0.0.2', '9000']);
    assert.ok(Object.keys(told).every((name) => name === 'TZ' || name.startsWith('SITE_')));
  });

  it('is an IPv6 address in its brackets', () => {
    assert.equal(environment({ KITEMIRROR_LISTEN: '[::1]:8080' }).SITE_BIND, '[::1]');
  });

  it('lets HTTP/2 out where it is asked for, or where the release has its hardening', () => {
    const speaks = (version: Machine['version'], wish = 'auto'): string | undefined =>
      environment({ KITEMIRROR_HTTP2: wish }, { version }).SITE_HTTP2;
    for (const old of [
      [1, 4, 69],
      [1, 4, 82],
      [1, 3, 99],
      [0, 9, 99],
    ] as const)
      assert.equal(speaks(old), 'disable');
    for (const since of [
      [1, 4, 83],
      [1, 4, 100],
      [1, 5, 0],
      [2, 0, 0],
    ] as const)
      assert.equal(speaks(since), 'enable');
    assert.equal(speaks([1, 4, 69], 'on'), 'enable');
    assert.equal(speaks([1, 5, 0], 'off'), 'disable');
  });

  it('is at least two workers, and no more descriptors than an old release can count', () => {
    const told = environment({}, { cores: 1, openFiles: Number.POSITIVE_INFINITY });
    assert.deepEqual([told.SITE_WORKERS, told.SITE_MAX_FDS, told.SITE_MAX_CONNECTIONS], ['2', '65535', '4096']);
    const small = environment({}, { openFiles: 1024 });
    assert.deepEqual([small.SITE_MAX_FDS, small.SITE_MAX_CONNECTIONS], ['1024', '102']);
  });

  it('holds no control character', () => {
    assert.throws(() => environment({ KITEMIRROR_DATA: '/srv/a\tb' }), { code: 'ERR_CONFIG', message: /SITE_/ });
  });
});

describe('the hosts that are answered', () => {
  const hosts = (url: string, port = 8080): string[] => hostsOf({ url: new URL(url), listen: { host: 'x', port } });

  it('are the public name alone, with its own port, and with the port that is listened on', () => {
    assert.deepEqual(hosts('https://ci.example.com'), ['ci.example.com', 'ci.example.com:443', 'ci.example.com:8080']);
    assert.deepEqual(hosts('http://CI.example.com:81/', 81), ['ci.example.com', 'ci.example.com:81']);
    assert.deepEqual(hosts('http://[2001:db8::1]:81', 81), ['[2001:db8::1]', '[2001:db8::1]:81']);
  });

  it('are all loopback names where the public one is one of them', () => {
    for (const url of ['http://127.0.0.1:8080', 'http://localhost:8080', 'http://[::1]:8080']) {
      assert.deepEqual(hosts(url), [
        '127.0.0.1',
        '127.0.0.1:8080',
        'localhost',
        'localhost:8080',
        '[::1]',
        '[::1]:8080',
      ]);
    }
  });
});

describe('the content origin', () => {
  const settings = (url: string, contentUrl?: string): NodeJS.ProcessEnv => ({
    BUILDKITE_ORGANIZATION: 'acme',
    KITEMIRROR_URL: url,
    KITEMIRROR_CONTENT_URL: contentUrl,
  });
  const parse = (url: string, contentUrl?: string): string | null =>
    parseConfig(settings(url, contentUrl), 'lighttpd', '/srv').config.contentUrl;

  it('is there by itself beside a loopback URL, and nowhere else', () => {
    assert.equal(parse('http://127.0.0.1:8080'), 'http://*.localhost:8080');
    assert.equal(parse('http://localhost'), 'http://*.localhost');
    assert.equal(parse('https://[::1]:81'), 'https://*.localhost:81');
    assert.equal(parse('http://127.0.0.1:8080', 'off'), null);
    assert.equal(parse('https://ci.example.com'), null);
  });

  it('is a wildcard host, in the spelling of browsers', () => {
    assert.equal(parse('https://ci.example.com', 'https://*.Content.example.net'), 'https://*.content.example.net');
    assert.equal(
      parse('https://ci.example.com', 'HTTPS://*.content.example.net:443/'),
      'https://*.content.example.net',
    );
    for (const value of [
      'https://content.example.net',
      'https://a.*.example.net',
      'https://*',
      'https://*.',
      '*.example.net',
      'https://*.*.example.net',
      'https://*.example.net/path',
      'https://*.example.net?a',
      'https://user@*.example.net',
      'https://*.user@example.net',
      'https://*.127.0.0.1',
      'https://*.[::1]',
      'https://*.example.net:99999',
      'ftp://*.example.net',
    ]) {
      assert.throws(() => parse('https://ci.example.com', value), /KITEMIRROR_CONTENT_URL is "[^\n]*wildcard/, value);
    }
  });

  it('shares neither its domain nor its cookies with the mirror, and is as well guarded on the way', () => {
    for (const value of ['https://*.ci.example.com', 'https://*.example.com', 'https://*.a.ci.example.com']) {
      assert.throws(() => parse('https://ci.example.com', value), /share a domain/, value);
    }
    assert.throws(() => parse('https://ci.example.com', 'http://*.example.net'), /must agree/);
    assert.equal(parse('http://localhost:8080', 'http://*.localhost:8080'), 'http://*.localhost:8080');
    assert.throws(() => parse('ftp://x', 'https://*.example.net'), /^MirrorError: 1 fault/);
  });

  it('is known by its hosts, with the ports that the mirror has', () => {
    const hosts = (contentUrl: string | null): string[] =>
      contentHostsOf({ contentUrl, listen: { host: 'x', port: 90 } });
    assert.deepEqual(hosts('https://*.example.net'), ['.example.net', '.example.net:443', '.example.net:90']);
    assert.deepEqual(hosts(null), []);
  });
});
