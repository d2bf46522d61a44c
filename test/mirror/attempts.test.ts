import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { SampleBuild, ScriptJob } from '../../demo/standin/sample.ts';
import type { JobRecord } from '../../src/model.ts';
import { digestTree, type Mirror, placeOf, startMirror } from './harness.ts';
import { buildOf, downloads, scriptOf, textArtifact, withScript } from './samples.ts';
import { until } from './until.ts';

let mirror: Mirror;
before(async () => {
  mirror = await startMirror();
});
after(() => mirror.stop());

async function mirrored(build: SampleBuild) {
  mirror.standIn.put(build);
  await mirror.tell(build);
  return mirror.settled(build);
}

/** What a folder shows: path → text. */
async function texts(folder: string): Promise<Record<string, string>> {
  return Object.fromEntries(
    Object.keys(await digestTree(folder)).map((path) => [path, readFileSync(join(folder, path), 'utf8')]),
  );
}

const merged = (build: SampleBuild): Promise<Record<string, string>> => texts(mirror.paths.merged(placeOf(build)));
const step = (build: SampleBuild, key: string): Promise<Record<string, string>> =>
  texts(mirror.paths.step(placeOf(build), key));
const own = (build: SampleBuild, job: number): Promise<Record<string, string>> =>
  texts(mirror.paths.jobFile(placeOf(build), scriptOf(build, job).id, 'artifacts'));
const flags = ({ artifacts }: JobRecord): Record<string, boolean> =>
  Object.fromEntries(artifacts.map(({ path, merged }) => [path, merged]));

/** A second attempt of a build's last job, with artifacts of its own, that ends a minute later. */
function retried(build: SampleBuild, index: number, change: Partial<ScriptJob>): SampleBuild {
  const first = scriptOf(build, index);
  const id = first.id.replace(/.$/, (last) => (last === 'f' ? 'e' : 'f'));
  const finishedAt = (build.finishedAt ?? 0) + 60_000;
  const again: ScriptJob = {
    ...first,
    ...{ id, state: 'passed', exitStatus: 0, startedAt: build.finishedAt, finishedAt: finishedAt - 1000 },
    ...{ retriesCount: 1, retrySource: { jobId: first.id, retryType: 'manual' }, retryType: 'manual' },
    ...change,
  };
  const replaced = withScript(build, index, { retriedInJobId: id });
  return { ...replaced, state: 'passed', finishedAt, jobs: [...replaced.jobs, again] };
}

