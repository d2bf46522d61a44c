import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseConfig } from '../../src/config.ts';
import { hostsOf, type Machine, siteEnvironment } from '../../src/site.ts';
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
