/** Each program is told the settings, its own secrets, and nothing else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { environmentOf, type NodeProgram } from '../../src/supervise/environments.ts';

const told = {
  PATH: '/usr/bin',
  BUILDKITE_ORGANIZATION: 'acme',
  BUILDKITE_API_TOKEN: 'api',
  BUILDKITE_WEBHOOK_TOKEN_FILE: '/run/secrets/webhook',
  BUILDKITE_PORTAL_TOKEN: 'portal',
  KITEMIRROR_OIDC_CLIENT_SECRET: 'oidc',
  KITEMIRROR_DATA: '/data',
  AWS_ACCESS_KEY_ID: 'key',
  AWS_SECRET_ACCESS_KEY: 'secret',
  AWS_ENDPOINT_URL_S3: 'https://s3.example',
  GITHUB_TOKEN: 'of another program',
};
const everybody = ['BUILDKITE_ORGANIZATION', 'KITEMIRROR_DATA', 'PATH'];
const programs: Record<NodeProgram, readonly string[]> = {
  receiver: ['BUILDKITE_WEBHOOK_TOKEN_FILE'],
  gateway: ['KITEMIRROR_OIDC_CLIENT_SECRET'],
  worker: [
    'BUILDKITE_API_TOKEN',
    'BUILDKITE_PORTAL_TOKEN',
    'AWS_ACCESS_KEY_ID',
    'AWS_SECRET_ACCESS_KEY',
    'AWS_ENDPOINT_URL_S3',
  ],
  lighttpd: [],
};

for (const [program, own] of Object.entries(programs)) {
  test(`${program} is told ${own.join(', ') || 'no secret'}, and no secret of the others`, () => {
    const names = Object.keys(environmentOf(program as NodeProgram, told));
    assert.deepEqual(names.toSorted(), [...everybody, ...own].toSorted());
  });
}
