import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { SampleBuild } from '../../demo/standin/sample.ts';
import type { StandInOptions } from '../../demo/standin/standin.ts';
import { type Mirror, startMirror } from './harness.ts';
import { newBuild, scriptOf, withScript } from './samples.ts';
import { until } from './until.ts';

async function started(t: TestContext, standIn: StandInOptions, env: Record<string, string> = {}): Promise<Mirror> {
  const mirror = await startMirror({ standIn, env });
  t.after(() => mirror.stop());
  return mirror;
}

async function mirrored(mirror: Mirror, build: SampleBuild) {
  mirror.standIn.put(build);
  const since = Date.now();
  await mirror.tell(build);
  return { record: await mirror.settled(build), tookMs: Date.now() - since };
}

const refusals = (mirror: Mirror): number => mirror.standIn.requests.filter(({ status }) => status === 429).length;
const asked = (mirror: Mirror): number => mirror.standIn.requests.filter(({ at }) => at === 'api').length;
/** A task that failed for now or for good says so. */
const spentAttempts = (mirror: Mirror): string[] =>
  mirror.output.filter(
    (line) => line.includes('not complete yet') || line.includes('task has failed') || line.includes('task failed'),
  );

const windowMs = 1500;
const debug = { KITEMIRROR_LOG_LEVEL: 'debug' };

describe("upstream's limits", () => {
  for (const [scope, limits] of [
    ['a user', { user: 20, organization: 200, windowMs, resetDigits: 3 }],
    ['an organization', { user: null, organization: 20, windowMs, resetDigits: 3 }],
  ] as const) {
    it(`for ${scope} are kept to: a build of more requests than a window allows waits and is complete`, async (t) => {
      const mirror = await started(t, { limits }, debug);
      const build = newBuild({ jobs: 2, artifactsPerJob: 20 });
      const { record, tookMs } = await mirrored(mirror, build);
      assert.deepEqual([record.complete, record.present], [true, 42]);
      // Forty-odd requests, sixteen of which (the share) fit a window: two windows have to end.
      assert.ok(asked(mirror) > 42 && tookMs > 2 * windowMs * 0.8, `${asked(mirror)} requests in ${tookMs} ms`);
      assert.ok(refusals(mirror) <= 2, `${refusals(mirror)} requests were refused`);
      assert.deepEqual(spentAttempts(mirror), []);
    });
  }

  it('that people have used up already are waited for', async (t) => {
    const mirror = await started(t, { limits: { user: 50, organization: 200, windowMs, resetDigits: 3 } }, debug);
    mirror.standIn.limiter.spend(mirror.standIn.tokens[0]?.user ?? '', 50);
    const { record } = await mirrored(mirror, newBuild({ jobs: 1, artifactsPerJob: 5 }));
    assert.equal(record.complete, true);
    assert.ok(refusals(mirror) <= 3, `${refusals(mirror)} requests were refused`);
    assert.deepEqual(spentAttempts(mirror), []);
  });

  it("let the log of a failed job go before all else that waits, another build's too", {
    timeout: 120_000,
  }, async (t) => {
    const limits = { user: 30, organization: 200, windowMs: 2000, resetDigits: 3 };
    const mirror = await started(t, { limits }, { BUILDKITE_GRAPHQL: 'off' });
    const passed = newBuild({ jobs: 10, artifactsPerJob: 40 });
    const failed = withScript(newBuild({ jobs: 1, artifactsPerJob: 1 }), 0, { state: 'failed', exitStatus: 1 });
    for (const build of [passed, failed]) mirror.standIn.put(build);
    await mirror.tell(passed);
    await until(() => asked(mirror) > 60, 'links to be asked for', 60_000);
    await mirror.tell(failed);
    const at = (part: string): number => mirror.standIn.requests.findIndex(({ path }) => path.includes(part));
    const log = `${scriptOf(failed).id}/log`;
    await until(() => at(log) >= 0, "the failed job's log", 60_000);
    const listed = at(`builds/${failed.number}/artifacts`);
    const others = mirror.standIn.requests.slice(listed, at(log)).filter(({ path }) => path.endsWith('/download'));
    t.diagnostic(`${others.length} links were asked for between its list and its log`);
    // What a window holds may have been granted already.
    assert.ok(listed >= 0 && others.length <= 24, `${others.length} links were asked for between its list and its log`);
  });

  it('that come as a 429 with its documented body are waited for, and no attempt is spent', async (t) => {
    const mirror = await started(t, { limits: null }, debug);
    const build = newBuild({ jobs: 2, artifactsPerJob: 3 });
    const rule = { at: 'api', kind: 'status', status: 429, seconds: 1 } as const;
    const faults = [/builds\/\d+$/, /artifacts$/, `${scriptOf(build).id}/log`, '/download'].map((path) =>
      mirror.standIn.faults.add({ ...rule, path }),
    );
    const { record, tookMs } = await mirrored(mirror, build);
    assert.deepEqual([record.complete, record.present], [true, 8]);
    assert.deepEqual(
      faults.map(({ hits }) => hits),
      [1, 1, 1, 1],
    );
    assert.ok(tookMs >= 1000, `the second it was told to wait was not waited: ${tookMs} ms`);
    assert.deepEqual(spentAttempts(mirror), []);
  });
});
