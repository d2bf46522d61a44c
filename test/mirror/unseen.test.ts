/** A 404 says that something is gone only where its pipeline is seen: else it may be renamed, or hidden from the token. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import type { SampleBuild } from '../../demo/standin/sample.ts';
import { readLedger } from '../../src/reconcile/ledger.ts';
import { openCatalog } from '../../src/search/catalog.ts';
import { openUnsettled, readUnsettled } from '../../src/tree/unsettled.ts';
import { type Mirror, placeOf, startMirror } from './harness.ts';
import { newBuild, scriptOf } from './samples.ts';
import { until } from './until.ts';

let mirror: Mirror;
before(async () => {
  mirror = await startMirror();
});
after(() => mirror.stop());

const slug = (build: SampleBuild): string => build.pipeline.slug;
const hide = (build: SampleBuild): void => mirror.standIn.hide('acme', slug(build));
const show = (build: SampleBuild): void => mirror.standIn.show('acme', slug(build));
const content = (job: number, place: number): Buffer => Buffer.from(`${job} ${place}`);
const sample = (): SampleBuild => newBuild({ jobs: 2, artifactsPerJob: 3, content });
const isUnseen = async (build: SampleBuild): Promise<boolean> =>
  (await readUnsettled(mirror.paths, build.id))?.unseenSince != null;
const untilUnseen = (build: SampleBuild): Promise<void> => until(() => isUnseen(build), 'a gap that says so', 60_000);
const untilClosed = (build: SampleBuild): Promise<void> =>
  until(async () => (await readUnsettled(mirror.paths, build.id)) === null, 'the gap to be closed', 120_000);
const reasonsOf = async (build: SampleBuild): Promise<string[]> => {
  const catalog = openCatalog(mirror.paths.catalog, { readOnly: true });
  try {
    const { builds } = await readLedger({ paths: mirror.paths, catalog }, { after: null, limit: 1000 });
    return builds.filter(({ id }) => id === build.id).flatMap(({ reasons }) => reasons.map(({ reason }) => reason));
  } finally {
    catalog.close();
  }
};
/** As if upstream had shown nothing for so long. */
async function waitedFor(build: SampleBuild, days: number): Promise<void> {
  const gap = await readUnsettled(mirror.paths, build.id);
  assert.ok(gap);
  await openUnsettled(mirror.paths, { ...gap, unseenSince: new Date(Date.now() - days * 86_400_000).toISOString() });
}
const lookNow = (build: SampleBuild): Promise<void> => {
  const where = { organization: 'acme', pipeline: slug(build), number: build.number, build: build.id };
  const asked = { learnedFrom: 'reader', heardAt: null, finishedAt: null, job: null } as const;
  return mirror.queue.enqueue({ name: 'read-build', payload: { ...where, ...asked } }, { urgent: true });
};

/** Under way, with all files pending or failed and none present: its bytes cannot be had until `allow` is called. */
async function begun(): Promise<{ build: SampleBuild; allow: () => void }> {
  const build = sample();
  mirror.standIn.put(build);
  const { remove: allow } = mirror.standIn.faults.add({
    at: 'api',
    path: new RegExp(`${slug(build)}/.*/(download|log)$`),
    kind: 'status',
    status: 500,
    times: 1e6,
  });
  await mirror.tell(build);
  for (const { id } of [scriptOf(build), scriptOf(build, 1)])
    await mirror.jobRecord(build, id, ({ artifacts }) => artifacts.some(({ state }) => state === 'failed'));
  return { build, allow };
}

