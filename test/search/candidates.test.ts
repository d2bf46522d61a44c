import assert from 'node:assert/strict';
import { linkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Limits, RetentionPolicy } from '../../src/config/retention.ts';
import { parseGlobs } from '../../src/config/values.ts';
import { judgeBuilds } from '../../src/search/candidates.ts';
import { openCatalog } from '../../src/search/catalog.ts';
import type { DataPaths } from '../../src/tree/paths.ts';
import { markOverlapMs, writeReconcileState } from '../../src/tree/reconcile-state.ts';
import { sampleBuild, summaryOfBuild, uuid } from '../pages/samples.ts';
import { preparedData } from '../tree/folder.ts';

const never = { ageMs: null, count: null };
const everything = parseGlobs('*');
const rule = { name: 'test', pipelines: everything, branches: everything, states: null, keepLatest: 0 };
const hourMs = 3_600_000;
const now = Date.UTC(2026, 0, 10);
const by = (policy: RetentionPolicy) => ({ policy, compareEveryMs: 300_000, now });
const limits = { artifacts: never, logs: never, builds: never };
const atMost = (maxBytes: number) => by({ rules: [{ ...rule, ...limits }], maxBytes });
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

test('no limit of age applies while the clock is far beyond the last comparison with upstream', async (t) => {
  const { paths, catalog } = await mirrored(t);
  const policy = (artifacts: Limits): RetentionPolicy => ({
    rules: [{ ...rule, ...limits, artifacts }],
    maxBytes: null,
  });
  const old = policy({ ageMs: 24 * hourMs, count: null });
  const judged = async (options: ReturnType<typeof by>) => {
    const { drops, agesWait } = await judgeBuilds(paths, catalog, options, signal);
    return [drops.length, agesWait];
  };
  assert.deepEqual(await judged(by(old)), [3, null], 'a mirror that was never compared has nothing to go by');
  const compared = async (ms: number): Promise<void> => {
    const [at, mark] = [new Date(ms).toISOString(), new Date(ms - markOverlapMs).toISOString()];
    const completed = { beganAt: at, endedAt: at };
    const state = {
      version: 1,
      mark,
      first: mark,
      comparison: null,
      partial: null,
      completed,
      settings: null,
    } as const;
    await writeReconcileState(paths, state);
  };
  await compared(now - hourMs / 2);
  assert.deepEqual(await judged(by(old)), [3, null]);
  // Of a clock that jumped as of an upstream that was away for a day.
  await compared(now - 25 * hourMs);
  const why = 'the clock is 25h 0m beyond the last complete comparison with Buildkite';
  assert.deepEqual(await judged(by(old)), [0, why]);
  assert.deepEqual(await judged(by(policy({ ageMs: null, count: 1 }))), [2, why], 'what needs no clock applies');
  assert.deepEqual(await judged({ ...by(old), compareEveryMs: 24 * hourMs }), [3, null]);
  await compared(now + 48 * hourMs);
  assert.deepEqual(await judged(by(old)), [3, null], 'a clock that is behind removes too late');
  for (const file of [paths.reconcileState, paths.reconcileCopy]) writeFileSync(file, 'torn');
  assert.equal((await judged(by(old)))[0], 0);
});
