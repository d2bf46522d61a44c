/** Records that a disk has damaged are made again, from Buildkite and from what lies in their folders. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { SampleBuild } from '../../demo/standin/sample.ts';
import type { LedgerEntry } from '../../src/reconcile/ledger.ts';
import { readLedger } from '../../src/reconcile/ledger.ts';
import { openCatalog } from '../../src/search/catalog.ts';
import { lookAnew, mirrorTexts, recordFile } from './damage.ts';
import { digestTree, type Mirror, placeOf, readJson, stableTree, startMirror } from './harness.ts';
import { downloads, scriptOf } from './samples.ts';
import { until } from './until.ts';

let mirror: Mirror;
before(async () => {
  mirror = await startMirror({ env: { KITEMIRROR_VERIFY_RATE: 'off' } });
});
after(() => mirror.stop());

const mirrored = (...jobs: string[][]): Promise<SampleBuild> => mirrorTexts(mirror, jobs);
const recordOf = (build: SampleBuild, job = 0): string => recordFile(mirror, build, job);
const heal = (build: SampleBuild): Promise<void> => lookAnew(mirror, build);
const treeOf = (build: SampleBuild) => stableTree(mirror.paths.build(placeOf(build)));
const kept = (): string[] => (existsSync(mirror.paths.damagedRecords) ? readdirSync(mirror.paths.damagedRecords) : []);

/** Every file of a build's folder but its records, by inode: what a reader's ETag is made of. */
function inodes(build: SampleBuild): Record<string, number> {
  const base = mirror.paths.build(placeOf(build));
  const files = readdirSync(base, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const of = files.map((entry) => join(entry.parentPath, entry.name)).filter((file) => !/\.json$|SUMS$/.test(file));
  return Object.fromEntries(of.map((file) => [file.slice(base.length), statSync(file).ino]));
}

const damages: readonly [string, (file: string) => void][] = [
  ['truncated', (file) => truncateSync(file, Math.floor(statSync(file).size / 2))],
  ['emptied', (file) => truncateSync(file, 0)],
  ['zeroed', (file) => writeFileSync(file, Buffer.alloc(statSync(file).size))],
  ['bit-flipped', (file) => writeFileSync(file, flipped(readFileSync(file)))],
  ['a folder', (file) => (rmSync(file), mkdirSync(join(file, 'x'), { recursive: true }))],
];

/** One bit, in a text: what is left is JSON as before. */
function flipped(bytes: Buffer): Buffer {
  const at = bytes.indexOf('"state":"passed"') + '"state":"pas'.length;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  JSON.parse(bytes.toString());
  return bytes;
}

describe('a damaged job.json', () => {
  for (const [name, damage] of damages) {
    it(`that is ${name} is made again, nothing is fetched twice, and every file stays what it was`, async () => {
      const build = await mirrored(['one', 'two'], ['three']);
      const [tree, files, asked] = [await treeOf(build), inodes(build), downloads(mirror.standIn.requests).size];
      const [keptBefore, said] = [kept().length, mirror.output.length];
      damage(recordOf(build));
      await heal(build);
      assert.deepEqual(await treeOf(build), tree);
      assert.deepEqual(inodes(build), files);
      assert.equal(downloads(mirror.standIn.requests).size, asked);
      assert.ok(mirror.job(build, scriptOf(build).id).salvaged_at);
      assert.equal(kept().length, keptBefore + 1);
      assert.ok(mirror.output.slice(said).some((line) => line.includes('a record cannot be read')));
      assert.ok(existsSync(mirror.paths.settledMarker(placeOf(build), scriptOf(build).id)));
    });
  }

  it('of a build that Buildkite has no more is made again from the files: they stay served, counted and named', async () => {
    const build = await mirrored(['kept', 'kept too']);
    const [tree, files] = [await treeOf(build), inodes(build)];
    mirror.standIn.remove('acme', build.pipeline.slug, build.number);
    truncateSync(recordOf(build), 10);
    await heal(build);
    const record = mirror.build(build);
    assert.deepEqual([record.settled, record.complete, record.present, record.expected], [true, true, 4, 4]);
    assert.deepEqual(inodes(build), files);
    const job = mirror.job(build, scriptOf(build).id);
    assert.ok(
      job.artifacts.every(({ state, salvaged, upstream_state: there }) => {
        return state === 'present' && salvaged === true && there === 'deleted';
      }),
    );
    const ids = (name: string): string | undefined => scriptOf(build).artifacts.find(({ path }) => path === name)?.id;
    assert.equal(job.artifacts.find(({ path }) => path === 'out/0.txt')?.id, ids('out/0.txt'));
    assert.equal(job.artifacts.find(({ url }) => url?.includes('artifacts-by-id'))?.id, ids('a/../b'));
    const sums = Object.keys(tree).find((name) => name.endsWith('SHA256SUMS')) ?? '';
    assert.equal((await treeOf(build))[sums], tree[sums]);
  });

  it('whose other records are damaged too, and whose build is gone upstream, keeps all that it shows', async () => {
    const build = await mirrored(['alone', 'with another']);
    const files = inodes(build);
    mirror.standIn.remove('acme', build.pipeline.slug, build.number);
    for (const name of ['build.json', 'upstream.json'] as const)
      writeFileSync(mirror.paths.buildFile(placeOf(build), name), 'torn');
    await heal(build);
    const { settled, complete, present } = mirror.build(build);
    assert.deepEqual([settled, complete, present], [true, true, 4]);
    assert.deepEqual(inodes(build), files);
  });

  it('counts what only it could name as lost, where Buildkite has the build no more', async () => {
    const build = await mirrored(['still here', 'deleted by hand']);
    for (const name of ['artifacts/out/1.txt', 'SHA256SUMS'])
      rmSync(mirror.paths.jobFile(placeOf(build), scriptOf(build).id, name));
    mirror.standIn.remove('acme', build.pipeline.slug, build.number);
    truncateSync(recordOf(build), 10);
    await heal(build);
    const { settled, complete, present, expected } = mirror.build(build);
    assert.deepEqual([settled, complete, present, expected], [true, false, 3, 4]);
    const lost = mirror.job(build, scriptOf(build).id).artifacts.filter(({ state }) => state === 'lost');
    assert.deepEqual([lost.length, lost[0]?.reason], [1, 'its name went with a record that was damaged']);
  });

  it('does not make other bytes at a name into what Buildkite lists: those are fetched', async () => {
    const build = await mirrored(['the right bytes']);
    const file = mirror.paths.jobFile(placeOf(build), scriptOf(build).id, 'artifacts/out/0.txt');
    rmSync(file);
    writeFileSync(file, 'the wrong bytes');
    truncateSync(recordOf(build), 10);
    await heal(build);
    assert.equal(readFileSync(file, 'utf8'), 'the right bytes');
    assert.equal(mirror.build(build).complete, true);
  });

  it('that leads out of its folder is believed in nothing', async () => {
    const build = await mirrored(['inside']);
    const tree = await treeOf(build);
    const outside = join(mirror.paths.state, 'format');
    const { sum: _, ...record } = readJson<{ sum: string; artifacts: { url: string }[] }>(recordOf(build));
    for (const artifact of record.artifacts) artifact.url = 'jobs/x/..%2f..%2f..%2f..%2f..%2f..%2f..%2fstate/format';
    writeFileSync(recordOf(build), JSON.stringify(record));
    await heal(build);
    assert.deepEqual(await treeOf(build), tree);
    assert.ok(existsSync(outside));
  });

  it('of another job is not taken for this one’s', async () => {
    const build = await mirrored(['first job'], ['second job']);
    const tree = await treeOf(build);
    writeFileSync(recordOf(build, 0), readFileSync(recordOf(build, 1)));
    await heal(build);
    assert.deepEqual(await treeOf(build), tree);
  });

  it('keeps what is derived from it as it is, and the ledger says why, while Buildkite cannot be asked', async () => {
    const build = await mirrored(['waits for Buildkite']);
    const views = await digestTree(mirror.paths.merged(placeOf(build)));
    await mirror.standIn.stop();
    try {
      truncateSync(recordOf(build), 10);
      const where = { organization: 'acme', pipeline: build.pipeline.slug, number: build.number, build: build.id };
      await mirror.queue.enqueue({
        name: 'publish-build',
        payload: { ...where, pipelineId: build.pipeline.id },
      });
      await until(() => existsSync(mirror.paths.unsettledBuildFile(build.id)), 'the gap', 60_000);
      const catalog = openCatalog(mirror.paths.catalog, { readOnly: true });
      const { builds } = await readLedger({ paths: mirror.paths, catalog }, { after: null, limit: 100 });
      catalog.close();
      const entry: LedgerEntry | undefined = builds.find(({ id }) => id === build.id);
      assert.match(entry?.reasons[0]?.reason ?? '', /damaged, and is being made again/);
      assert.deepEqual(await digestTree(mirror.paths.merged(placeOf(build))), views);
    } finally {
      await mirror.standIn.start();
    }
    await heal(build);
    await mirror.settled(build, 60_000);
    assert.equal(mirror.build(build).complete, true);
  });
});
