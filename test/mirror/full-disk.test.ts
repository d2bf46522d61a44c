import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { hash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { sha1Of } from '../../demo/standin/bytes.ts';
import type { SampleBuild } from '../../demo/standin/sample.ts';
import { errnoOf } from '../../src/errors.ts';
import { smallDisk } from '../tree/small-disk.ts';
import { type Mirror, placeOf, startMirror } from './harness.ts';
import { newBuild, scriptOf } from './samples.ts';
import { until } from './until.ts';

const mib = 1024 * 1024;
const dayMs = 86_400_000;

async function onSmallDisk(
  t: TestContext,
  env: Record<string, string> = {},
  size = '32m',
): Promise<{ mirror: Mirror; disk: string } | null> {
  const disk = smallDisk(t, size);
  if (disk === null) return null;
  const mirror = await startMirror({ within: disk, env });
  t.after(() => mirror.stop());
  return { mirror, disk };
}

/** Leaves only so many bytes free. @returns gives them back */
function fill(disk: string, leave: number): () => void {
  const { bavail, bsize } = statfsSync(disk);
  const file = join(disk, 'filler');
  try {
    writeFileSync(file, Buffer.alloc(Math.max(0, bavail * bsize - leave)));
  } catch (thrown) {
    // The worker writes too: then it is full all the same.
    if (errnoOf(thrown) !== 'ENOSPC') throw thrown;
  }
  return () => rmSync(file);
}

/** Nothing that is visible is anything but what upstream has. */
function assertWhole(mirror: Mirror, build: SampleBuild): number {
  const sums = new Map(scriptOf(build).artifacts.map(({ path, content }) => [path, sha1Of(content)]));
  const folder = mirror.paths.jobFile(placeOf(build), scriptOf(build).id, 'artifacts');
  let files = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    assert.equal(hash('sha1', readFileSync(file)), sums.get(file.slice(folder.length + 1)), file);
    files += 1;
  }
  return files;
}

const sample = (): SampleBuild => newBuild({ jobs: 1, artifactsPerJob: 12, bytes: mib });

