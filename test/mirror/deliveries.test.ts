import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import type { SampleBuild } from '../../demo/standin/sample.ts';
import { digestTree, type Mirror, placeOf, stableTree, startMirror } from './harness.ts';
import { artifactOf, downloads, newBuild, scriptOf, scriptsOf, textArtifact, withScript } from './samples.ts';
import { until } from './until.ts';

let mirror: Mirror;
before(async () => {
  mirror = await startMirror();
});
after(() => mirror.stop());

const treeOf = (build: SampleBuild): Promise<Record<string, unknown>> => stableTree(mirror.paths.build(placeOf(build)));
/** The tree of one build told of another of the same content: only ids and numbers differ. */
const asIf = async (build: SampleBuild, like: SampleBuild): Promise<unknown> => {
  const pairs = [
    [build.id, like.id],
    [`/builds/${build.number}`, `/builds/${like.number}`],
    [`"number":${build.number},`, `"number":${like.number},`],
    [build.commit, like.commit],
    [build.pipeline.id, like.pipeline.id],
    [build.pipeline.slug, like.pipeline.slug],
    [build.message, like.message],
    ...scriptsOf(build).flatMap((job, at) => [
      [job.id, scriptOf(like, at).id] as const,
      ...job.artifacts.map((artifact, index) => [artifact.id, artifactOf(like, index, at).id] as const),
    ]),
  ] as const;
  let text = JSON.stringify(await treeOf(build));
  for (const [from, to] of pairs) text = text.replaceAll(from, to);
  const tree = JSON.parse(text) as Record<string, unknown>;
  return Object.fromEntries(Object.entries(tree).filter(([name]) => !name.endsWith('SHA256SUMS')));
};

const content = (job: number, place: number): Buffer => Buffer.from(`${job} ${place}`);
const unfinished = { state: 'running', finishedAt: null, exitStatus: null, artifacts: [], log: null };
const sample = (): SampleBuild => newBuild({ jobs: 4, artifactsPerJob: 5, content });

