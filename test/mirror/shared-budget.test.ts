/** Several worker processes, one budget: as few refusals as one worker has, and nothing asked for twice. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { basics, bestTime, linksByRest } from '../../bench/budget-arithmetic.ts';
import { documentedPoints } from '../../demo/standin/points.ts';
import { newBuild } from './samples.ts';
import { asked, mirrored, started } from './ways.ts';

const share = 0.8;
const windowMs = 3000;

/** No more than one in 500, and of fewer than 500 one. */
const allowed = (requests: number): number => Math.max(1, Math.floor(requests / 500));

for (const workers of [1, 4]) {
  describe(`${workers} worker process${workers === 1 ? '' : 'es'}`, { timeout: 230_000 }, () => {
    it('take what the limits of REST allow, and no more', async (t) => {
      const limits = { user: 100, organization: 400, windowMs, resetDigits: 2 };
      const mirror = await started(t, 'rest', { workers, standIn: { limits } });
      const [jobs, artifactsPerJob] = [8, 25];
      const since = performance.now();
      assert.equal((await mirrored(mirror, newBuild({ jobs, artifactsPerJob }))).complete, true);
      const seconds = (performance.now() - since) / 1000;
      const { rest, links, refused } = asked(mirror);
      const needed = basics(jobs) + linksByRest(jobs * artifactsPerJob);
      const window = { limit: limits.user, seconds: windowMs / 1000 };
      const best = bestTime([{ api: 'REST requests', amount: needed, window }], share).seconds;
      t.diagnostic(
        `${seconds.toFixed(1)} s, at best ${best} s; ${rest} requests, ${needed} needed, ${refused} refused`,
      );
      assert.ok(links <= jobs * artifactsPerJob + refused, `${links} links`);
      // Comparing with Buildkite and a second look at the build are asked of the same budget, by each worker that starts.
      assert.ok(rest <= needed + 4 + 5 * workers + refused, `${rest} requests, ${needed} needed`);
      assert.ok(refused <= allowed(rest), `${refused} refused`);
      assert.ok(seconds >= best * 0.9, `${seconds} s is less than the share allows (${best} s)`);
    });
  });
}

describe('several worker processes', { timeout: 200_000 }, () => {
  it('ask GraphQL once for what all of them need', async (t) => {
    const limits = { ...documentedPoints, user: 600, organization: 2400, windowMs, resetDigits: 2 };
    const mirror = await started(t, 'graphql', { workers: 4, standIn: { graphql: { limits } } });
    const [jobs, artifactsPerJob] = [24, 40];
    assert.equal((await mirrored(mirror, newBuild({ jobs, artifactsPerJob }))).complete, true);
    const { links, points, refused } = asked(mirror);
    const needed = jobs * (artifactsPerJob + 3);
    t.diagnostic(`${points} points, ${needed} needed; ${links} links by REST; ${refused} refused`);
    assert.equal(links, 0);
    // Four that knew nothing of each other would ask four times, a comparison that finds the same build once more.
    assert.ok(points <= needed * 1.1, `${points} points, ${needed} needed`);
    assert.ok(refused <= 1, `${refused} refused`);
  });
});
