/** Builds none of whose webhooks came are found by comparing with Buildkite, and so is whatever else differs. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import type { SampleBuild } from '../../demo/standin/sample.ts';
import { takeUpGaps } from '../../src/reconcile/take-up.ts';
import type { ReconcileState } from '../../src/tree/reconcile-state.ts';
import { openUnsettled, readUnsettled } from '../../src/tree/unsettled.ts';
import { type Mirror, placeOf, readJson, startMirror } from './harness.ts';
import { artifactOf, newBuild, scriptOf, textArtifact, withArtifact, withScript } from './samples.ts';
import { until } from './until.ts';

let mirror: Mirror;
before(async () => {
  mirror = await startMirror({ env: { KITEMIRROR_RECONCILE_SECONDS: '1' } });
});
after(() => mirror.stop());

const secondsAgo = (seconds: number): number => Date.now() - seconds * 1000;
const fresh = (options: Parameters<typeof newBuild>[0] = {}): SampleBuild =>
  newBuild({ finishedAt: secondsAgo(30), ...options });
const state = (): ReconcileState => readJson(mirror.paths.reconcileState);
const lists = (): string[] =>
  mirror.standIn.requests.map(({ path }) => path).filter((path) => path.includes('/builds?'));

/** Until a comparison that began after now has ended. */
async function aComparison(): Promise<void> {
  const now = new Date().toISOString();
  await until(
    () =>
      existsSync(mirror.paths.reconcileState) &&
      (state().completed?.beganAt ?? '') > now &&
      state().comparison === null,
    () => `a comparison\n${mirror.output.slice(-5).join('\n')}`,
    30_000,
  );
}

describe('a comparison', () => {
  it('finds a build that no webhook told of, and says how it was learned of', async () => {
    const build = fresh({ jobs: 2, artifactsPerJob: 3 });
    mirror.standIn.put(build);
    const record = await mirror.settled(build);
    assert.deepEqual([record.complete, record.learned_from], [true, 'reconcile']);
  });

  it('is one request when nothing is new', async () => {
    await aComparison();
    const asked = mirror.standIn.requests.length;
    await aComparison();
    await aComparison();
    const since = mirror.standIn.requests.slice(asked);
    assert.ok(since.length >= 2 && since.every(({ path }) => path.includes('finished_from=')), JSON.stringify(since));
    assert.ok(since.length <= 4, `${since.length} requests for two or three comparisons`);
    assert.match(lists().at(-1) ?? '', /exclude_jobs=true&exclude_pipeline=true&per_page=100/);
  });

  it('finds a build that finished again, with the job that was retried', async () => {
    const build = fresh({ jobs: 1, artifactsPerJob: 1, state: 'failed' });
    mirror.standIn.put(build);
    await mirror.settled(build);
    const job = scriptOf(build);
    const retry = { ...job, id: job.id.replace(/^.{8}/, 'ffffffff'), artifacts: [textArtifact('again.txt', 'again')] };
    const first = withScript(build, 0, { retriedInJobId: retry.id, state: 'failed' });
    const again = { ...first, jobs: [...first.jobs, retry], state: 'passed', finishedAt: secondsAgo(5) };
    mirror.standIn.put(again);
    await until(() => mirror.build(build).state === 'passed' && mirror.build(build).settled, 'the retry', 30_000);
    assert.equal(mirror.job(build, retry.id).present, 2);
    assert.equal(mirror.job(build, job.id).retried, true);
  });

  it('moves the mark to Buildkite’s own time less an overlap, once all differences are on disk', async () => {
    await aComparison();
    const { mark, completed } = state();
    const behind = Date.parse(completed?.beganAt ?? '') - Date.parse(mark);
    assert.ok(behind > 9 * 60_000 && behind < 12 * 60_000, `${behind} ms`);
  });

  it('that cannot reach Buildkite leaves the mark where it was, and the next one goes on', async () => {
    await aComparison();
    const fault = mirror.standIn.faults.add({
      at: 'api',
      path: '/acme/builds',
      kind: 'status',
      status: 403,
      times: 1e6,
    });
    await until(() => fault.hits > 0, 'a refusal');
    const { mark } = state();
    const build = fresh();
    mirror.standIn.put(build);
    await until(() => fault.hits > 1, 'another refusal', 30_000);
    assert.equal(state().mark, mark);
    fault.remove();
    assert.equal((await mirror.settled(build)).learned_from, 'reconcile');
  });

  it('leaves out what the settings leave out, and brings it back when they let it in', async () => {
    await mirror.stopWorker();
    await mirror.startWorker({
      KITEMIRROR_BRANCHES: '*,!secret',
      KITEMIRROR_ARTIFACTS: '**,!**/*.txt',
      KITEMIRROR_LOGS: 'off',
    });
    const hidden = fresh({ branch: 'secret' });
    const partly = withScript(fresh({ jobs: 1 }), 0, {
      artifacts: [textArtifact('a.txt', 'a'), textArtifact('b.bin', 'b')],
    });
    mirror.standIn.put(hidden);
    mirror.standIn.put(partly);
    const record = await mirror.settled(partly);
    assert.deepEqual([record.expected, record.present], [1, 1]);
    await aComparison();
    assert.equal(existsSync(mirror.paths.buildFile(placeOf(hidden), 'build.json')), false);
    assert.equal(existsSync(mirror.paths.unsettledBuild(hidden.id)), false);

    await mirror.stopWorker();
    await mirror.startWorker();
    await until(() => mirror.build(partly).present === 3 && mirror.build(partly).complete, 'what was excluded', 30_000);
    assert.equal((await mirror.settled(hidden)).complete, true);
  });

  it('leaves a gap that stays open until upstream was asked, whatever is published meanwhile', async () => {
    const build = fresh();
    mirror.standIn.put(build);
    await mirror.settled(build);
    const { organization, folder, number } = placeOf(build);
    const where = { organization, pipeline: folder, number, build: build.id };
    await openUnsettled(mirror.paths, {
      ...{ version: 1, ...where, pipelineId: null },
      ...{ since: new Date().toISOString(), learnedFrom: 'reconcile' },
    });
    await mirror.queue.enqueue({ name: 'publish-build', payload: { ...where, pipelineId: build.pipeline.id } });
    await mirror.idle();
    assert.notEqual(await readUnsettled(mirror.paths, build.id), null);
    await takeUpGaps(mirror.paths, mirror.queue);
    await until(async () => (await readUnsettled(mirror.paths, build.id)) === null, 'the gap to be closed');
  });

  it('takes gaps up again when Redis was emptied', async () => {
    const fault = mirror.standIn.faults.add({ at: 'api', path: '/download', kind: 'status', status: 500, times: 1e6 });
    const build = fresh();
    mirror.standIn.put(build);
    await until(() => fault.hits > 0, 'a download that fails');
    await mirror.redis.client.flushall();
    fault.remove();
    assert.equal((await mirror.settled(build)).complete, true);
  });
});

