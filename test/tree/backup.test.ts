/** What a copy says of how far builds are known, where that moves while the copy is made. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { backUp } from '../../src/tree/backup.ts';
import { writeAtomic } from '../../src/tree/files.ts';
import { type DataPaths, dataPaths } from '../../src/tree/paths.ts';
import { readReconcileState, writeReconcileState } from '../../src/tree/reconcile-state.ts';
import { listOpenGaps, openUnsettled } from '../../src/tree/unsettled.ts';
import { preparedData } from './folder.ts';

const iso = (hour: number): string => new Date(Date.UTC(2026, 0, 1, hour)).toISOString();
const backfill = 'a'.repeat(64);
const { signal } = new AbortController();

const markAt = (paths: DataPaths, hour: number): Promise<void> =>
  writeReconcileState(paths, {
    ...{ version: 1, mark: iso(hour), first: iso(0), comparison: null },
    ...{ completed: null, partial: null, settings: null },
  });
const markOf = async (paths: DataPaths): Promise<string | undefined> => (await readReconcileState(paths))?.mark;

/** As a comparison does, which finds a build each time: the gap, then the mark. */
async function comparison(paths: DataPaths, hour: number): Promise<void> {
  const where = { organization: 'acme', pipeline: 'web', number: hour, build: randomUUID(), pipelineId: null };
  await openUnsettled(paths, { version: 1, ...where, since: iso(hour), learnedFrom: 'reconcile' });
  await markAt(paths, hour);
  await writeAtomic(paths.backfill(backfill), `at hour ${hour}`);
}

async function scene(t: TestContext): Promise<{ paths: DataPaths; copy: DataPaths }> {
  const paths = await preparedData(t);
  writeFileSync(join(paths.spool, 'something'), 'of the journal');
  await comparison(paths, 1);
  const copy = dataPaths(`${paths.root}-copy-${randomUUID()}`);
  t.after(() => rmSync(copy.root, { recursive: true, force: true }));
  return { paths, copy };
}

it('a mark that moves while a backup is made is in the copy as it was before everything else', async (t) => {
  const { paths, copy } = await scene(t);
  let hour = 1;
  const onProgress = async (): Promise<void> => {
    if (hour < 20) await comparison(paths, (hour += 1));
  };
  await backUp(paths, copy.root, { signal, onProgress });
  assert.ok(hour > 2);
  assert.deepEqual([await markOf(copy), readFileSync(copy.backfill(backfill), 'utf8')], [iso(1), 'at hour 1']);
  assert.ok((await listOpenGaps(copy)).length >= 1);
});

it('a backup that breaks off leaves the mark of the one before it', async (t) => {
  const { paths, copy } = await scene(t);
  await backUp(paths, copy.root, { signal, onProgress: () => undefined });
  await comparison(paths, 2);
  const stop = new AbortController();
  // Late, or as soon as the mark is ahead.
  const onProgress = async (files: number): Promise<void> => {
    if (files === 6 || (await markOf(copy)) !== iso(1)) stop.abort(new Error('enough'));
  };
  await assert.rejects(backUp(paths, copy.root, { signal: stop.signal, onProgress }), /enough/);
  assert.equal(await markOf(copy), iso(1));
  await backUp(paths, copy.root, { signal, onProgress: () => undefined });
  assert.equal(await markOf(copy), iso(2));
  assert.ok(existsSync(copy.reconcileCopy));
});
