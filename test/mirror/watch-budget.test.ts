import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createBudget } from '../../src/buildkite/budget.ts';
import { budgetStore } from '../../src/queue/budgets.ts';
import { startRedis } from './redis.ts';

test('who watches leaves a fifth of the requests to builds that have ended', { timeout: 60_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'kitemirror-'));
  const redis = await startRedis(folder);
  t.after(async () => {
    await redis.stop();
    rmSync(folder, { recursive: true });
  });
  // What is kept for others is let go as the window ends, so all of this is at its beginning.
  const windowMs = 20_000;
  const budget = createBudget({
    store: budgetStore(redis.client),
    api: 'rest',
    share: 0.8,
    limits: { user: 50, organization: 200 },
    windowMs,
  });
  // The first answer says how much there is, and until when.
  await budget.spend({ signal: AbortSignal.timeout(20_000), workClass: 'live' });
  budget.settle({
    user: { limit: 50, remaining: 49, resetMs: windowMs },
    organization: { limit: 200, remaining: 199, resetMs: windowMs },
  });
  const grantedTo = async (workClass: 'watch' | 'live', wanted: number): Promise<number> => {
    const signal = AbortSignal.timeout(1500);
    const all = await Promise.allSettled(Array.from({ length: wanted }, () => budget.spend({ signal, workClass })));
    return all.filter(({ status }) => status === 'fulfilled').length;
  };
  const watched = await grantedTo('watch', 60);
  const live = await grantedTo('live', 60);
  assert.ok(watched > 20 && watched <= 32, `${watched} to who watches`);
  assert.ok(live >= 4, `${live} left to live work`);
});
