/** What the mirror knows of its own work and cannot read any more is made again; `verify` and `rebuild` find the rest. */
import assert from 'node:assert/strict';
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { SampleBuild } from '../../demo/standin/sample.ts';
import { readReconcileState } from '../../src/tree/reconcile-state.ts';
import { kitemirror } from '../commands/scene.ts';
import { lookAnew, mirrorTexts, recordFile } from './damage.ts';
import { type Mirror, placeOf, stableTree, startMirror } from './harness.ts';
import { buildOf, scriptOf, textArtifact } from './samples.ts';
import { until } from './until.ts';

let mirror: Mirror;
before(async () => {
  mirror = await startMirror({ env: { KITEMIRROR_VERIFY_RATE: 'off' } });
});
after(() => mirror.stop());

const run = (...words: string[]) => kitemirror(words, mirror.environment());
const mirrored = (...jobs: string[][]): Promise<SampleBuild> => mirrorTexts(mirror, jobs);
const recordOf = (build: SampleBuild): string => recordFile(mirror, build);
const treeOf = (build: SampleBuild) => stableTree(mirror.paths.build(placeOf(build)));

describe('what the mirror knows of its work', () => {
  it('is made again where the record of a gap is torn, and the build is fetched', async () => {
    const build = await mirrored(['a gap']);
    await mirror.stopWorker();
    mkdirSync(mirror.paths.unsettledBuild(build.id));
    writeFileSync(mirror.paths.unsettledBuildFile(build.id), '{"version":1,"org');
    const unknown = buildOf([[textArtifact('x.txt', 'never heard of')]], { logBytes: 10 });
    mirror.standIn.put(unknown);
    mkdirSync(mirror.paths.unsettledBuild(unknown.id));
    writeFileSync(mirror.paths.unsettledBuildFile(unknown.id), Buffer.alloc(100));
    await mirror.startWorker();
    // Nothing tells which build that was: it is found where builds are compared again.
    await mirror.settled(unknown);
    await until(() => !existsSync(mirror.paths.unsettledBuild(build.id)), 'the gap to be closed', 60_000);
    await mirror.idle();
    for (const each of [build, unknown]) assert.equal(mirror.build(each).complete, true);
  });

  it('is made again where a pipeline’s folder is not told any more, by either of the two that tell it', async () => {
    const build = await mirrored(['whose folder']);
    const tree = await treeOf(build);
    const { paths } = mirror;
    for (const file of [paths.pipelineState(build.pipeline.id), paths.folderOwner('acme', build.pipeline.slug)]) {
      const before = readFileSync(file, 'utf8');
      writeFileSync(file, before.slice(0, 9));
      await lookAnew(mirror, build);
      assert.deepEqual(await treeOf(build), tree);
      writeFileSync(file, before);
    }
  });

  it('is the copy where up to when all builds are known is torn, and an early time where that is torn too', async () => {
    const { paths } = mirror;
    await until(() => existsSync(paths.reconcileCopy), 'a comparison', 60_000);
    for (const files of [[paths.reconcileState], [paths.reconcileState, paths.reconcileCopy]]) {
      await mirror.stopWorker();
      // The mark is ten minutes behind, and an hour before this mirror was begun where nothing tells it.
      const finishedAt = Date.now() - (files.length === 1 ? 0 : 30 * 60_000);
      const missed = buildOf([[textArtifact('x.txt', `missed by ${files.length}`)]], { logBytes: 10, finishedAt });
      mirror.standIn.put(missed);
      for (const file of files) writeFileSync(file, '{');
      await mirror.startWorker();
      await mirror.settled(missed);
      assert.ok((await readReconcileState(paths))?.completed);
    }
  });
});

interface Verified {
  records: string[];
  names: string[];
  strays: string[];
  unreadable: string[];
  open: number;
}

async function verify(): Promise<{ code: number | null; found: Verified }> {
  const { code, out, err } = await run('verify', '--all', '--json');
  assert.match(out, /^\{/, err);
  return { code, found: JSON.parse(out) as Verified };
}

describe('kitemirror verify', () => {
  it('finds records that nobody has read since they were damaged, and has them made again', async () => {
    const build = await mirrored(['found by verify'], ['its other job']);
    const tree = await treeOf(build);
    const place = placeOf(build);
    const files = [
      recordOf(build),
      mirror.paths.buildFile(place, 'upstream.json'),
      mirror.paths.buildFile(place, 'build.json'),
    ];
    for (const file of files) {
      writeFileSync(file, readFileSync(file).fill(0, 20, 40));
      const { code, found } = await verify();
      assert.equal(code, 1);
      assert.deepEqual(found.records, [file.slice(mirror.paths.tree.length)]);
      assert.deepEqual([found.unreadable, found.open], [[], 0]);
      await mirror.idle();
      assert.deepEqual(await treeOf(build), tree);
    }
    assert.equal((await verify()).code, 0);
    const status = JSON.parse((await run('status', '--json')).out) as { damaged_records: { kept: number } };
    assert.ok(status.damaged_records.kept >= 3);
  });

  it('puts names right that are missing or another file’s, and tells of files that no record names', async () => {
    const build = await mirrored(['first bytes', 'second bytes', 'third bytes']);
    const tree = await treeOf(build);
    const own = (at: number): string =>
      mirror.paths.jobFile(placeOf(build), scriptOf(build).id, `artifacts/out/${at}.txt`);
    const shown = join(mirror.paths.merged(placeOf(build)), 'out', '2.txt');
    const stray = mirror.paths.jobFile(placeOf(build), scriptOf(build).id, 'artifacts/somebody.txt');
    rmSync(own(0));
    rmSync(own(1));
    linkSync(own(2), own(1));
    rmSync(shown);
    writeFileSync(stray, 'of somebody');
    const { code, found } = await verify();
    assert.equal(code, 1);
    assert.equal(found.names.length, 3);
    await mirror.idle();
    const again = await verify();
    assert.deepEqual([again.code, again.found.names], [1, []]);
    assert.deepEqual(again.found.strays, [stray.slice(mirror.paths.tree.length)]);
    rmSync(stray);
    assert.deepEqual(await treeOf(build), tree);
    assert.equal((await verify()).code, 0);
  });

  it('is not needed where rebuild meets a damaged record', async () => {
    const build = await mirrored(['found by rebuild']);
    const tree = await treeOf(build);
    truncateSync(recordOf(build), 30);
    const { code, out } = await run('rebuild', '--json');
    const { salvaged, unreadable, open } = JSON.parse(out) as {
      salvaged: string[];
      unreadable: string[];
      open: number;
    };
    assert.deepEqual([code, salvaged, unreadable, open], [1, [build.id], [], 0]);
    await mirror.idle();
    assert.deepEqual(await treeOf(build), tree);
    assert.equal((await run('rebuild', '--json')).code, 0);
  });
});