describe('a job that was retried', () => {
  it('shows on the page of each attempt what became of the others', async () => {
    const first = withScript(buildOf([[textArtifact('a.txt', 'first')]]), 0, { state: 'failed', exitStatus: 1 });
    await mirrored(first);
    const build = retried(first, 0, { artifacts: [textArtifact('a.txt', 'second')] });
    await mirrored(build);
    const { organization, folder, number } = placeOf(build);
    const [old, again] = [0, 1].map((index) => scriptOf(build, index).id);
    const page = (): string =>
      readFileSync(mirror.paths.page(organization, folder, 'builds', String(number), 'jobs', old ?? ''), 'utf8');
    await until(() => page().includes(`../${again}/`), 'the second attempt on the page of the first');
    // The record of the first does not change any more; that of the second does, as when it was fetched late.
    const record = mirror.paths.jobFile(placeOf(build), again ?? '', 'job.json');
    const text = readFileSync(record, 'utf8');
    const html = mirror.paths.page(organization, folder, 'builds', String(number), 'jobs', old ?? '');
    writeFileSync(html, 'as it was while the second ran');
    await until(() => Date.now() > statSync(html).mtimeMs + 20, 'a later time');
    writeFileSync(record, text);
    const { id: pipelineId, slug: pipeline } = build.pipeline;
    await mirror.queue.enqueue({
      name: 'publish-build',
      payload: { organization, pipeline, number, build: build.id, pipelineId },
    });
    await until(() => page().includes(`../${again}/`), 'the page of the first to be made again');
  });

  it('keeps both attempts, and the views show the last', async () => {
    const first = buildOf([
      [textArtifact('log/result.txt', 'first'), textArtifact('only-first.txt', 'gone from the view')],
    ]);
    const build = retried(withScript(first, 0, { state: 'failed', exitStatus: 1 }), 0, {
      artifacts: [textArtifact('log/result.txt', 'second')],
    });
    const record = await mirrored(build);
    assert.deepEqual([record.complete, record.present, record.expected], [true, 5, 5], 'the logs are counted too');
    assert.deepEqual(await own(build, 0), { 'log/result.txt': 'first', 'only-first.txt': 'gone from the view' });
    assert.deepEqual(await own(build, 1), { 'log/result.txt': 'second' });
    assert.deepEqual(await merged(build), { 'log/result.txt': 'second' });
    assert.deepEqual(await step(build, 'step-0'), { 'log/result.txt': 'second' });
    const [old, now] = [0, 1].map((at) => mirror.job(build, scriptOf(build, at).id));
    assert.deepEqual(old && flags(old), { 'log/result.txt': false, 'only-first.txt': false });
    assert.deepEqual(now && flags(now), { 'log/result.txt': true });
    assert.deepEqual([old?.retried, old?.retried_in_job_id, now?.retried], [true, scriptOf(build, 1).id, false]);
  });

  it('after its build had ended, is followed: views, records and what was fetched already stays', async () => {
    const first = withScript(buildOf([[textArtifact('a.txt', 'first')], [textArtifact('b.txt', 'b')]]), 0, {
      state: 'failed',
      exitStatus: 1,
    });
    const failed = { ...first, state: 'failed' };
    const before = await mirrored(failed);
    assert.equal(before.state, 'failed');
    assert.deepEqual(await merged(failed), { 'a.txt': 'first', 'b.txt': 'b' });
    const inode = statSync(mirror.paths.jobFile(placeOf(failed), scriptOf(failed).id, 'artifacts/a.txt')).ino;

    // Running again: the build is unfinished, its first attempt is replaced.
    const again = retried(failed, 0, { artifacts: [textArtifact('a.txt', 'second')] });
    const rerun = { ...again, state: 'running', finishedAt: null };
    const from = mirror.standIn.requests.length;
    mirror.standIn.put(withScript(rerun, 2, { state: 'running', finishedAt: null, artifacts: [], log: null }));
    await mirror.tell(failed, scriptOf(failed));
    await mirror.idle();

    const record = await mirrored(again);
    assert.deepEqual([record.state, record.complete, record.present], ['passed', true, 6]);
    assert.deepEqual(await merged(again), { 'a.txt': 'second', 'b.txt': 'b' });
    assert.deepEqual(await own(again, 0), { 'a.txt': 'first' });
    assert.equal(statSync(mirror.paths.jobFile(placeOf(failed), scriptOf(failed).id, 'artifacts/a.txt')).ino, inode);
    assert.deepEqual(flags(mirror.job(again, scriptOf(again).id)), { 'a.txt': false });
    assert.deepEqual(flags(mirror.job(again, scriptOf(again, 1).id)), { 'b.txt': true });
    assert.equal(downloads(mirror.standIn.requests.slice(from)).size, 1);
  });

  it('is complete although the listing of a build leaves replaced attempts out, or has them', async (t) => {
    const other = await startMirror({ standIn: { retriedInBuildListing: true } });
    t.after(() => other.stop());
    const build = retried(buildOf([[textArtifact('x.txt', '1')], [textArtifact('y.txt', '2')]]), 0, { artifacts: [] });
    other.standIn.put(build);
    await other.tell(build);
    assert.deepEqual((await other.settled(build)).present, 5);
    assert.equal((await mirrored(build)).present, 5);
  });
});

