/** The counters themselves, in a real Redis: whose turn it is, what is given back, and what becomes of what is lost. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import {
  type Allowances,
  type Budget,
  type BudgetStore,
  createBudget,
  type Spending,
  type WorkClass,
} from '../../src/buildkite/budget.ts';
import { budgetStore, readRemaining } from '../../src/queue/budgets.ts';
import { type RedisServer, startRedis } from './redis.ts';
import { until } from './until.ts';

const limits = { user: 50, organization: 200 };
/** Of these are ours. */
const ours = 40;
const windowMs = 30_000;

let redis: RedisServer;
const folder = mkdtempSync(join(tmpdir(), 'kitemirror-'));
before(async () => {
  redis = await startRedis(folder);
});
beforeEach(async () => {
  await redis.client.flushall();
});
after(async () => {
  await redis.stop();
  rmSync(folder, { recursive: true });
});

/** As a worker process has it. */
function budgetOf(store: BudgetStore = budgetStore(redis.client), ms = windowMs): Budget {
  return createBudget({ store, api: 'rest', share: 0.8, limits, windowMs: ms });
}

/** What an answer's headers say. */
function left(remaining: number, resetMs = windowMs): Allowances {
  return { user: { limit: 50, remaining, resetMs }, organization: { limit: 200, remaining: 150 + remaining, resetMs } };
}

/** One request was answered: from now on it is known when the window ends. */
async function begun(budget: Budget, resetMs = windowMs): Promise<void> {
  await budget.spend({ signal: AbortSignal.timeout(20_000), workClass: 'person' });
  budget.settle(left(49, resetMs));
}

/** Asks for so many, each by itself. @returns how many are granted, counted as they come */
function asking(budget: Budget, wanted: number, spending: Omit<Spending, 'signal'>): { granted: number; stop(): void } {
  const stop = new AbortController();
  const state = { granted: 0, stop: () => stop.abort(new Error('enough')) };
  const ask = async (): Promise<void> => {
    try {
      await budget.spend({ ...spending, signal: stop.signal });
      state.granted += 1;
    } catch (thrown) {
      if (!stop.signal.aborted) throw thrown;
    }
  };
  for (let each = 0; each < wanted; each += 1) void ask();
  return state;
}

/** How many of so many are granted at once. */
async function grantedOf(budget: Budget, wanted: number, spending: Omit<Spending, 'signal'>): Promise<number> {
  const asked = asking(budget, wanted, spending);
  await pause(700);
  asked.stop();
  return asked.granted;
}