describe('what upstream loses after we have it', () => {
  const lookAgain = async (build: SampleBuild): Promise<void> => {
    const { organization, folder: pipeline, number } = placeOf(build);
    const where = { organization, pipeline, number, build: build.id };
    const payload = {
      ...where,
      learnedFrom: 'reader',
      heardAt: null,
      finishedAt: null,
      job: null,
      again: true,
    } as const;
    await mirror.queue.enqueue({ name: 'read-build', payload }, { urgent: true });
  };
  const statesOf = (build: SampleBuild): string[] =>
    mirror
      .job(build, scriptOf(build).id)
      .artifacts.map(({ state: ours, upstream_state: theirs }) => `${ours}/${theirs}`);

  it('stays, and its record says so: expired and deleted artifacts, and a build that is gone', async () => {
    const build = fresh({ jobs: 1, artifactsPerJob: 2 });
    mirror.standIn.put(build);
    await mirror.settled(build);
    const expired = withArtifact(withArtifact(build, 0, 0, { state: 'expired' }), 0, 1, { state: 'deleted' });
    mirror.standIn.put(expired);
    await lookAgain(build);
    await until(
      () => statesOf(build).join() === 'present/expired,present/deleted',
      () => statesOf(build).join(),
      30_000,
    );
    assert.equal((await mirror.settled(build)).complete, true);

    mirror.standIn.remove('acme', build.pipeline.slug, build.number);
    await lookAgain(build);
    await until(
      () => statesOf(build).join() === 'present/deleted,present/deleted',
      () => statesOf(build).join(),
      30_000,
    );
    assert.equal((await mirror.settled(build)).complete, true);
    assert.ok(
      existsSync(mirror.paths.jobFile(placeOf(build), scriptOf(build).id, `artifacts/${artifactOf(build).path}`)),
    );
  });
});