describe('the merged view', () => {
  it('shows of one path the job that finished last, and of two that finished together the one of the greater id', async () => {
    const path = 'coverage/lcov.info';
    let build = buildOf(['a', 'b', 'c'].map((text) => [textArtifact(path, text)]));
    const at = (build.finishedAt ?? 0) - 10_000;
    build = withScript(withScript(withScript(build, 0, { finishedAt: at + 5000 }), 1, { finishedAt: at }), 2, {
      finishedAt: at,
    });
    await mirrored(build);
    assert.deepEqual(await merged(build), { [path]: 'a' });
    assert.deepEqual(
      [0, 1, 2].map((job) => flags(mirror.job(build, scriptOf(build, job).id))[path]),
      [true, false, false],
    );

    const tie = buildOf(['a', 'b', 'c'].map((text) => [textArtifact(path, text)]));
    await mirrored(tie);
    const last = [0, 1, 2].toSorted((a, b) => (scriptOf(tie, a).id < scriptOf(tie, b).id ? -1 : 1)).at(-1) ?? 0;
    assert.deepEqual(await merged(tie), { [path]: 'abc'[last] });
  });

  it('shows the folder where a file and a folder of two jobs collide; the file stays at its job', async () => {
    const build = buildOf([[textArtifact('report', 'a file')], [textArtifact('report/index.html', 'a page')]]);
    const record = await mirrored(build);
    assert.equal(record.complete, true);
    assert.deepEqual(await merged(build), { 'report/index.html': 'a page' });
    assert.deepEqual(await own(build, 0), { report: 'a file' });
    assert.deepEqual(flags(mirror.job(build, scriptOf(build).id)), { report: false });
    assert.deepEqual(flags(mirror.job(build, scriptOf(build, 1).id)), { 'report/index.html': true });
  });

  it('goes over from a file to a folder, and back, as attempts follow one another', async () => {
    const first = buildOf([[textArtifact('out', 'a file')]]);
    await mirrored(first);
    assert.deepEqual(await merged(first), { out: 'a file' });
    const second = retried(first, 0, { artifacts: [textArtifact('out/deep/x', 'inside')] });
    await mirrored(second);
    assert.deepEqual(await merged(second), { 'out/deep/x': 'inside' });
    const id = randomUUID();
    const third = retried(second, 1, { id, artifacts: [textArtifact('out', 'a file again')] });
    await mirrored(withScript(third, 1, { retriedInJobId: id }));
    assert.deepEqual(await merged(third), { out: 'a file again' });
  });

  it('changes its inode with its bytes, also where the size stays', async () => {
    const first = buildOf([[textArtifact('status.txt', 'red   ')]]);
    await mirrored(first);
    const file = join(mirror.paths.merged(placeOf(first)), 'status.txt');
    const before = statSync(file, { bigint: true });
    const second = retried(first, 0, { artifacts: [textArtifact('status.txt', 'green ')] });
    await mirrored(second);
    const now = statSync(file, { bigint: true });
    assert.equal(readFileSync(file, 'utf8'), 'green ');
    assert.equal(now.size, before.size);
    assert.notEqual(
      `${now.ino} ${now.mtimeNs}`,
      `${before.ino} ${before.mtimeNs}`,
      'no client takes one for the other',
    );
  });

  it('has a part for each step: of matrix and parallel jobs together, whatever the step is called', async () => {
    const keys = ['tests', 'tests', 'constructor', '__proto__', 'a/../b'];
    let build = buildOf(keys.map((key, at) => [textArtifact(`${at}.txt`, key)]));
    keys.forEach((stepKey, at) => {
      build = withScript(build, at, { stepKey, parallel: { index: at, total: keys.length } });
    });
    assert.equal((await mirrored(build)).complete, true);
    assert.deepEqual(await step(build, 'tests'), { '0.txt': 'tests', '1.txt': 'tests' });
    assert.deepEqual(await step(build, 'constructor'), { '2.txt': 'constructor' });
    assert.deepEqual(await step(build, '__proto__'), { '3.txt': '__proto__' });
    assert.deepEqual(await step(build, 'a/../b'), { '4.txt': 'a/../b' });
    assert.ok(!existsSync(join(mirror.paths.build(placeOf(build)), 'steps', 'b')));
    // Once more with a step that was not there before, when the others' views are known.
    const more = retried(withScript(build, 0, { stepKey: 'tests' }), 1, {
      stepKey: 'toString',
      artifacts: [textArtifact('1.txt', 'new')],
    });
    assert.equal((await mirrored(more)).complete, true);
    assert.deepEqual(await step(more, 'toString'), { '1.txt': 'new' });
    assert.deepEqual(await step(more, 'tests'), { '0.txt': 'tests' });
  });
});
