import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { DataPaths } from '../../src/tree/paths.ts';
import {
  clearTornStubs,
  closeUnsettled,
  eachUnsettled,
  hasStubs,
  type JobStub,
  listStubs,
  openUnsettled,
  readStub,
  readUnsettled,
  removeEmptyGaps,
  removeStub,
  type UnsettledBuild,
  writeStub,
} from '../../src/tree/unsettled.ts';
import { preparedData } from './folder.ts';

async function allUnsettled(paths: DataPaths): Promise<UnsettledBuild[]> {
  const all: UnsettledBuild[] = [];
  for await (const each of eachUnsettled(paths)) all.push(each);
  return all;
}

const build = '019a0000-0000-7000-8000-000000000001';
const job = '019a0000-0000-7000-8000-000000000002';
const ref = { organization: 'acme', pipeline: 'web', number: 7, build };
const pipelineId = '019a0000-0000-7000-8000-000000000003';
const entry: UnsettledBuild = {
  version: 1,
  ...ref,
  pipelineId,
  since: '2026-01-01T00:00:00.000Z',
  learnedFrom: 'webhook',
};

function stub(change: Partial<JobStub> = {}): JobStub {
  const facts = {
    name: null,
    step_key: null,
    group_key: null,
    exit_status: 0,
    retried_in_job_id: null,
    retries_count: null,
  };
  return {
    version: 1,
    ...ref,
    pipelineId,
    job: {
      ...facts,
      ...{ id: job, type: 'script', state: 'passed', soft_failed: false, retried: false, matrix: null, agent: null },
      ...{ parallel_group_index: null, parallel_group_total: null, web_url: null },
      ...{ created_at: null, started_at: null, finished_at: null },
    },
    artifacts: [],
    listedAt: '2026-01-01T00:00:00.000Z',
    jobsInBuild: 1,
    looks: 0,
    buildFinished: true,
    logMayHaveGrown: false,
    ...change,
  };
}

/** What it says of the build. */
const facts = (gap: UnsettledBuild | null): unknown => {
  assert.ok(gap);
  const { opened, ...rest } = gap;
  assert.ok(opened);
  return rest;
};
/** As it is now. */
const close = async (paths: DataPaths): Promise<void> =>
  closeUnsettled(paths, (await readUnsettled(paths, build)) ?? entry);
const openNames = (paths: DataPaths): string[] => readdirSync(paths.unsettled);