describe('a disk that is full', { concurrency: true }, () => {
  it('is waited for before it is full: no attempt is spent, and all goes on when there is room', async (t) => {
    const small = await onSmallDisk(t);
    if (small === null) return;
    const { mirror, disk } = small;
    const build = sample();
    mirror.standIn.put(build);
    const free = fill(disk, 6 * mib);
    await mirror.tell(build);
    await until(
      () => mirror.output.some((line) => line.includes('ERR_TREE_FULL')),
      'the disk to be called full',
      40_000,
    );
    const shown = assertWhole(mirror, build);
    assert.ok(shown > 0 && shown < 12, `${shown} of 12 are there`);
    assert.equal(mirror.job(build, scriptOf(build).id).settled, false);
    free();
    const record = await mirror.settled(build, 60_000);
    assert.deepEqual([record.complete, assertWhole(mirror, build)], [true, 12]);
    assert.ok(!mirror.output.some((line) => line.includes('task has failed')));
  });

  it('has the policy applied: what it lets go of makes room for what waits', async (t) => {
    const small = await onSmallDisk(t, { KITEMIRROR_RETENTION_ARTIFACTS_AGE: '30d' });
    if (small === null) return;
    const { mirror, disk } = small;
    const pipeline = 'shortage';
    const aged = (days: number, bytes: number): SampleBuild =>
      newBuild({ jobs: 1, artifactsPerJob: 12, bytes, pipeline, finishedAt: Date.now() - days * dayMs });
    const [old, latest, fresh] = [aged(40, mib), aged(39, 1000), aged(0, mib)];
    for (const build of [old, latest]) {
      mirror.standIn.put(build);
      await mirror.tell(build);
      await mirror.settled(build);
    }
    const before = mirror.job(old, scriptOf(old).id).artifacts;
    assert.ok(before.length === 12 && before.every(({ state }) => state === 'present'));
    fill(disk, 6 * mib);
    mirror.standIn.put(fresh);
    await mirror.tell(fresh);
    const record = await mirror.settled(fresh, 90_000);
    assert.deepEqual([record.complete, assertWhole(mirror, fresh)], [true, 12]);
    assert.ok(mirror.job(old, scriptOf(old).id).artifacts.every(({ state }) => state === 'dropped'));
    assert.ok(mirror.output.some((line) => line.includes('downloads wait for room')));
  });

  it('is asked for room for logs, too', async (t) => {
    const small = await onSmallDisk(t, { KITEMIRROR_MIN_FREE: String(12 * mib) });
    if (small === null) return;
    const { mirror, disk } = small;
    const build = newBuild({ jobs: 1, artifactsPerJob: 0, logBytes: 3000 });
    mirror.standIn.put(build);
    const free = fill(disk, 10 * mib);
    await mirror.tell(build);
    await until(() => mirror.output.some((line) => line.includes('ERR_TREE_FULL')), 'the log to wait', 60_000);
    const isLog = ({ path }: { path: string }): boolean => /\/jobs\/[^/]+\/log/.test(path);
    assert.deepEqual(mirror.standIn.requests.filter(isLog), []);
    free();
    assert.equal((await mirror.settled(build, 60_000)).complete, true);
    assert.ok(mirror.standIn.requests.some(isLog));
  });

  it('in the middle of downloads tears nothing, and leaves nothing in staging', async (t) => {
    const small = await onSmallDisk(t);
    if (small === null) return;
    const { mirror, disk } = small;
    const build = sample();
    mirror.standIn.put(build);
    mirror.standIn.faults.add({ at: 'storage', path: /./, kind: 'drip', bytesPerSecond: 700_000, times: 12 });
    await mirror.tell(build);
    await until(() => readdirSync(mirror.paths.staging).length > 3, 'the downloads to begin', 40_000);
    const free = fill(disk, 0);
    await until(() => mirror.output.some((line) => line.includes('ERR_TREE_FULL')), 'the disk to be full', 40_000);
    await until(() => readdirSync(mirror.paths.staging).length === 0, 'staging to be left clean', 20_000);
    free();
    const record = await mirror.settled(build, 60_000);
    assert.deepEqual([record.complete, assertWhole(mirror, build)], [true, 12]);
  });

  it('of inodes is as full as one of bytes: it is waited for, and all goes on when there are some', async (t) => {
    const small = await onSmallDisk(t, {}, '32m,nr_inodes=1200');
    if (small === null) return;
    const { mirror, disk } = small;
    const build = newBuild({ jobs: 1, artifactsPerJob: 12, bytes: 1000 });
    mirror.standIn.put(build);
    const folder = join(disk, 'names');
    mkdirSync(folder);
    const { ffree } = statfsSync(disk);
    // Some are left: for the record that says what waits.
    for (let at = 0; at < ffree - 11; at += 1) writeFileSync(join(folder, String(at)), '');
    await mirror.tell(build);
    await until(
      () => mirror.output.some((line) => line.includes('ERR_TREE_FULL')),
      'the disk to be called full',
      40_000,
    );
    rmSync(folder, { recursive: true });
    const record = await mirror.settled(build, 60_000);
    assert.deepEqual([record.complete, assertWhole(mirror, build)], [true, 12]);
  });
});

// After the others: a mirror more at the same time would be one too many for a small machine.
describe('a disk that is too small', () => {
  it('that can never hold a file refuses it, and has it once it was made larger', async (t) => {
    const small = await onSmallDisk(t, { KITEMIRROR_RECONCILE_SECONDS: '2' });
    if (small === null) return;
    const { mirror, disk } = small;
    const build = newBuild({ jobs: 1, artifactsPerJob: 2, bytes: (_job, at) => (at === 0 ? 40 * mib : 1000) });
    mirror.standIn.put(build);
    await mirror.tell(build);
    await mirror.settled(build, 120_000);
    const states = () => mirror.job(build, scriptOf(build).id).artifacts.map(({ state }) => state);
    assert.deepEqual(states(), ['refused', 'present']);
    execFileSync('mount', ['-o', 'remount,size=256m', disk]);
    const record = await mirror.settled(build, 120_000, ({ complete }) => complete);
    assert.deepEqual([record.complete, assertWhole(mirror, build)], [true, 2]);
  });
});
