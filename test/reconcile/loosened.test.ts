import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { parseBuckets } from '../../src/config/buckets.ts';
import { parseGlobs } from '../../src/config/values.ts';
import { type FileRules, followRoom, followSettings } from '../../src/reconcile/loosened.ts';
import type { DataPaths } from '../../src/tree/paths.ts';
import { writeReconcileState } from '../../src/tree/reconcile-state.ts';
import { noteTooLarge } from '../../src/tree/too-large.ts';
import { sampleBuild, summaryOfBuild, uuid } from '../pages/samples.ts';
import { preparedData } from '../tree/folder.ts';

const all = parseGlobs('*');
const rules: FileRules = {
  pipelines: all,
  branches: all,
  artifacts: all,
  logs: true,
  maxArtifactBytes: null,
  downloadHosts: null,
  s3Buckets: [],
};

/** A mirror one of whose builds has a file that was refused, and the tasks that it is given. */
function oneRefused(paths: DataPaths) {
  const refused = { folder: 'web', summary: summaryOfBuild(sampleBuild([], { id: uuid(1) })), lost: 0, withheld: 1 };
  const enqueued: string[] = [];
  const parts = {
    paths,
    organization: 'acme',
    queue: { enqueue: async ({ name }: { name: string }) => void enqueued.push(name) },
    catalog: { withheld: () => [refused] },
  };
  return { parts, enqueued };
}

test('a disk that has grown brings back what was too large for it, once', async (t) => {
  const paths = await preparedData(t);
  const { parts, enqueued } = oneRefused(paths);
  assert.equal(await followRoom(parts, 500), 0);
  for (const bytes of [1000, 3000, 1000]) await noteTooLarge(paths, bytes);
  assert.equal(await followRoom(parts, 999), 0);
  assert.equal(await followRoom(parts, 2000), 1);
  assert.deepEqual([enqueued, readdirSync(paths.unsettled)], [['read-build'], [uuid(1)]]);
  assert.equal(await followRoom(parts, 2000), 0);
  assert.equal(await followRoom(parts, 3000), 1);
});

test('a bucket that is listed anew brings back what was refused for want of it', async (t) => {
  const paths = await preparedData(t);
  const at = new Date().toISOString();
  await writeReconcileState(paths, {
    version: 1,
    mark: at,
    first: at,
    comparison: null,
    partial: null,
    completed: null,
    settings: null,
  });
  const { parts, enqueued } = oneRefused(paths);
  assert.deepEqual(await followSettings(parts, rules), { again: 0, looksBack: false });
  assert.deepEqual(await followSettings(parts, rules), { again: 0, looksBack: false });
  const more = { ...rules, s3Buckets: parseBuckets('acme-artifacts/{pipeline}') };
  assert.deepEqual(await followSettings(parts, more), { again: 1, looksBack: false });
  assert.deepEqual([enqueued, readdirSync(paths.unsettled)], [['read-build'], [uuid(1)]]);
});
