/** verify, repair and rebuild, as an operator has them done. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { SampleBuild } from '../../demo/standin/sample.ts';
import { createHold } from '../../src/queue/hold.ts';
import { prepareData } from '../../src/tree/data.ts';
import { dataPaths } from '../../src/tree/paths.ts';
import { kitemirror } from '../commands/scene.ts';
import { digestTree, type Mirror, placeOf, stableTree, startMirror } from './harness.ts';
import { buildOf, scriptOf, textArtifact } from './samples.ts';
import { until } from './until.ts';

let mirror: Mirror;
before(async () => {
  mirror = await startMirror({ env: { KITEMIRROR_VERIFY_RATE: 'off' } });
});
after(() => mirror.stop());

const run = (...words: string[]) => kitemirror(words, mirror.environment());

async function mirrored(...texts: string[]): Promise<SampleBuild> {
  const build = buildOf([texts.map((text, index) => textArtifact(`out/${index}.txt`, text))], { logBytes: 300 });
  mirror.standIn.put(build);
  await mirror.tell(build);
  await mirror.settled(build);
  return build;
}

interface Verified {
  blobs: number;
  damaged: { blob: string; found: string }[];
  files: { pipeline: string; path: string; state: string; reason: string | null }[];
}

async function verify(...options: string[]): Promise<{ code: number | null; found: Verified }> {
  const { code, out, err } = await run('verify', '--all', '--json', ...options);
  assert.match(out, /^\{/, err);
  return { code, found: JSON.parse(out) as Verified };
}

function damage(build: SampleBuild, artifact: number): string {
  const record = mirror.job(build, scriptOf(build).id).artifacts[artifact];
  const blob = mirror.paths.blob(record?.sha256 ?? '');
  writeFileSync(blob, readFileSync(blob).toReversed());
  return blob;
}

describe('verify', () => {
  it('finds nothing wrong, and says how much it read', async () => {
    const build = await mirrored('one of two', 'two of two');
    const { code, found } = await verify();
    assert.deepEqual([code, found.damaged, found.files], [0, [], []]);
    assert.equal(found.blobs, 3);
    assert.equal(mirror.build(build).complete, true);
  });

  it('sets damaged bytes aside and has them fetched again: the same file, readable, complete', async () => {
    const build = await mirrored('will be damaged', 'will be well');
    damage(build, 0);
    const { code, found } = await verify();
    assert.equal(code, 1);
    assert.equal(found.damaged.length, 1);
    assert.deepEqual(
      found.files.map(({ path, state }) => [path, state]),
      [['out/0.txt', 'present']],
    );
    await mirror.settled(build);
    const place = placeOf(build);
    for (const file of [
      mirror.paths.jobFile(place, scriptOf(build).id, 'artifacts/out/0.txt'),
      join(mirror.paths.merged(place), 'out/0.txt'),
    ]) {
      assert.equal(readFileSync(file, 'utf8'), 'will be damaged');
      assert.notEqual(statSync(file).mode & 0o444, 0);
    }
    assert.equal(mirror.build(build).complete, true);
    assert.equal(readdirSync(mirror.paths.quarantine).length, 1);
    assert.deepEqual([readdirSync(mirror.paths.damaged), readdirSync(mirror.paths.unsettled)], [[], []]);
    assert.equal((await verify()).code, 0);
  });

  it('lets a publish of the same build end before it takes anything out', async () => {
    const build = await mirrored('damaged beside a publish');
    const job = scriptOf(build).id;
    const publishing = await createHold(mirror.redis.client).take(`publish-build/${build.id}`, false);
    assert.ok(publishing);
    damage(build, 0);
    const verifying = verify();
    const isWanted = async (): Promise<boolean> =>
      (await mirror.redis.client.exists(`kitemirror:wanted:publish-build/${build.id}`)) === 1;
    await until(isWanted, 'someone to wait for the publish');
    const [artifact] = mirror.job(build, job).artifacts;
    assert.equal(artifact?.state, 'present');
    await publishing.release();
    assert.deepEqual(
      (await verifying).found.files.map(({ path, state }) => [path, state]),
      [['out/0.txt', 'present']],
    );
    assert.equal((await mirror.settled(build)).complete, true);
  });

  it('says of what upstream no longer has that it is lost, and why', async () => {
    const build = await mirrored('gone upstream later');
    const [artifact] = scriptOf(build).artifacts;
    assert.ok(artifact);
    const expired = {
      ...build,
      jobs: build.jobs.map((job) =>
        job.type === 'script' ? { ...job, artifacts: [{ ...artifact, state: 'expired' as const }] } : job,
      ),
    };
    mirror.standIn.put(expired);
    damage(build, 0);
    const { code, found } = await verify();
    assert.equal(code, 1);
    assert.equal(found.files[0]?.state, 'lost');
    assert.match(found.files[0]?.reason ?? '', /damaged.*upstream/);
    const record = await mirror.settled(build);
    assert.deepEqual([record.settled, record.complete], [true, false]);
    assert.ok(!existsSync(join(mirror.paths.merged(placeOf(build)), 'out/0.txt')));
  });

  it('refuses options that make no sense', async () => {
    for (const options of [
      ['--rate', 'fast'],
      ['--sample', '0'],
      ['--sample', '5', '--all'],
    ]) {
      const { code, err } = await run('verify', ...options);
      assert.equal(code, 64, options.join(' '));
      assert.match(err, /--(rate|sample|all)/);
    }
  });
});

describe('backup', () => {
  it('made while the mirror runs is a mirror again when it is started on, with all its names', async () => {
    const builds = [await mirrored('backed up', 'twice'), await mirrored('backed up too')];
    await mirror.idle();
    const trees = await Promise.all(builds.map((build) => stableTree(mirror.paths.build(placeOf(build)))));
    const target = join(dirname(mirror.paths.root), 'backup');
    for (const expected of [/"files":[1-9]/, /"removed":0/]) {
      const { code, out, err } = await run('backup', target, '--json');
      assert.equal(code, 0, err);
      assert.match(out, expected);
    }
    assert.equal((await run('backup', join(mirror.paths.root, 'inside'))).code, 64);
    assert.equal((await run('backup', dirname(mirror.paths.root))).code, 64);
    await mirror.stopWorker();
    await mirror.startWorker({ KITEMIRROR_DATA: target });
    const copy = dataPaths(target);
    // A sweep that comes first must not take blobs that have no other name yet.
    await mirror.queue.enqueue({ name: 'sweep', payload: { graceMs: 0 } });
    await until(() => !existsSync(copy.rebuildDue), 'all to be made again', 60_000);
    await mirror.idle();
    for (const [index, build] of builds.entries()) {
      assert.deepEqual(await stableTree(copy.build(placeOf(build))), trees[index]);
      assert.ok(existsSync(copy.page('acme', build.pipeline.slug, 'builds', String(build.number))));
    }
    await mirror.stopWorker();
    await mirror.startWorker();
  });
});

describe('a backup of what is not there', () => {
  it('is refused, and removes nothing of the earlier one: a disk that is not mounted, another mirror', async () => {
    const target = join(dirname(mirror.paths.root), 'kept backup');
    assert.equal((await run('backup', target)).code, 0);
    const before = await digestTree(target);
    assert.ok(Object.keys(before).some((file) => file.startsWith('blobs.v1/')));
    const nowhere = dataPaths(join(dirname(mirror.paths.root), 'not mounted'));
    const backUpNowhere = () =>
      kitemirror(['backup', target], { ...mirror.environment(), KITEMIRROR_DATA: nowhere.root });
    const unmounted = await backUpNowhere();
    assert.notEqual(unmounted.code, 0);
    assert.match(unmounted.err, /holds no mirror: is KITEMIRROR_DATA right, and is its disk mounted/);
    // As a start makes it, below an empty mount point.
    await prepareData(nowhere);
    const anew = await backUpNowhere();
    assert.notEqual(anew.code, 0);
    assert.match(anew.err, /is the backup of another data folder/);
    assert.deepEqual(await digestTree(target), before);
  });
});

describe('rebuild', () => {
  it('makes pages, views, pointers, sums and lists again when they are gone, and names of files and blobs', async () => {
    const builds = [await mirrored('first build'), await mirrored('second build', 'with two')];
    await mirror.idle();
    const { paths } = mirror;
    const trees = await Promise.all(builds.map((build) => stableTree(paths.build(placeOf(build)))));
    const [first, second] = builds as [SampleBuild, SampleBuild];
    await mirror.stopWorker();
    rmSync(paths.pages, { recursive: true });
    rmSync(join(paths.state, 'pipelines'), { recursive: true });
    rmSync(join(paths.state, 'folders'), { recursive: true });
    for (const build of builds) {
      rmSync(paths.merged(placeOf(build)), { recursive: true });
      rmSync(paths.buildFile(placeOf(build), 'build.json'));
      rmSync(paths.jobFile(placeOf(build), scriptOf(build).id, 'SHA256SUMS'));
    }
    rmSync(paths.jobFile(placeOf(first), scriptOf(first).id, 'artifacts'), { recursive: true });
    rmSync(paths.blob(mirror.job(second, scriptOf(second).id).artifacts[1]?.sha256 ?? ''));
    await mirror.startWorker();
    const { code, out, err } = await run('rebuild', '--json');
    assert.equal(code, 0, out + err);
    // A file, a blob, and the sums of both jobs.
    assert.equal((JSON.parse(out) as { linked: number }).linked, 4);
    await mirror.idle();
    for (const [index, build] of builds.entries()) {
      assert.deepEqual(await stableTree(paths.build(placeOf(build))), trees[index]);
      const pipeline = build.pipeline.slug;
      for (const below of [
        [],
        ['builds'],
        ['builds', String(build.number)],
        ['builds', String(build.number), 'jobs', scriptOf(build).id, 'log'],
      ])
        assert.ok(existsSync(paths.page('acme', pipeline, ...below)), below.join('/'));
      assert.equal(
        readFileSync(paths.pointer('acme', pipeline, 'latest', 'main', 'passed'), 'utf8').trim(),
        String(build.number),
      );
      for (const marker of [paths.settledMarker, paths.finalMarker])
        assert.ok(existsSync(marker(placeOf(build), scriptOf(build).id)));
    }
    assert.equal((await verify()).code, 0);
  });

  it('is not done, and keeps blobs from the sweep, while something is in the way of a build', async () => {
    const build = await mirrored('in the way');
    await mirror.idle();
    const job = scriptOf(build).id;
    const [sums, file] = ['SHA256SUMS', 'artifacts/out/0.txt'].map((name) =>
      mirror.paths.jobFile(placeOf(build), job, name),
    );
    const { sha256 } = mirror.job(build, job).artifacts[0] ?? {};
    assert.ok(sums !== undefined && file !== undefined && sha256 != null);
    // As in a backup: the bytes have no name but their blob's.
    rmSync(mirror.paths.job(placeOf(build), job).concat('/artifacts'), { recursive: true });
    rmSync(mirror.paths.merged(placeOf(build)), { recursive: true });
    rmSync(sums);
    mkdirSync(join(sums, 'a folder where a file belongs'), { recursive: true });
    writeFileSync(mirror.paths.rebuildDue, '');
    const { code, err } = await run('rebuild', '--json');
    assert.equal(code, 1);
    assert.match(err, /the worker broke off/);
    assert.ok(existsSync(mirror.paths.rebuildDue));
    await mirror.queue.enqueue({ name: 'sweep', payload: { graceMs: 0 } }, { urgent: true });
    rmSync(sums, { recursive: true });
    await until(() => !existsSync(mirror.paths.rebuildDue), 'the rebuild to be tried again', 90_000);
    await mirror.idle();
    assert.deepEqual([existsSync(sums), readFileSync(file, 'utf8')], [true, 'in the way']);
    assert.ok(existsSync(mirror.paths.blob(sha256)));
  });

  it('puts the right bytes where others lie, keeps those, and fetches what nothing has any more', async () => {
    const build = await mirrored('right bytes', 'all names gone');
    const place = placeOf(build);
    const job = mirror.job(build, scriptOf(build).id);
    const own = (index: number): string => mirror.paths.jobFile(place, job.id, `artifacts/out/${index}.txt`);
    rmSync(own(0));
    writeFileSync(own(0), 'somebody else');
    for (const file of [
      own(1),
      join(mirror.paths.merged(place), 'out/1.txt'),
      mirror.paths.blob(job.artifacts[1]?.sha256 ?? ''),
    ])
      rmSync(file);
    const { code, out } = await run('rebuild', '--json');
    assert.deepEqual([code, (JSON.parse(out) as { gone: number }).gone], [1, 1]);
    await until(() => existsSync(own(1)), 'the file to be fetched again');
    await mirror.settled(build);
    assert.deepEqual(
      [0, 1].map((index) => readFileSync(own(index), 'utf8')),
      ['right bytes', 'all names gone'],
    );
    const kept = readdirSync(mirror.paths.quarantine).map((name) =>
      readFileSync(join(mirror.paths.quarantine, name), 'utf8'),
    );
    assert.ok(kept.includes('somebody else'));
  });
});
