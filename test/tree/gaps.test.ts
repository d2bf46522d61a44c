import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { createGapReader } from '../../src/tree/gaps.ts';
import { type DataPaths, dataPaths } from '../../src/tree/paths.ts';
import { closeUnsettled, openUnsettled, type UnsettledBuild } from '../../src/tree/unsettled.ts';

let paths: DataPaths;
const [first, second] = ['2026-01-01T00:00:00.000Z', '2026-02-01T00:00:00.000Z'];

beforeEach(() => {
  paths = dataPaths(mkdtempSync(join(tmpdir(), 'kitemirror-gaps-')));
});

afterEach(() => rmSync(paths.root, { recursive: true }));

async function gapSince(since: string, build: string = randomUUID()): Promise<UnsettledBuild> {
  const entry: UnsettledBuild = {
    version: 1,
    organization: 'acme',
    pipeline: 'web',
    number: 1,
    build,
    pipelineId: randomUUID(),
    since,
    learnedFrom: 'webhook',
  };
  return openUnsettled(paths, entry);
}

describe('the gaps', () => {
  it('are none where nothing was ever mirrored', async () => {
    assert.deepEqual(await createGapReader(paths)(), { unsettled: 0, oldestSince: null });
  });

  it('are counted, and the oldest is known', async () => {
    const read = createGapReader(paths);
    await gapSince(second);
    await gapSince(first);
    assert.deepEqual(await read(), { unsettled: 2, oldestSince: Date.parse(first) });
  });

  it('are followed as they close and open, also under the same name', async () => {
    const read = createGapReader(paths);
    const oldest = await gapSince(first);
    await read();
    await closeUnsettled(paths, oldest);
    assert.deepEqual(await read(), { unsettled: 0, oldestSince: null });
    const again = await gapSince(first, oldest.build);
    await read();
    await closeUnsettled(paths, again);
    await gapSince(second, oldest.build);
    assert.deepEqual(await read(), { unsettled: 1, oldestSince: Date.parse(second) });
  });

  it('count while their file is not there yet, or is torn', async () => {
    const [absent, torn] = [randomUUID(), randomUUID()];
    for (const build of [absent, torn]) mkdirSync(paths.unsettledBuild(build), { recursive: true });
    writeFileSync(paths.unsettledJob(torn, 'build'), '{"since":');
    assert.deepEqual(await createGapReader(paths)(), { unsettled: 2, oldestSince: null });
  });
});
