import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { basics, bestTime, linkPoints, linkQueries, linksByRest } from '../../bench/budget-arithmetic.ts';
import { bestOf, plans } from '../../bench/budget-plans.ts';

describe('the arithmetic of the budget bench', () => {
  const minute = { limit: 50, seconds: 60 };

  it('needs no time while one window is enough, and a window more for each part of our share that is used', () => {
    const seconds = (amount: number): number =>
      bestTime([{ api: 'REST requests', amount, window: minute }], 0.8).seconds;
    assert.deepEqual([40, 41, 80, 81].map(seconds), [0, 60, 60, 120]);
  });

  it('goes by the limit that holds longest', () => {
    const best = bestTime(
      [
        { api: 'REST requests', amount: 42, window: minute },
        { api: 'GraphQL points', amount: 10_123, window: { limit: 5000, seconds: 300 } },
      ],
      0.8,
    );
    assert.deepEqual(best, { seconds: 600, because: '10123 GraphQL points at 4000 each 300 s: 3 windows' });
  });

  it('counts what a build of 1,000 artifacts and 160 logs costs by REST', () => {
    assert.equal(basics(160) + linksByRest(1000), 1 + 1 + 160 + 10 + 1000);
  });

  it('counts points for artifacts, jobs and queries, none of which may request more than 50,000', () => {
    assert.deepEqual([linkPoints(40, 10_000), linkQueries(40, 10_000)], [10_000 + 120 + 3, 1]);
    assert.deepEqual([linkPoints(400, 100_000), linkQueries(400, 100_000)], [100_000 + 1200 + 9, 3]);
  });

  it('names each plan, and takes the large ones with one, two, four and eight workers', () => {
    assert.equal(new Set(plans.map(({ id }) => id)).size, plans.length);
    for (const way of ['rest', 'graphql', 'portal'])
      assert.deepEqual(plans.find(({ id }) => id === way)?.workers, [1, 2, 4, 8]);
  });

  it('times no plan whose windows are so short that our own work decides', () => {
    for (const plan of plans.filter(({ isTimed }) => isTimed)) assert.ok(bestOf(plan).seconds >= 30, plan.name);
  });
});
