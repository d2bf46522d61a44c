/** A bounded slice of `npm run crash-matrix`: the steps at which most would be lost, each on a mirror of its own. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cellsOf } from './matrix.ts';
import type { Cell, Reference, Scenario } from './scenario.ts';
import { scenarios } from './scenarios.ts';

/** Of these, the cells with this fault; `kill` before and after. */
const slice: Readonly<Record<string, readonly [RegExp, Cell['fault']][]>> = {
  mirror: [
    [/^renameSync staging.* → tree.*\/artifacts\/…$/, 'kill'],
    [/^rename staging.* → .*job\.json$/, 'kill'],
    [/^commitSync catalog$/, 'kill'],
    [/^rename staging.* → .*\/ID\/N\.json$/, 'EMFILE'],
    [/^openSync staging/, 'EMFILE'],
  ],
  retry: [
    [/^renameSync staging.* → tree.*\/steps\/…$/, 'kill'],
    [/^rename staging.* → tree.*build\.json$/, 'kill'],
  ],
  drop: [[/^renameSync tree.* → staging/, 'kill']],
};

describe('the mirror', { concurrency: 3 }, () => {
  for (const scenario of scenarios.filter(({ name }) => name in slice)) {
    it(`is in the end what it would have been: ${scenario.name}`, async () => {
      const reference = await scenario.observe();
      for (const cell of picked(scenario, reference)) {
        const { faults, isReached } = await scenario.run(cell, reference);
        const { step, when, fault } = cell;
        assert.deepEqual(faults, [], `${fault} ${when} ${step.label} (${step.occurrence})`);
        assert.ok(isReached || step.occurrence > 1, `${step.label} was never met`);
      }
    });
  }
});

function picked(scenario: Scenario, reference: Reference): Cell[] {
  const wanted = slice[scenario.name] ?? [];
  const cells = cellsOf(scenario, reference).filter(({ step, when, fault }) =>
    wanted.some(
      ([pattern, of]) =>
        of === fault && pattern.test(step.label) && step.occurrence === 1 && (fault !== 'kill' || when === 'after'),
    ),
  );
  assert.ok(cells.length > 0, 'the slice names steps that there are');
  return cells;
}
