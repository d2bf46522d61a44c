/** The catalog is made from the tree again, however often who makes it is ended. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { organization, pipeline } from '../../bench/scale-builds.ts';
import { makeTree } from '../../bench/scale-tree.ts';
import { openCatalog } from '../../src/search/catalog.ts';
import { environmentFor } from '../crash/scenario.ts';
import { type Mirror, startMirror } from './harness.ts';
import { until } from './until.ts';

/** Five transactions of a hundred. */
const builds = 450;
let mirror: Mirror;
before(async () => {
  mirror = await startMirror({ workers: 0 });
  await makeTree(mirror.paths.root, builds, new AbortController().signal);
});
after(() => mirror.stop());

function look() {
  const catalog = openCatalog(mirror.paths.catalog, { readOnly: true });
  try {
    return { stage: catalog.stage(), totals: catalog.totals() };
  } finally {
    catalog.close();
  }
}

const latest = (state: 'passed' | 'any'): string =>
  readFileSync(mirror.paths.pointer(organization, pipeline, 'latest', 'main', state), 'utf8').trim();

function loseCatalog(): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${mirror.paths.catalog}${suffix}`, { force: true });
}

async function restored(): Promise<void> {
  await mirror.startWorker();
  await until(() => look().stage === 'whole', 'the whole catalog', 60_000);
  await mirror.stopWorker();
}

describe('a worker that finds no catalog', () => {
  it('makes it from the records: every build, the totals, where the latest leads', async () => {
    loseCatalog();
    await restored();
    const { totals } = look();
    assert.deepEqual([totals.builds, totals.incomplete, totals.lost], [builds, 0, 0]);
    assert.ok(totals.storedBytes > 0);
    assert.deepEqual([latest('passed'), latest('any')], [String(builds), String(builds)]);
  });

  for (const [name, commits] of [
    ['while it adds builds', 3],
    ['while it sees to the pointers', 8],
  ] as const) {
    it(`and is killed ${name}: the next one goes on to the end, and no pointer ever leads back`, async () => {
      loseCatalog();
      // The first of all makes the tables.
      const at = { label: 'commitSync catalog', occurrence: 1 + commits, when: 'after' } as const;
      await mirror.startWorker(
        environmentFor({ root: mirror.paths.root, log: null, at, fault: 'kill', filler: '', redis: null }),
      );
      await until(() => mirror.hasEnded(), 'the kill', 60_000);
      await mirror.stopWorker();
      const left = look();
      assert.equal(left.stage, commits < 5 ? 'partial' : 'filled');
      assert.equal(left.totals.builds, Math.min(builds, commits * 100));
      assert.equal(latest('passed'), String(builds));
      await restored();
      assert.equal(look().totals.builds, builds);
      assert.deepEqual([latest('passed'), latest('any')], [String(builds), String(builds)]);
    });
  }

  it('adds what is missing where a part is there already', async () => {
    const catalog = openCatalog(mirror.paths.catalog);
    const [first, second] = catalog.page({ after: null, limit: 2 });
    assert.ok(first && second);
    for (const { summary } of [first, second]) catalog.remove(summary.id, () => undefined);
    catalog.noteStage('partial');
    catalog.close();
    await restored();
    assert.equal(look().totals.builds, builds);
  });
});
