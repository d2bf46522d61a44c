/** A backup is made while something is taken away, and after a disk has damaged something: what a restore of it brings back. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, it } from 'node:test';
import type { SampleBuild } from '../../demo/standin/sample.ts';
import { backUp } from '../../src/tree/backup.ts';
import { type DataPaths, dataPaths } from '../../src/tree/paths.ts';
import { kitemirror } from '../commands/scene.ts';
import { digestFile, digestTree, type Mirror, placeOf, readJson, startMirror } from './harness.ts';
import { buildOf, downloads, scriptOf, textArtifact, withArtifact } from './samples.ts';
import { until } from './until.ts';

const dayMs = 86_400_000;
let mirror: Mirror;
before(async () => {
  const retention = { KITEMIRROR_RETENTION_ARTIFACTS_AGE: '30d', KITEMIRROR_RETENTION_BUILDS_AGE: '365d' };
  mirror = await startMirror({ env: { KITEMIRROR_VERIFY_RATE: 'off', ...retention } });
});
after(() => mirror.stop());

const run = (...words: string[]) => kitemirror(words, mirror.environment());
const { signal } = new AbortController();

let number = 0;

/** One pipeline's, each newer than the last. */
async function mirrored(days: number, texts: string[], message = 'a change'): Promise<SampleBuild> {
  const artifacts = texts.map((text, at) => textArtifact(`out/${at}.txt`, text));
  number += 1;
  const options = { pipeline: 'web', number, logBytes: 300, finishedAt: Date.now() - days * dayMs };
  const build = { ...buildOf([artifacts], options), message };
  mirror.standIn.put(build);
  await mirror.tell(build);
  await mirror.settled(build);
  return build;
}

const targetOf = (name: string): DataPaths => dataPaths(join(dirname(mirror.paths.root), name));
const own = (paths: DataPaths, build: SampleBuild, at: number): string =>
  paths.jobFile(placeOf(build), scriptOf(build).id, `artifacts/out/${at}.txt`);
const recordOf = (paths: DataPaths, build: SampleBuild): string =>
  paths.jobFile(placeOf(build), scriptOf(build).id, 'job.json');
const digestOf = (build: SampleBuild, at: number): string =>
  mirror.job(build, scriptOf(build).id).artifacts[at]?.sha256 ?? '';

/** Starts on a copy, with nothing to be removed by age, and lets it come to rest and sweep. */
async function restored(copy: DataPaths): Promise<void> {
  await mirror.stopWorker();
  const ages = { KITEMIRROR_RETENTION_ARTIFACTS_AGE: 'never', KITEMIRROR_RETENTION_BUILDS_AGE: 'never' };
  await mirror.startWorker({ KITEMIRROR_DATA: copy.root, ...ages });
  await until(() => !existsSync(copy.rebuildDue), 'all to be made again', 60_000);
  await mirror.idle();
  await mirror.queue.enqueue({ name: 'sweep', payload: { graceMs: 0 } }, { urgent: true });
  await mirror.idle();
}

async function backToWork(): Promise<void> {
  await mirror.stopWorker();
  await mirror.startWorker();
}

it('what is dropped and purged after its records were copied stays away or is whole', async (t) => {
  t.after(backToWork);
  const value = 'hunter2-secret';
  const input = join(dirname(mirror.paths.root), 'value.txt');
  writeFileSync(input, value);
  const whole = await mirrored(400, ['dropped whole']);
  const inPart = await mirrored(40, ['dropped in part']);
  const leaked = await mirrored(1, [`key=${value}`, 'harmless'], `with ${value}`);
  const sha256 = digestOf(leaked, 0);
  const [copy, copied] = [targetOf('beside'), digestOf(inPart, 0)];
  let isDone = false;
  const onProgress = async (): Promise<void> => {
    if (isDone || ![inPart, whole, leaked].every((build) => existsSync(recordOf(copy, build)))) return;
    isDone = true;
    assert.equal((await run('purge', '--value', input)).code, 0);
    assert.equal((await run('retention')).code, 0);
    await mirror.idle();
    await mirror.queue.enqueue({ name: 'sweep', payload: { graceMs: 0 } }, { urgent: true });
    await mirror.idle();
    assert.deepEqual(
      [copied, sha256].map((digest) => existsSync(mirror.paths.blob(digest))),
      [false, false],
    );
  };
  await backUp(mirror.paths, copy.root, { signal, onProgress });
  assert.ok(isDone);
  assert.ok(!Object.values(await digestTree(copy.root)).includes(sha256));

  const fetched = (): [string, number][] =>
    [...downloads(mirror.standIn.requests)].filter(([path]) => path.includes(scriptOf(inPart).id));
  const asked = fetched();
  assert.equal(asked.length, 1);
  await restored(copy);
  assert.ok(
    !Object.values(await digestTree(copy.root)).includes(sha256),
    'what was purged is nowhere, though Buildkite has it',
  );
  assert.equal(readJson<{ message: string }>(copy.buildFile(placeOf(leaked), 'build.json')).message, 'with [purged]');
  const record = readJson<{ artifacts: { state: string }[] }>(recordOf(copy, leaked));
  assert.deepEqual(
    record.artifacts.map(({ state }) => state),
    ['purged', 'present'],
  );
  assert.equal(readFileSync(own(copy, leaked, 1), 'utf8'), 'harmless');
  assert.equal(readFileSync(own(copy, inPart, 0), 'utf8'), 'dropped in part');
  assert.deepEqual([existsSync(copy.build(placeOf(whole))), existsSync(copy.droppedBuild(whole.id))], [false, true]);
  assert.deepEqual(fetched(), asked);
});

it('bytes that were damaged here since the last backup stay in it, and those that it has damaged are copied anew', async (t) => {
  t.after(backToWork);
  const build = await mirrored(1, ['the last good copy', 'damaged before the first']);
  const copy = targetOf('damaged');
  const damage = (at: number): void => {
    const blob = mirror.paths.blob(digestOf(build, at));
    writeFileSync(blob, readFileSync(blob).toReversed());
  };
  damage(1);
  await backUp(mirror.paths, copy.root, { signal, onProgress: () => undefined });
  mirror.standIn.put(withArtifact(build, 0, 0, { state: 'expired' }));
  damage(0);
  assert.equal((await run('verify', '--all')).code, 1);
  await mirror.settled(build);
  assert.deepEqual(
    mirror.job(build, scriptOf(build).id).artifacts.map(({ state }) => state),
    ['lost', 'present'],
  );
  const digests = [0, 1].map((at) => digestOf(build, at));
  for (const _ of [1, 2]) {
    await backUp(mirror.paths, copy.root, { signal, onProgress: () => undefined });
    assert.deepEqual(
      digests.map((digest) => digestFile(copy.blob(digest))),
      digests,
    );
  }
  await restored(copy);
  assert.equal(readFileSync(own(copy, build, 0), 'utf8'), 'the last good copy');
  const { complete } = readJson<{ complete: boolean }>(copy.buildFile(placeOf(build), 'build.json'));
  assert.equal(complete, true);
});
