/** `npm run demo -- --once`: the main job end to end, as a stranger runs it. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { sampleBuilds } from '../../demo/samples/builds.ts';
import { root, run } from './scene.ts';

interface Event {
  readonly event: string;
  readonly folder?: string;
  readonly number?: number;
  readonly present?: number;
  readonly expected?: number;
  readonly files?: number;
  readonly faults?: readonly string[];
}

test('each sample build is mirrored whole, every byte, page and redirect is as it should be, and nothing is left', async () => {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME };
  const { code, out, err } = await run(
    join(root, 'bin', 'node'),
    [join(root, 'demo', 'main.ts'), '--once', '--json'],
    env,
  );
  assert.equal(code, 0, `${out}\n${err}`);
  const events = out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Event);
  const mirrored = events.filter(({ event }) => event === 'mirrored');
  const builds = sampleBuilds({ now: Date.now() });
  assert.deepEqual(numbersOf(mirrored), numbersOf(builds));
  assert.ok(mirrored.every(({ present, expected }) => present === expected));
  const checked = events.find(({ event }) => event === 'checked');
  assert.deepEqual(checked?.faults, []);
  assert.ok((checked?.files ?? 0) > 400);
  const folder = events.find(({ event }) => event === 'data')?.folder ?? '';
  assert.equal(existsSync(folder), false);
});

test('an option that does not exist is told with the usage, exit 64', async () => {
  const { code, err } = await run(join(root, 'bin', 'node'), [join(root, 'demo', 'main.ts'), '--onec'], process.env);
  assert.equal(code, 64);
  assert.match(err, /--onec[^]*Usage: npm run demo/);
});

function numbersOf(builds: readonly { readonly number?: number }[]): number[] {
  return builds.map(({ number }) => number ?? 0).toSorted((left, right) => left - right);
}