describe('a build whose pipeline is hidden from the token', () => {
  it('stays a gap that says why, and is complete without an operator when the pipeline is seen again', async () => {
    const build = sample();
    mirror.standIn.put(build);
    hide(build);
    await mirror.tell(build);
    await untilUnseen(build);
    assert.match((await reasonsOf(build)).join(), /404 for its pipeline/);
    show(build);
    assert.deepEqual((await mirror.settled(build, 120_000)).complete, true);
    assert.equal(await readUnsettled(mirror.paths, build.id), null);
    assert.deepEqual(await reasonsOf(build), []);
  });

  it('and that is under way loses nothing: what waited waits, and comes in later', async () => {
    const { build, allow } = await begun();
    hide(build);
    allow();
    await untilUnseen(build);
    const states = [scriptOf(build), scriptOf(build, 1)].flatMap(({ id }) => {
      const { artifacts, log } = mirror.job(build, id);
      return [...artifacts.map(({ state }) => state), log?.state];
    });
    assert.ok(
      states.every((state) => state === 'pending' || state === 'failed' || state === 'present'),
      states.join(),
    );
    assert.equal(mirror.build(build).settled, false);
    assert.match((await reasonsOf(build)).join(), /404 for its pipeline/);
    show(build);
    const record = await mirror.settled(build, 120_000);
    assert.deepEqual([record.complete, record.present], [true, 8]);
  });

  it('costs few requests, however many builds of it wait', async () => {
    const pipeline = slug(sample());
    const builds = Array.from({ length: 30 }, (_, index) => newBuild({ pipeline, number: index + 1, jobs: 1 }));
    for (const build of builds) mirror.standIn.put(build);
    const [first] = builds;
    assert.ok(first);
    hide(first);
    const from = mirror.standIn.requests.length;
    await Promise.all(builds.map((build) => mirror.tell(build)));
    for (const build of builds) await untilUnseen(build);
    const asked = mirror.standIn.requests.slice(from).filter(({ path }) => path.endsWith(`/pipelines/${pipeline}`));
    assert.ok(asked.length < builds.length, `${asked.length} looks at the pipeline`);
    show(first);
    for (const build of builds) await untilClosed(build);
  });

  it('is taken as gone when that has lasted for longer than anything is kept', async () => {
    const heardOf = sample();
    mirror.standIn.put(heardOf);
    hide(heardOf);
    await mirror.tell(heardOf);
    await untilUnseen(heardOf);
    await waitedFor(heardOf, 91);
    await lookNow(heardOf);
    await untilClosed(heardOf);
    assert.equal(existsSync(mirror.paths.buildFile(placeOf(heardOf), 'build.json')), false);

    const { build: started, allow } = await begun();
    mirror.standIn.removePipeline('acme', slug(started));
    allow();
    await untilUnseen(started);
    await waitedFor(started, 91);
    await lookNow(started);
    await untilClosed(started);
    const states = mirror.job(started, scriptOf(started).id).artifacts.map(({ state }) => state);
    assert.deepEqual(new Set(states), new Set(['lost']));
    // Nor by a task that was at work while that was concluded.
    await mirror.idle();
    assert.equal(await readUnsettled(mirror.paths, started.id), null);
  });
});

describe('a build that is deleted', () => {
  it('while its pipeline is seen is gone at once, with a reason for each file', async () => {
    const { build, allow } = await begun();
    mirror.standIn.remove('acme', slug(build), build.number);
    allow();
    await untilClosed(build);
    const { artifacts } = mirror.job(build, scriptOf(build).id);
    assert.deepEqual(new Set(artifacts.map(({ state }) => state)), new Set(['lost']));
  });

  it('is believed to be only when it is not found once more: one 404 of a proxy’s in between loses nothing', async () => {
    const build = sample();
    mirror.standIn.put(build);
    const path = new RegExp(`/pipelines/${slug(build)}/builds/${build.number}$`);
    mirror.standIn.faults.add({ at: 'api', path, kind: 'status', status: 404 });
    await mirror.tell(build);
    assert.equal((await mirror.settled(build, 120_000)).complete, true);
  });
});

describe('a pipeline that was renamed, which nobody told of', () => {
  it('is found by its uuid: what was under way is complete under the new name', async () => {
    const { build, allow } = await begun();
    const to = `${slug(build)}-renamed`;
    mirror.standIn.rename('acme', slug(build), to);
    allow();
    const renamed = { ...build, pipeline: { ...build.pipeline, slug: to } };
    const record = await mirror.settled(renamed, 120_000);
    assert.deepEqual([record.complete, record.present, record.pipeline], [true, 8, to]);
  });

  it('and a build of it that was only heard of, where others are mirrored', async () => {
    const first = sample();
    mirror.standIn.put(first);
    await mirror.tell(first);
    await mirror.settled(first);
    const second = newBuild({ pipeline: slug(first), jobs: 1, artifactsPerJob: 1 });
    mirror.standIn.put(second);
    const to = `${slug(first)}-moved`;
    mirror.standIn.rename('acme', slug(first), to);
    await mirror.tell(second);
    const renamed = { ...second, pipeline: { ...second.pipeline, slug: to } };
    assert.equal((await mirror.settled(renamed, 120_000)).complete, true);
  });
});
