import assert from 'node:assert/strict';
import { linkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { RetentionPolicy } from '../../src/config/retention.ts';
import { parseGlobs } from '../../src/config/values.ts';
import { judgeBuilds } from '../../src/search/candidates.ts';
import { openCatalog } from '../../src/search/catalog.ts';
import type { DataPaths } from '../../src/tree/paths.ts';
import { sampleBuild, summaryOfBuild, uuid } from '../pages/samples.ts';
import { preparedData } from '../tree/folder.ts';

const never = { ageMs: null, count: null };
const everything = parseGlobs('*');
const rule = { name: 'test', pipelines: everything, branches: everything, states: null, keepLatest: 0 };
const atMost = (maxBytes: number): RetentionPolicy => ({
  rules: [{ ...rule, artifacts: never, logs: never, builds: never }],
  maxBytes,
});
const signal = new AbortController().signal;

/** Three builds of 100 bytes each; the sum that is counted along says 900. */
async function mirrored(t: TestContext) {
  const paths = await preparedData(t);
  const catalog = openCatalog(paths.catalog);
  t.after(() => catalog.close());
  const stored = { artifacts: 1, artifact_bytes: 100, logs: 0, log_bytes: 0 };
  for (const number of [1, 2, 3]) {
    const finishedAt = new Date(Date.UTC(2026, 0, number)).toISOString();
    const build = sampleBuild([], { number, id: uuid(number), finished_at: finishedAt });
    const summary = { ...summaryOfBuild(build), settled: true, stored };
    catalog.put({ folder: 'web', summary, lost: 0, withheld: 0 }, () => undefined);
  }
  catalog.addStored(900);
  catalog.noteStage('whole');
  return { paths, catalog };
}

function store(paths: DataPaths, digit: string, isShown: boolean): void {
  const blob = paths.blob(digit.repeat(64));
  writeFileSync(blob, Buffer.alloc(100));
  if (isShown) linkSync(blob, join(paths.tree, digit));
}

test('what was dropped and waits for the sweep is no reason to drop more', async (t) => {
  const { paths, catalog } = await mirrored(t);
  for (const digit of ['a', 'b', 'c']) store(paths, digit, true);
  for (const digit of ['d', 'e', 'f']) store(paths, digit, false);
  assert.deepEqual((await judgeBuilds(paths, catalog, atMost(300), signal)).drops, []);
  const { drops } = await judgeBuilds(paths, catalog, atMost(250), signal);
  assert.deepEqual(
    drops.map(({ candidate, reason }) => [candidate.summary.number, reason]),
    [[1, 'bytes']],
  );
});

test('nothing is judged while the catalog may lack builds', async (t) => {
  const { paths, catalog } = await mirrored(t);
  catalog.noteStage('partial');
  await assert.rejects(judgeBuilds(paths, catalog, atMost(1), signal), { code: 'ERR_NOT_READY' });
});