describe('the index of gaps', () => {
  it('has a build from before its first fetch until it is settled, and remembers since when', async (t) => {
    const paths = await preparedData(t);
    await openUnsettled(paths, { ...entry, pipelineId: null });
    await openUnsettled(paths, { ...entry, since: '2026-02-02T00:00:00.000Z', learnedFrom: 'reader' });
    await openUnsettled(paths, { ...entry, pipelineId: null });
    assert.deepEqual(
      facts(await readUnsettled(paths, build)),
      entry,
      'first since, first learned from, and what is known since',
    );
    assert.deepEqual((await allUnsettled(paths)).map(facts), [entry]);
    await close(paths);
    assert.deepEqual(openNames(paths), []);
    await close(paths);
  });

  it('stays open while a job has work', async (t) => {
    const paths = await preparedData(t);
    await openUnsettled(paths, entry);
    const name = await writeStub(paths, stub());
    await close(paths);
    assert.deepEqual((await allUnsettled(paths)).map(facts), [entry]);
    await removeStub(paths, build, job, name);
    await close(paths);
    assert.deepEqual(openNames(paths), []);
  });

  it('is not kept open for ever by what a power cut left of a stub', async (t) => {
    const paths = await preparedData(t);
    await openUnsettled(paths, entry);
    const folder = paths.unsettledJob(build, job);
    const leftovers: (() => void)[] = [
      () => undefined,
      () => writeFileSync(join(folder, '1787000000000.json'), ''),
      () => writeFileSync(join(folder, '1787000000000.json'), '{"version":1'),
      () => writeFileSync(join(folder, '.0011.tmp'), '{}'),
    ];
    for (const leave of leftovers) {
      mkdirSync(folder);
      leave();
      assert.ok(hasStubs(paths, build));
      await clearTornStubs(paths, build, new Set([job]));
      assert.ok(hasStubs(paths, build), 'one that was just written is left alone');
      await clearTornStubs(paths, build, new Set());
      assert.ok(!hasStubs(paths, build));
    }
    await close(paths);
    assert.deepEqual(openNames(paths), []);
  });

  it('does not stay open where a build is read as another reading of it ends', async (t) => {
    const paths = await preparedData(t);
    await openUnsettled(paths, entry);
    await openUnsettled(paths, entry);
    await close(paths);
    await assert.rejects(writeStub(paths, stub()), { code: 'ERR_TREE_MOVED' });
    assert.deepEqual(openNames(paths), [], 'a stub makes no gap that nobody could close');
  });

  it('stays where it was opened again since it was read, and says what it said', async (t) => {
    const paths = await preparedData(t);
    const read = await openUnsettled(paths, entry);
    await openUnsettled(paths, { ...entry, pipelineId: null });
    await closeUnsettled(paths, read);
    assert.deepEqual((await allUnsettled(paths)).map(facts), [entry]);
    assert.deepEqual(readdirSync(paths.unsettledBuild(build)), ['build.json']);
    await close(paths);
    assert.deepEqual(openNames(paths), []);
  });

  it('that was being closed when that was killed is open again', async (t) => {
    const paths = await preparedData(t);
    await openUnsettled(paths, entry);
    renameSync(paths.unsettledBuildFile(build), paths.unsettledAside(build));
    await removeEmptyGaps(paths);
    assert.deepEqual((await allUnsettled(paths)).map(facts), [entry]);
    // Opened anew in between: what was put aside is older.
    renameSync(paths.unsettledBuildFile(build), paths.unsettledAside(build));
    const anew = await openUnsettled(paths, { ...entry, number: 8 });
    await close(paths);
    assert.deepEqual(openNames(paths), []);
    assert.equal(anew.number, 8);
  });

  it('remembers since when its pipeline was not seen until it is', async (t) => {
    const paths = await preparedData(t);
    const unseenSince = '2026-03-03T00:00:00.000Z';
    await openUnsettled(paths, { ...entry, unseenSince });
    await openUnsettled(paths, entry);
    assert.equal((await readUnsettled(paths, build))?.unseenSince, unseenSince);
    await openUnsettled(paths, { ...entry, unseenSince: null });
    assert.deepEqual(facts(await readUnsettled(paths, build)), entry);
  });

  it('is rid of folders that a killed closing left empty, and of no others', async (t) => {
    const paths = await preparedData(t);
    const worked = '019a0000-0000-7000-8000-000000000009';
    await openUnsettled(paths, entry);
    await openUnsettled(paths, { ...entry, build: worked });
    await writeStub(paths, stub({ build: worked }));
    rmSync(paths.unsettledBuildFile(worked));
    mkdirSync(paths.unsettledBuild('019a0000-0000-7000-8000-000000000008'));
    await removeEmptyGaps(paths);
    assert.deepEqual(openNames(paths).toSorted(), [build, worked]);
  });

  it('can be read where an entry is torn or vanishes', async (t) => {
    const paths = await preparedData(t);
    await openUnsettled(paths, entry);
    mkdirSync(paths.unsettledBuild('empty'));
    mkdirSync(paths.unsettledBuild('torn'));
    writeFileSync(paths.unsettledBuildFile('torn'), '{"version":');
    assert.deepEqual((await allUnsettled(paths)).map(facts), [entry]);
    assert.equal(await readUnsettled(paths, 'absent'), null);
    assert.equal(hasStubs(paths, 'absent'), false);
    assert.deepEqual(await listStubs(paths, 'absent'), []);
  });
});

describe("a job's stub", () => {
  it('comes back as it was written, with artifacts of any name', async (t) => {
    const paths = await preparedData(t);
    await openUnsettled(paths, entry);
    const artifacts = ['a', '\u0000', '\ud800', '../..'].map((path, at) => ({
      ...{ id: String(at), job_id: job, path, state: 'finished', mime_type: 'x', size: 1, sha1: null, sha256: null },
    }));
    await writeStub(paths, stub({ artifacts }));
    const found = await readStub(paths, build, job);
    assert.deepEqual(found?.stub.artifacts.length, 4);
    assert.deepEqual(found?.stub.artifacts[3], artifacts[3]);
  });

  it('that is written while another is worked on stands beside it, also when the clock was set back', async (t) => {
    const paths = await preparedData(t);
    await openUnsettled(paths, entry);
    const first = await writeStub(paths, stub({ looks: 0 }));
    const now = Date.now();
    t.mock.timers.enable({ apis: ['Date'], now: now - 60_000 });
    const second = await writeStub(paths, stub({ looks: 1 }));
    t.mock.timers.reset();
    assert.equal((await readStub(paths, build, job))?.name, second);
    await removeStub(paths, build, job, first);
    assert.deepEqual(await listStubs(paths, build), [job]);
    assert.equal((await readStub(paths, build, job))?.stub.looks, 1);
    await removeStub(paths, build, job, second);
    assert.ok(!existsSync(paths.unsettledJob(build, job)));
    await removeStub(paths, build, job, second);
  });

  it('leaves no temporary file where the index is read', async (t) => {
    const paths = await preparedData(t);
    await openUnsettled(paths, entry);
    rmSync(paths.staging, { recursive: true });
    writeFileSync(paths.staging, 'a file where a folder belongs');
    await assert.rejects(writeStub(paths, stub()));
    assert.deepEqual(readdirSync(paths.unsettledJob(build, job)), []);
  });
});
