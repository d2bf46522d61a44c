import assert from 'node:assert/strict';
import { existsSync, utimesSync } from 'node:fs';
import { test } from 'node:test';
import { type BackfillState, endBackfill, readBackfill, writeBackfill } from '../../src/tree/backfill-state.ts';
import { preparedData } from './folder.ts';

const place = { createdFrom: null, createdTo: null, page: 1, isNumbered: false, last: null };
const state = (begunAt: number): BackfillState => ({
  ...{ version: 2, since: null, until: null, list: 0, place, recorded: 0 },
  begun_at: new Date(begunAt).toISOString(),
});

test('a backfill that ends takes its note away, and those that nothing goes on from any more', async (t) => {
  const paths = await preparedData(t);
  const longAgo = Date.now() - 8 * 86_400_000;
  await writeBackfill(paths, 'own', state(Date.now()));
  await writeBackfill(paths, 'recent', state(Date.now()));
  await writeBackfill(paths, 'old', state(longAgo));
  utimesSync(paths.backfill('old'), longAgo / 1000, longAgo / 1000);
  assert.equal(await readBackfill(paths, 'old'), null);
  await endBackfill(paths, 'own');
  assert.deepEqual(
    ['own', 'recent', 'old'].map((name) => existsSync(paths.backfill(name))),
    [false, true, false],
  );
  assert.notEqual(await readBackfill(paths, 'recent'), null);
});
