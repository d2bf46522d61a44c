/** The small one of `npm run accounted`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accountedRun } from './accounted.ts';

test('2,000 deliveries are all accounted for, whoever is killed meanwhile', async () => {
  const { faults, acknowledged, lost, learnedFrom, kills, builds } = await accountedRun({ deliveries: 2000 });
  assert.deepEqual(faults, []);
  assert.equal(acknowledged + lost, 2000);
  assert.ok(acknowledged > 1500, `${acknowledged} were acknowledged`);
  assert.deepEqual(kills, { receiver: 3, worker: 3, 'redis-kill': 3, 'redis-flush': 3 });
  const { webhook = 0, reconcile = 0 } = learnedFrom;
  assert.equal(webhook + reconcile, builds);
  assert.ok(webhook > 0 && reconcile > 0, JSON.stringify(learnedFrom));
});
