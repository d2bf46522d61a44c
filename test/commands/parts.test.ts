import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openBuilds, openRedis, openRest, openTasks } from '../../src/commands/parts.ts';
import { parseConfig } from '../../src/config.ts';

const folder = mkdtempSync(join(tmpdir(), 'kitemirror-'));
const ending: (() => unknown)[] = [];
after(async () => {
  for (const step of ending.toReversed()) await step();
  rmSync(folder, { recursive: true });
});

const env = { BUILDKITE_ORGANIZATION: 'acme', KITEMIRROR_DATA: folder, REDIS_URL: `unix://${folder}/no.sock` };
const settings = parseConfig(env, 'command', folder);
const context = { settings: () => settings, onEnd: (step: () => unknown) => void ending.push(step) };

test('a command starts without secrets, and asks for those that it needs', async () => {
  assert.equal(settings.secrets.apiToken, null);
  const redis = { disconnect: () => {} } as unknown as Parameters<typeof openRest>[1];
  assert.throws(() => openRest(context, redis, 'bulk'), /BUILDKITE_API_TOKEN is required/);
});

test('a Redis that is not there is told with a remedy, in bounded time', { timeout: 30_000 }, async () => {
  await assert.rejects(
    openTasks(context),
    /Redis cannot be reached \(connect ENOENT .*\): is `kitemirror start` running/,
  );
  await assert.rejects(openRedis(context, 'worker'), /REDIS_URL/);
});

test('a data folder without builds says so', () => {
  assert.throws(() => openBuilds(context), /there is no catalog at .*has a worker run here\?/);
});
