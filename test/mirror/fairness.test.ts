/** A backfill of a thousand builds is under way, and someone's build comes to its end. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { documentedLimits } from '../../demo/standin/limits.ts';
import type { SampleBuild } from '../../demo/standin/sample.ts';
import type { StandInOptions } from '../../demo/standin/standin.ts';
import { hintOf, type Mirror, placeOf, startMirror } from './harness.ts';
import { artifactOf, newBuild, scriptOf } from './samples.ts';
import { until } from './until.ts';

const builds = 1000;
/** What is promised, on a machine that has nothing else to do. */
const promisedMs = 2000;

function smallBuild(): SampleBuild {
  return newBuild({ jobs: 2, artifactsPerJob: 3 });
}

/** From its webhook to its first artifact being there, in ms. */
async function firstArtifact(mirror: Mirror, build: SampleBuild): Promise<number> {
  const files = [0, 1].map((job) => {
    const { path } = artifactOf(build, 0, job);
    return mirror.paths.jobFile(placeOf(build), scriptOf(build, job).id, `artifacts/${path}`);
  });
  const since = performance.now();
  await mirror.tell(build);
  await until(() => files.some((file) => existsSync(file)), `build ${build.number}`, 60_000);
  return performance.now() - since;
}

/** As `kitemirror backfill` does. */
async function backfill(mirror: Mirror, all: readonly SampleBuild[]): Promise<void> {
  for (const build of all) {
    const { organization, pipeline, number, build: id } = hintOf(build);
    const ref = { organization, pipeline, number, build: id };
    const payload = { ...ref, learnedFrom: 'backfill', heardAt: null, finishedAt: null, job: null } as const;
    await mirror.queue.enqueue({ name: 'read-build', payload }, { workClass: 'bulk' });
  }
}

for (const [title, limits] of [
  ['without limits upstream', null],
  // Four builds' worth and more, so that three are not all that a window holds.
  ['within limits that it uses up', { ...documentedLimits, user: 200, organization: 800 }],
] as const) {
  describe(`while a backfill of ${builds} builds runs, ${title}`, { timeout: 180_000 }, () => {
    let mirror: Mirror;
    let old: SampleBuild[];
    /** What the same takes on this machine when there is nothing else to do. */
    let aloneMs: number;

    before(async () => {
      const standIn: StandInOptions = { limits };
      mirror = await startMirror({ standIn });
      const alone = smallBuild();
      mirror.standIn.put(alone);
      aloneMs = await firstArtifact(mirror, alone);
      await mirror.settled(alone);
      old = Array.from({ length: builds }, smallBuild);
      for (const build of old) mirror.standIn.put(build);
      const asked = mirror.standIn.requests.length;
      await backfill(mirror, old);
      await until(() => mirror.standIn.requests.length > asked + 8, 'the backfill to begin', 30_000);
    });
    after(() => mirror.stop());

    /** Other work on this machine slows both. */
    const promised = (): number => promisedMs + 4 * aloneMs;

    it('a new build is visible as soon as ever', async (t) => {
      const build = smallBuild();
      mirror.standIn.put(build);
      const tookMs = await firstArtifact(mirror, build);
      t.diagnostic(`${Math.round(tookMs)} ms; alone ${Math.round(aloneMs)} ms`);
      assert.ok(tookMs < promised(), `${tookMs} ms, alone ${aloneMs} ms`);
    });

    it('so is one of its own builds that waits at its end', async (t) => {
      const build = old.at(-1);
      assert.ok(build !== undefined);
      const place = placeOf(build);
      assert.ok(!existsSync(mirror.paths.build(place)), 'the backfill has not come to it yet');
      const tookMs = await firstArtifact(mirror, build);
      t.diagnostic(`${Math.round(tookMs)} ms; alone ${Math.round(aloneMs)} ms`);
      assert.ok(tookMs < promised(), `${tookMs} ms, alone ${aloneMs} ms`);
      const counts = await mirror.queue.counts();
      const left = counts.filter(({ queue }) => queue === 'bulk').reduce((sum, { count }) => sum + count, 0);
      assert.ok(left > 10, `the backfill still runs: ${left} tasks`);
    });
  });
}