describe('the budget', () => {
  it('grants our share of the limit and no more, however many processes ask', async () => {
    const all = [budgetOf(), budgetOf(), budgetOf(), budgetOf()];
    const [first] = all;
    assert.ok(first);
    await begun(first);
    const granted = await Promise.all(all.map((budget) => grantedOf(budget, 30, { workClass: 'person' })));
    assert.equal(
      granted.reduce((sum, each) => sum + each, 1),
      ours,
    );
  });

  it('leaves to each class what those behind it may not have', async () => {
    const order: WorkClass[] = ['bulk', 'reconcile', 'watch', 'live', 'main', 'person'];
    const budget = budgetOf();
    await begun(budget);
    const granted: number[] = [];
    for (const workClass of order) granted.push(await grantedOf(budget, 60, { workClass }));
    assert.ok(
      granted.every((each) => each > 0),
      JSON.stringify(granted),
    );
    assert.equal(
      granted.reduce((sum, each) => sum + each, 1),
      ours,
    );
  });

  it('keeps a part for work that nobody waits for, where others would take all of each window', async () => {
    const budget = budgetOf(undefined, 3000);
    await begun(budget, 3000);
    const live = asking(budget, 500, { workClass: 'live' });
    const bulk = asking(budget, 500, { workClass: 'bulk' });
    const reconcile = asking(budget, 500, { workClass: 'reconcile' });
    // Four windows.
    await until(() => live.granted > 3.5 * ours * 0.7, 'four windows', 60_000);
    for (const each of [live, bulk, reconcile]) each.stop();
    const granted = `live ${live.granted}, reconcile ${reconcile.granted}, bulk ${bulk.granted}`;
    assert.ok(reconcile.granted >= 6 && bulk.granted >= 6, granted);
  });

  it('has what goes ahead granted before others of its class', async () => {
    const budget = budgetOf(undefined, 3000);
    await begun(budget, 3000);
    const others = asking(budget, 200, { workClass: 'live' });
    await until(() => others.granted >= 30, 'the window to be used up', 20_000);
    const before = others.granted;
    await budget.spend({ workClass: 'live', ahead: true, signal: AbortSignal.timeout(30_000) });
    others.stop();
    assert.ok(others.granted - before < ours, `${others.granted - before} others were granted meanwhile`);
    assert.ok(others.granted < 200);
  });

  it('gives back at once what is too little for a dear request', async () => {
    const [one, other] = [budgetOf(), budgetOf()];
    await begun(one);
    // 24 of 40 are there for this class: two of these fit, and 4 are left over.
    const dear = asking(one, 3, { workClass: 'bulk', points: 10 });
    await until(() => dear.granted === 2, 'two of three', 20_000);
    assert.equal(await grantedOf(other, 40, { workClass: 'person' }), ours - 1 - 20);
    dear.stop();
  });

  it('forgets with the window what a worker that died had sent', async () => {
    const [dying, living] = [budgetOf(undefined, 3000), budgetOf(undefined, 3000)];
    await begun(dying, 3000);
    await grantedOf(dying, 60, { workClass: 'person' });
    const after = asking(living, 30, { workClass: 'person' });
    await until(() => after.granted === 30, 'the next window', 20_000);
    for (let each = 0; each < 30; each += 1) living.settle(left(49 - each, 3000));
    await until(
      async () => Number(await redis.client.hget('kitemirror:budget:rest:user', 'flying')) === 0,
      'all answers',
    );
  });

  it('loses no answer that Redis could not be told', async () => {
    let isAway = false;
    const store = budgetStore(redis.client);
    const budget = budgetOf({
      run: (...all) => (isAway ? Promise.reject(new Error('LOADING')) : store.run(...all)),
    });
    await begun(budget);
    assert.equal(await grantedOf(budget, 10, { workClass: 'person' }), 10);
    isAway = true;
    for (let each = 0; each < 10; each += 1) budget.settle({});
    await pause(200);
    isAway = false;
    await until(
      async () => Number(await redis.client.hget('kitemirror:budget:rest:user', 'flying')) === 0,
      'all answers',
    );
  });

  it('goes by what upstream says is left, where people have used more', async () => {
    const budget = budgetOf();
    await budget.spend({ signal: AbortSignal.timeout(20_000), workClass: 'person' });
    budget.settle(left(7));
    assert.equal(await grantedOf(budget, 60, { workClass: 'person' }), 7);
    assert.deepEqual(
      (await readRemaining(redis.client)).find(({ scope }) => scope === 'user'),
      { api: 'rest', scope: 'user', remaining: 0 },
    );
  });

  it('sends one request and no more to find out what is left when it knows nothing', async () => {
    const budget = budgetOf();
    const all = asking(budget, 30, { workClass: 'person' });
    await pause(600);
    assert.equal(all.granted, 1);
    budget.settle(left(3));
    await until(() => all.granted === 4, 'what is left');
    await pause(600);
    all.stop();
    assert.equal(all.granted, 4);
  });

  it('does not wait for ever for the answer that would tell what is left', async () => {
    const [dying, living] = [budgetOf(), budgetOf()];
    await dying.spend({ signal: AbortSignal.timeout(20_000), workClass: 'person' });
    const all = asking(living, 10, { workClass: 'person' });
    await until(() => all.granted === 10, 'the others', 20_000);
  });
});
