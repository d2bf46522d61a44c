/**
 * A bounded slice of `npm run crash-matrix`: the steps at which most would be lost, and each day three scenarios more, with
 * one cell each that is another every day. Each cell on a mirror of its own.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cellsOf, onItsDisk } from './matrix.ts';
import type { Cell, Reference, Scenario } from './scenario.ts';
import { scenarios } from './scenarios.ts';

/** Of these, the cells with this fault; `kill` after. */
const always: Readonly<Record<string, readonly [RegExp, Cell['fault']][]>> = {
  mirror: [
    [/^renameSync staging.* → tree.*\/artifacts\/…$/, 'kill'],
    [/^rename(Sync)? staging.* → .*job\.json$/, 'kill'],
    [/^commitSync catalog$/, 'kill'],
    [/^openSync staging/, 'EMFILE'],
  ],
  retry: [[/^renameSync staging.* → tree.*\/steps\/…$/, 'kill']],
  drop: [[/^renameSync tree.* → staging/, 'kill']],
  receiver: [[/^handle\.write spool\/N\.jsonl$/, 'kill']],
};
const today = Math.floor(Date.now() / 86_400_000);
/** So that one day after the other goes through all cells, and neighbours in the table do not follow one another. */
const stride = 7919;
const everyDay: ReadonlySet<string> = new Set(['mirror', 'receiver']);
const moreADay = 3;
/** No cell begins after this: on a busy machine there are fewer. The first of each scenario is run in any case. */
const boundMs = 60_000;

describe('what is disturbed', { concurrency: 3 }, () => {
  const until = performance.now() + boundMs;
  for (const scenario of ofToday()) {
    it(`is in the end what it would have been: ${scenario.name}`, async (t) => {
      const reference = await scenario.observe();
      for (const [index, cell] of picked(scenario, reference).entries()) {
        const { step, when, fault } = cell;
        const name = `${fault} ${when} ${step.label} (${step.occurrence})`;
        if (index > 0 && performance.now() > until) {
          t.diagnostic(`not run, for want of time: ${name}`);
          continue;
        }
        const left = new Set<string>();
        const verdict = await onItsDisk(scenario, cell, left, (within) => scenario.run(cell, reference, within));
        for (const why of left) t.diagnostic(`not run: ${why}`);
        assert.deepEqual(verdict?.faults ?? [], [], name);
      }
    });
  }
});

function ofToday(): Scenario[] {
  const others = scenarios.filter(({ name }) => !everyDay.has(name));
  const more = Array.from({ length: moreADay }, (_, index) => others[(today * moreADay + index) % others.length]);
  return scenarios.filter((scenario) => everyDay.has(scenario.name) || more.includes(scenario));
}

function picked(scenario: Scenario, reference: Reference): Cell[] {
  const cells = cellsOf(scenario, reference);
  const fixed = (always[scenario.name] ?? []).map(([pattern, of]) => {
    const found = cells.find(
      ({ step, when, fault }) =>
        of === fault && pattern.test(step.label) && step.occurrence === 1 && (fault !== 'kill' || when === 'after'),
    );
    assert.ok(found !== undefined, `the slice names a step that there is: ${pattern.source}`);
    return found;
  });
  const another = cells[(today * stride) % cells.length];
  assert.ok(another !== undefined, 'a scenario has steps');
  return [...fixed, another];
}
