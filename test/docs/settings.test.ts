/** The README's settings are those that the programs read, with the defaults that they have. */
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { basename, resolve } from 'node:path';
import { test } from 'node:test';
import { parseConfig } from '../../src/config.ts';
import { codeIn, readDocument, root, tableAfter } from './markdown.ts';

const readme = readDocument('README.md');
const rows = tableAfter(readme, 'settings').map(([name = '', value = '']) => ({ name: codeIn(name)[0] ?? '', value }));
const minimal = { BUILDKITE_ORGANIZATION: 'acme', BUILDKITE_API_TOKEN: 'a', BUILDKITE_WEBHOOK_TOKEN: 'b' };

function parse(env: NodeJS.ProcessEnv): ReturnType<typeof parseConfig> {
  return parseConfig(env, 'all', root);
}

/** Every name that a parse looks for. `X_FILE` goes with its `X`. */
function namesRead(): Set<string> {
  const names = new Set<string>();
  const env = new Proxy<NodeJS.ProcessEnv>(
    { ...minimal },
    {
      get: (target, name) => {
        names.add(String(name).replace(/_FILE$/, ''));
        return Reflect.get(target, name) as unknown;
      },
    },
  );
  parse(env);
  return names;
}

test('the README has every setting that is read, and no other', () => {
  assert.deepEqual(rows.map(({ name }) => name).toSorted(), [...namesRead()].toSorted());
});

test('every setting of the README is accepted by name', () => {
  for (const name of rows.map((row) => row.name)) {
    assert.doesNotThrow(() => parse({ ...minimal, [name]: minimal[name as keyof typeof minimal] ?? '' }), name);
  }
});

test('a setting that has a default in the README changes nothing when it is set to that', () => {
  const literal = rows.filter(({ value }) => /^`[^`]+`$/.test(value));
  assert.ok(literal.length > 10);
  for (const { name, value } of literal) {
    const { config } = parse({ ...minimal, [name]: codeIn(value)[0] });
    assert.deepEqual(config, parse(minimal).config, name);
  }
});

test('a setting that the README calls required is missed', () => {
  const required = rows.filter(({ value }) => value === 'required').map(({ name }) => name);
  assert.deepEqual(required, Object.keys(minimal));
  for (const name of required)
    assert.throws(() => parse({ ...minimal, [name]: '' }), new RegExp(`${name}[^\\n]* is required`));
});

test('the defaults that the README tells in words are so', () => {
  const words = Object.fromEntries(
    rows.filter(({ value }) => !value.includes('`')).map((row) => [row.name, row.value]),
  );
  const { config, secrets } = parse(minimal);
  const { receiverListen, gatewayListen } = config;
  const told: Record<string, string> = {
    KITEMIRROR_DOWNLOAD_HOSTS: config.downloadHosts === null ? "Buildkite's own storage hosts" : '',
    KITEMIRROR_S3_BUCKETS: config.s3Buckets.length === 0 ? 'none' : '',
    AWS_ENDPOINT_URL_S3: config.s3Endpoint === null ? 'AWS' : '',
    KITEMIRROR_MAX_ARTIFACT_BYTES: config.maxArtifactBytes === null ? 'no limit' : '',
    KITEMIRROR_MIN_FREE: config.minFreeBytes === null ? 'the larger of 5 % of the disk and 10 GiB' : '',
    KITEMIRROR_RETENTION_RULES: config.retention.rules.length === 1 ? 'no file' : '',
    KITEMIRROR_RECEIVER_LISTEN: 'path' in receiverListen ? 'a Unix socket' : '',
    KITEMIRROR_GATEWAY_LISTEN: 'path' in gatewayListen ? 'a Unix socket' : '',
    KITEMIRROR_CONCURRENCY:
      config.concurrency === Math.min(64, 16 * availableParallelism()) ? '16 for each processor, at most 64' : '',
    BUILDKITE_PORTAL_URL: config.portalUrl === null ? 'none' : '',
    BUILDKITE_PORTAL_TOKEN: secrets.portalToken === null ? 'none' : '',
    KITEMIRROR_TLS_CERT: config.tls === null ? 'none' : '',
    KITEMIRROR_TLS_KEY: config.tls === null ? 'none' : '',
    KITEMIRROR_TRUSTED_PROXIES: config.reach.trustedProxies.length === 0 ? 'none' : '',
    REDIS_URL: secrets.redisUrl === null ? 'a private redis-server' : '',
  };
  const ofIdentity = [
    'ISSUER',
    'CLIENT_ID',
    'CLIENT_SECRET',
    'ASSERTION_HEADER',
    'ASSERTION_JWKS_URL',
    'ASSERTION_AUDIENCE',
  ];
  for (const name of ['KITEMIRROR_POLICY', ...ofIdentity.map((each) => `KITEMIRROR_OIDC_${each}`)])
    told[name] = config.identity === null && secrets.oidcClientSecret === null ? 'none' : '';
  for (const name of Object.keys(minimal)) told[name] = 'required';
  assert.deepEqual(words, told);
  assert.equal(config.dataRoot, resolve(root, 'data'));
  assert.equal(basename('path' in receiverListen ? receiverListen.path : ''), 'receiver.sock');
});

test('the example of a .env holds settings of the README only', () => {
  const lines = readDocument('deploy/.env.example').split('\n');
  const names = lines.flatMap((line) => /^(?:# )?([A-Z_]+)=/.exec(line)?.[1] ?? []);
  const known = new Set(rows.map(({ name }) => name));
  assert.ok(names.length > 5);
  assert.deepEqual(
    names.filter((name) => !known.has(name)),
    [],
  );
});
