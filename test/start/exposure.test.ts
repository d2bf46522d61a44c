/** What a start must not let out, and what it must say of who can read. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeExposure, exposureOf } from '../../src/config/exposure.ts';
import { parseConfig } from '../../src/config.ts';
import { hiddenValues } from '../../src/supervise/hidden.ts';

const minimal = {
  BUILDKITE_ORGANIZATION: 'acme',
  BUILDKITE_API_TOKEN: 'bkua_1',
  BUILDKITE_WEBHOOK_TOKEN: 'hook-1,hook-2',
};
const parse = (more: NodeJS.ProcessEnv = {}): ReturnType<typeof parseConfig> =>
  parseConfig({ ...minimal, ...more }, 'all', '/srv');

test('every secret of the settings is hidden, each of several, a password in both its spellings, and those of AWS', () => {
  const env = {
    BUILDKITE_PORTAL_URL: 'https://portal.example/x',
    BUILDKITE_PORTAL_TOKEN: 'bkpat_1',
    KITEMIRROR_OIDC_CLIENT_SECRET: 'client-secret',
    REDIS_URL: 'rediss://user:pass%2Fword@redis.example',
    AWS_SECRET_ACCESS_KEY: 'aws-secret',
    AWS_SESSION_TOKEN: 'aws-session',
    AWS_WEB_IDENTITY_TOKEN_FILE: '/var/run/token',
    AWS_ACCESS_KEY_ID: 'AKIA1',
  };
  const { secrets } = parse(env);
  const hidden = hiddenValues(secrets, env);
  const secret = [
    'bkua_1',
    'hook-1',
    'hook-2',
    'bkpat_1',
    'client-secret',
    'pass%2Fword',
    'pass/word',
    'aws-secret',
    'aws-session',
  ];
  assert.deepEqual(
    secret.filter((value) => !hidden.includes(value)),
    [],
  );
  assert.ok(!hidden.includes('/var/run/token') && !hidden.includes('AKIA1'));
  // Whatever secret is added to the settings is one of these.
  for (const each of Object.values(secrets)) assert.ok(each !== null && hidden.includes(each.reveal()));
});

test('the start says whether the mirror is open, and how it is reached from beyond this machine', () => {
  const said = (more: NodeJS.ProcessEnv): string => describeExposure(exposureOf(parse(more).config));
  assert.equal(
    said({}),
    'open: no identity is set up, whoever reaches it reads everything; only this machine reaches it',
  );
  for (const [more, how] of [
    [{ KITEMIRROR_LISTEN: '0.0.0.0:8080' }, /^open: .*\(KITEMIRROR_LISTEN is on 0\.0\.0\.0\)$/],
    [{ KITEMIRROR_LISTEN: '[::]:8080' }, /^open: .*\(KITEMIRROR_LISTEN is on ::\)$/],
    [{ KITEMIRROR_URL: 'https://ci.example.com' }, /^open: .*\(KITEMIRROR_URL is https:\/\/ci\.example\.com\)$/],
    [{ KITEMIRROR_TRUSTED_PROXIES: '10.0.0.1' }, /^open: .*\(KITEMIRROR_TRUSTED_PROXIES is set\)$/],
    [{ KITEMIRROR_POLICY: 'policy.yml' }, /^nothing is read but what the policy allows; only this machine reaches it$/],
  ] as const)
    assert.match(said(more), how);
  for (const host of ['127.0.0.1', '127.0.0.9', '[::1]', 'localhost'])
    assert.match(said({ KITEMIRROR_LISTEN: `${host}:8080` }), /only this machine/, host);
});

test('identity over plain http beyond this machine stops the start, whatever identity comes by', () => {
  const identities: NodeJS.ProcessEnv[] = [
    { KITEMIRROR_POLICY: 'policy.yml' },
    { KITEMIRROR_OIDC_ISSUER: 'https://login.example', KITEMIRROR_OIDC_CLIENT_ID: 'mirror' },
    {
      KITEMIRROR_OIDC_ISSUER: 'https://login.example',
      KITEMIRROR_OIDC_ASSERTION_HEADER: 'x-assertion',
      KITEMIRROR_OIDC_ASSERTION_JWKS_URL: 'https://login.example/jwks',
      KITEMIRROR_OIDC_ASSERTION_AUDIENCE: 'mirror',
    },
  ];
  for (const identity of identities) {
    for (const url of ['http://ci.example.com', 'http://10.0.0.1:8080', 'http://localhost.example.com'])
      assert.throws(() => parse({ ...identity, KITEMIRROR_URL: url }), {
        code: 'ERR_CONFIG',
        message: new RegExp(`KITEMIRROR_URL is ${url}: identity needs https`),
      });
    assert.equal(parse({ ...identity, KITEMIRROR_URL: 'https://ci.example.com' }).config.identity?.isSecure, true);
    for (const url of ['http://localhost:8080', 'http://127.0.0.1:8080', 'http://[::1]:8080'])
      assert.equal(parse({ ...identity, KITEMIRROR_URL: url }).config.identity?.isSecure, false);
  }
  assert.equal(parse({ KITEMIRROR_URL: 'http://ci.example.com' }).config.identity, null);
});

test('identity stops the start where Lighttpd listens beyond this machine with no https of its own and no front that is named', () => {
  const identity = { KITEMIRROR_POLICY: 'policy.yml' };
  const certificate = { KITEMIRROR_TLS_CERT: 'cert.pem', KITEMIRROR_TLS_KEY: 'key.pem' };
  const front = { KITEMIRROR_TRUSTED_PROXIES: '10.0.0.7' };
  const https = { KITEMIRROR_URL: 'https://ci.example.com' };
  for (const [listen, host] of [
    ['0.0.0.0:8080', '0\\.0\\.0\\.0'],
    ['[::]:8080', '::'],
    ['10.1.2.3:80', '10\\.1\\.2\\.3'],
    ['ci.example.com:8080', 'ci\\.example\\.com'],
  ] as const) {
    const beyond = { ...identity, KITEMIRROR_LISTEN: listen };
    for (const url of [{}, { KITEMIRROR_URL: 'http://127.0.0.1:8080' }, https])
      assert.throws(() => parse({ ...beyond, ...url }), {
        code: 'ERR_CONFIG',
        message: new RegExp(
          `KITEMIRROR_LISTEN is on ${host}: identity needs https.*KITEMIRROR_TLS_CERT.*KITEMIRROR_TRUSTED_PROXIES.*127`,
        ),
      });
    for (const more of [certificate, front])
      assert.notEqual(parse({ ...beyond, ...https, ...more }).config.identity, null);
    assert.equal(parse({ KITEMIRROR_LISTEN: listen }).config.identity, null);
  }
  const fault = { code: 'ERR_CONFIG', message: /^1 fault .*\n {2}- KITEMIRROR_LISTEN is not host:port/ };
  assert.throws(() => parse({ ...identity, KITEMIRROR_LISTEN: 'anywhere' }), fault);
  for (const listen of ['127.0.0.1:8080', '127.0.0.9:80', '[::1]:8080', 'localhost:8080'])
    assert.notEqual(parse({ ...identity, ...https, KITEMIRROR_LISTEN: listen }).config.identity, null);
});
