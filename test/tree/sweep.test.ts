import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { hasBlob, linkBlob } from '../../src/tree/blobs.ts';
import type { DataPaths } from '../../src/tree/paths.ts';
import { sweepBlobs } from '../../src/tree/sweep.ts';
import { preparedData } from './folder.ts';

const signal = new AbortController().signal;

function blob(paths: DataPaths, text: string): string {
  const sha256 = createHash('sha256').update(text).digest('hex');
  writeFileSync(paths.blob(sha256), text);
  return sha256;
}

function show(paths: DataPaths, sha256: string, name: string): string {
  const file = join(paths.tree, name);
  mkdirSync(dirname(file), { recursive: true });
  linkSync(paths.blob(sha256), file);
  return file;
}

describe('a sweep', () => {
  it('deletes what nothing links, and nothing else', async (t) => {
    const paths = await preparedData(t);
    const [shown, hidden] = [blob(paths, 'shown'), blob(paths, 'hidden')];
    const file = show(paths, shown, 'a/shown.txt');
    const swept = await sweepBlobs(paths, { graceMs: 0, signal });
    assert.deepEqual(swept, { seen: 2, removed: 1, bytes: 6, keptBytes: 5, unknown: [] });
    assert.deepEqual([hasBlob(paths, shown), hasBlob(paths, hidden)], [true, false]);
    assert.equal(readFileSync(file, 'utf8'), 'shown');
    assert.equal((await sweepBlobs(paths, { graceMs: 0, signal })).removed, 0);
  });

  it('counts alone when it is only to count', async (t) => {
    const paths = await preparedData(t);
    const hidden = blob(paths, 'hidden');
    assert.equal((await sweepBlobs(paths, { graceMs: 0, signal, dryRun: true })).bytes, 6);
    assert.ok(hasBlob(paths, hidden));
  });

  it('leaves what lost its last name only now', async (t) => {
    const paths = await preparedData(t);
    const young = blob(paths, 'young');
    assert.equal((await sweepBlobs(paths, { graceMs: 60_000, signal })).removed, 0);
    assert.ok(hasBlob(paths, young));
  });

  it('leaves files that are no blobs where they are, and tells of them', async (t) => {
    const paths = await preparedData(t);
    const foreign = join(paths.blobs, 'ab', 'notes.txt');
    writeFileSync(foreign, 'mine');
    const swept = await sweepBlobs(paths, { graceMs: 0, signal });
    assert.deepEqual([swept.removed, swept.unknown], [0, [join('blobs.v1', 'sha256', 'ab', 'notes.txt')]]);
    assert.ok(existsSync(foreign));
  });

  it('takes further copies of a blob for what they are', async (t) => {
    const paths = await preparedData(t);
    const sha256 = blob(paths, 'many links');
    renameSync(paths.blob(sha256), paths.blob(sha256, 2));
    assert.equal((await sweepBlobs(paths, { graceMs: 0, signal })).removed, 1);
    assert.ok(!existsSync(paths.blob(sha256, 2)));
  });

  it('removes in batches, and says no sooner that it is done with a shard than that is true', async (t) => {
    const paths = await preparedData(t);
    const all = Array.from({ length: 500 }, (_, at) => blob(paths, `hidden ${at}`));
    const shards: number[] = [];
    const onProgress = (shard: number): void => {
      shards.push(shard);
      const left = all.filter((sha256) => hasBlob(paths, sha256) && Number.parseInt(sha256.slice(0, 2), 16) < shard);
      assert.deepEqual(left, []);
    };
    const { removed } = await sweepBlobs(paths, { graceMs: 0, signal, atOnce: 20, onProgress });
    assert.equal(removed, 500);
    assert.ok(shards.length > 8, String(shards));
    assert.equal(shards.at(-1), 256);
  });

  it('that is stopped in the middle of a batch removes no more, and says why', async (t) => {
    const paths = await preparedData(t);
    const all = Array.from({ length: 200 }, (_, at) => blob(paths, `hidden ${at}`));
    const stopping = new AbortController();
    const swept = sweepBlobs(paths, {
      graceMs: 0,
      signal: stopping.signal,
      onProgress: () => stopping.abort(new Error('the worker stops')),
      atOnce: 10,
    });
    await assert.rejects(swept, /the worker stops/);
    const left = all.filter((sha256) => hasBlob(paths, sha256)).length;
    assert.ok(left > 100 && left < 200, String(left));
    assert.equal((await sweepBlobs(paths, { graceMs: 0, signal })).removed, left);
  });

  it('beside one who links all the time takes no bytes that are shown', async (t) => {
    const paths = await preparedData(t);
    const done = new AbortController();
    const sweeping = (async () => {
      while (!done.signal.aborted) await sweepBlobs(paths, { graceMs: 0, signal });
    })();
    const files: [string, string][] = [];
    for (let round = 0; round < 300; round += 1) {
      const text = `round ${round % 7}`;
      const sha256 = createHash('sha256').update(text).digest('hex');
      if (!hasBlob(paths, sha256)) blob(paths, text);
      linkBlob(paths, sha256, paths.tree, `${round}.txt`, new Set());
      files.push([join(paths.tree, `${round}.txt`), text]);
      await new Promise((resolve) => setImmediate(resolve));
    }
    done.abort();
    await sweeping;
    for (const [file, text] of files) assert.equal(readFileSync(file, 'utf8'), text);
  });
});