describe('deliveries', () => {
  it('mirror a build N of N, with every digest as upstream states it, and fetch each file once', async () => {
    const build = sample();
    mirror.standIn.put(build);
    const from = mirror.standIn.requests.length;
    await mirror.tell(build);
    const record = await mirror.settled(build);
    assert.equal(record.complete, true);
    assert.deepEqual([record.present, record.expected], [24, 24]);
    const counts = downloads(mirror.standIn.requests.slice(from));
    assert.deepEqual([counts.size, ...new Set(counts.values())], [20, 1]);
  });

  it('give the same tree in whatever order, how often, and how late they come', async () => {
    const [plain, shuffled, replayed] = [sample(), sample(), sample()];
    for (const build of [plain, shuffled, replayed]) mirror.standIn.put(build);
    const from = mirror.standIn.requests.length;

    await mirror.tell(plain);
    await mirror.settled(plain);

    // The jobs after their build, the last first, each of them twice.
    await mirror.tell(shuffled);
    for (const job of scriptsOf(shuffled).toReversed()) {
      await mirror.tell(shuffled, job);
      await mirror.tell(shuffled, job);
    }
    await mirror.settled(shuffled);

    // All at once, and once more when all is done.
    const all = [...scriptsOf(replayed).map((job) => mirror.tell(replayed, job)), mirror.tell(replayed)];
    await Promise.all(all);
    await mirror.settled(replayed);
    for (const job of scriptsOf(replayed)) await mirror.tell(replayed, job);
    await mirror.tell(replayed);
    await mirror.idle();

    const expected = await asIf(plain, plain);
    assert.deepEqual(await asIf(shuffled, plain), expected);
    assert.deepEqual(await asIf(replayed, plain), expected);
    const counts = downloads(mirror.standIn.requests.slice(from));
    assert.deepEqual([counts.size, ...new Set(counts.values())], [60, 1], 'nothing is fetched twice');
  });

  it('that are replayed when all is done cost upstream nothing', async () => {
    const build = sample();
    mirror.standIn.put(build);
    await mirror.tell(build);
    await mirror.settled(build);
    const [requests, files] = [mirror.standIn.requests.length, await digestTree(mirror.paths.tree)];
    await mirror.tell(build);
    for (const job of scriptsOf(build)) await mirror.tell(build, job);
    await mirror.idle();
    assert.equal(mirror.standIn.requests.length, requests);
    assert.deepEqual(await digestTree(mirror.paths.tree), files);
  });

  it('of a job are mirrored while its build still runs, and the build is complete at its end', async () => {
    const whole = sample();
    const running = { ...withScript(whole, 1, unfinished), state: 'running', finishedAt: null };
    mirror.standIn.put(running);
    await mirror.tell(running, scriptOf(running));
    await mirror.jobSettled(running, scriptOf(running).id);
    await mirror.idle();
    assert.equal(mirror.build(running).settled, false, 'a build that runs is not settled');
    mirror.standIn.put(whole);
    const from = mirror.standIn.requests.length;
    await mirror.tell(whole);
    const record = await mirror.settled(whole);
    assert.deepEqual([record.complete, record.present], [true, 24]);
    assert.equal(downloads(mirror.standIn.requests.slice(from)).size, 5, 'only what was missing');
  });

  it('that come while their task runs are not lost', async () => {
    const whole = sample();
    const first = { ...withScript(whole, 3, unfinished), state: 'running', finishedAt: null };
    mirror.standIn.put(first);
    mirror.standIn.latency.apiMs = 300;
    const from = mirror.standIn.requests.length;
    await mirror.tell(first, scriptOf(first));
    await until(() => mirror.standIn.requests.length > from, 'its task to ask upstream');
    // The task waits for an answer that was decided before this happened.
    mirror.standIn.latency.apiMs = 0;
    await until(() => (mirror.standIn.requests[from]?.status ?? 0) !== 0, 'the answer to be made');
    mirror.standIn.put(whole);
    await mirror.tell(whole);
    const record = await mirror.settled(whole);
    assert.deepEqual([record.complete, record.present], [true, 24]);
  });

  it('are not displaced by a duplicate of an older one that comes after them', async () => {
    const whole = sample();
    const running = { ...withScript(whole, 3, unfinished), state: 'running', finishedAt: null };
    mirror.standIn.put(withScript(running, 1, unfinished));
    await mirror.tell(running, scriptOf(running));
    await mirror.jobSettled(running, scriptOf(running).id);
    await mirror.idle();

    mirror.standIn.put(running);
    mirror.standIn.latency.apiMs = 300;
    const from = mirror.standIn.requests.length;
    await mirror.tell(running, scriptOf(running, 1));
    await until(() => mirror.standIn.requests.length > from, 'its task to ask upstream');
    mirror.standIn.latency.apiMs = 0;
    await until(() => (mirror.standIn.requests[from]?.status ?? 0) !== 0, 'the answer to be made');
    mirror.standIn.put(whole);
    await mirror.tell(whole);
    await mirror.tell(whole, scriptOf(whole));
    assert.equal((await mirror.settled(whole, 10_000)).complete, true);
  });

  it('that are ahead of what upstream shows are looked at again until it does', async () => {
    const whole = sample();
    mirror.standIn.put({ ...withScript(whole, 0, unfinished), state: 'running', finishedAt: null });
    const from = mirror.standIn.requests.length;
    await mirror.tell(whole);
    await until(
      () => mirror.standIn.requests.slice(from).filter(({ path }) => /builds\/\d+\?/.test(path)).length > 1,
      'a second look',
    );
    mirror.standIn.put(whole);
    assert.equal((await mirror.settled(whole)).complete, true);
  });

  it('of builds that upstream does not know, or no longer, do no harm', async () => {
    const build = sample();
    mirror.standIn.put(newBuild({ pipeline: build.pipeline.slug }));
    await mirror.tell(build);
    await mirror.idle();
    assert.ok(mirror.output.some((line) => line.includes('a build is not there upstream')));
    assert.deepEqual(await digestTree(mirror.paths.build(placeOf(build))), {});
  });

  it('tell of waiters, triggers, manual steps and jobs that never ran, which have nothing to mirror', async () => {
    const build = newBuild({ jobs: 2, artifactsPerJob: 1 });
    const id = (tail: string): string => `019a1111-0000-7000-8000-0000000000${tail}`;
    const unstarted = { state: 'canceled', startedAt: null, finishedAt: null, log: null, artifacts: [] };
    const odd: SampleBuild = {
      ...withScript(build, 1, unstarted),
      jobs: [
        ...withScript(build, 1, unstarted).jobs,
        { type: 'waiter', id: id('01') },
        {
          type: 'manual',
          id: id('02'),
          label: 'Ship',
          stepKey: null,
          state: 'unblocked',
          unblockedBy: null,
          unblockedAt: build.finishedAt,
        },
        {
          ...{ type: 'trigger', id: id('03'), name: 'Deploy', stepKey: 'deploy', state: 'passed', async: false },
          ...{ createdAt: build.createdAt, startedAt: build.startedAt, finishedAt: build.finishedAt },
          triggered: { id: id('04'), number: 9, pipeline: 'deploy' },
        },
      ],
    };
    mirror.standIn.put(odd);
    for (const job of odd.jobs) await mirror.tell(odd, job);
    await mirror.tell(odd);
    const record = await mirror.settled(odd);
    assert.deepEqual([record.complete, record.present, record.expected], [true, 2, 2]);
    assert.deepEqual(
      record.jobs.map(({ type, url }) => [type, url === null]),
      [
        ['script', false],
        ['script', true],
        ['waiter', true],
        ['manual', true],
        ['trigger', true],
      ],
    );
  });

  it('of other pipelines and branches than the settings include cost one look at the most', async (t) => {
    const other = await startMirror({
      env: { KITEMIRROR_PIPELINES: '*,!secret', KITEMIRROR_BRANCHES: 'main,release/*' },
    });
    t.after(() => other.stop());
    const builds = {
      secret: newBuild({ pipeline: 'secret' }),
      branch: newBuild({ branch: 'feature/x' }),
      release: newBuild({ branch: 'release/1/2' }),
    };
    for (const build of Object.values(builds)) other.standIn.put(build);
    for (const build of Object.values(builds)) await other.tell(build);
    await other.settled(builds.release);
    assert.deepEqual(await digestTree(other.paths.build(placeOf(builds.secret))), {});
    assert.deepEqual(await digestTree(other.paths.build(placeOf(builds.branch))), {});
    assert.ok(!other.standIn.requests.some(({ path }) => path.includes('/secret/')));
  });

  it('leave nothing in staging, and no gap open', async () => {
    await mirror.idle();
    assert.deepEqual(readdirSync(mirror.paths.staging), []);
    assert.deepEqual(readdirSync(mirror.paths.unsettled), []);
  });

  it('see one file where artifacts of two jobs have the same bytes', async () => {
    const build = newBuild({ jobs: 2, artifactsPerJob: 0 });
    const same = (at: number): SampleBuild['jobs'][number] => ({
      ...scriptOf(build, at),
      artifacts: [textArtifact(`same-${at}.txt`, 'the same bytes')],
    });
    const both = { ...build, jobs: [same(0), same(1)] };
    mirror.standIn.put(both);
    await mirror.tell(both);
    await mirror.settled(both);
    const inode = (at: number): number => statSync(`${mirror.paths.merged(placeOf(both))}/same-${at}.txt`).ino;
    assert.equal(inode(0), inode(1));
  });
});
