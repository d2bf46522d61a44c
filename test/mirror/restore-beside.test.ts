/** The catalog is made from the tree while another worker removes builds from it and moves them. */
import assert from 'node:assert/strict';
import { renameSync, rmSync } from 'node:fs';
import { test } from 'node:test';
import { organization, pipeline, uuidOf } from '../../bench/scale-builds.ts';
import { makeTree } from '../../bench/scale-tree.ts';
import { type Catalog, openCatalog } from '../../src/search/catalog.ts';
import { type DropOrder, markDropped } from '../../src/tree/dropping.ts';
import type { DataPaths } from '../../src/tree/paths.ts';
import { restoreCatalog } from '../../workers/restore-catalog.ts';
import { temporaryFolder } from '../tree/folder.ts';

/** Three transactions of a hundred. */
const builds = 250;

interface Beside {
  readonly paths: DataPaths;
  /** Of the other worker: a connection of its own. */
  readonly other: Catalog;
}

/** @param beside what the other worker does when all that the first transaction is to add was read */
async function restoredWhile(
  t: { after: (step: () => void) => void },
  beside: (of: Beside) => void,
  prepare: (paths: DataPaths) => Promise<void> = () => Promise.resolve(),
): Promise<Catalog> {
  const paths = await makeTree(temporaryFolder(t), builds, new AbortController().signal);
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${paths.catalog}${suffix}`, { force: true });
  await prepare(paths);
  const [catalog, other] = [openCatalog(paths.catalog), openCatalog(paths.catalog)];
  t.after(() => [catalog, other].forEach((each) => each.close()));
  let isFirst = true;
  const together = (work: () => void): void => {
    if (isFirst) beside({ paths, other });
    isFirst = false;
    catalog.together(work);
  };
  const queue = { enqueue: () => Promise.resolve() };
  await restoreCatalog({ paths, catalog: { ...catalog, together }, queue }, new AbortController().signal);
  return catalog;
}

test('a build that is dropped between its reading and its entry leaves none', async (t) => {
  const place = { organization, folder: pipeline, number: 7 };
  const build = uuidOf('build', 7);
  const order: DropOrder = {
    ...{ version: 1, organization, pipeline, number: 7, build, pipelineId: uuidOf('pipeline', 1) },
    ...{ parts: ['build'], reason: 'age', text: 'old', finished_at: null, asked_at: new Date().toISOString() },
  };
  const catalog = await restoredWhile(
    t,
    ({ paths, other }) => {
      other.remove(build, () => undefined);
      // The last step of a removal may still be to come, or be done.
      rmSync(paths.build(place), { recursive: true });
    },
    (paths) => markDropped(paths, order),
  );
  assert.equal(catalog.find(build), null);
  assert.equal(catalog.totals().builds, builds - 1);
});

test('a pipeline that is renamed meanwhile has each of its builds once, under its new name', async (t) => {
  const renamed = 'a-name-that-comes-before';
  const catalog = await restoredWhile(t, ({ paths, other }) => {
    // First the folder, then the catalog's entries: as a claim of the new name does it.
    renameSync(paths.pipeline(organization, pipeline), paths.pipeline(organization, renamed));
    other.moveFolder(organization, pipeline, renamed);
  });
  assert.equal(catalog.totals().builds, builds);
  assert.equal(catalog.find(uuidOf('build', 7))?.folder, renamed);
  assert.deepEqual(
    catalog.builds({ organization, folder: pipeline, limit: 10 }),
    [],
    'nothing is left under the old name',
  );
});
