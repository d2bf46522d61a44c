import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderTests } from '../../src/pages/view-tests.ts';
import { joinAttempts } from '../../src/reports/attempts.ts';
import type { TestCase } from '../../src/reports/junit.ts';

const MiB = 1024 * 1024;
const full = 'What it said is in the raw file';

test('a page of tests stays readable whatever they said, and names each of them', () => {
  const text = '<'.repeat(MiB / 64);
  const caseOf = (index: number, outcome: TestCase['outcome']): TestCase => ({
    ...{ suite: text, className: null, name: `${outcome} ${index} ${text}`, file: null, seconds: 1, outcome },
    ...{ message: text, detail: `trace ${text}`, output: text },
  });
  const cases = (['failed', 'passed', 'skipped'] as const).flatMap((outcome) =>
    Array.from({ length: 500 }, (_, index) => caseOf(index, outcome)),
  );
  const report = { cases, truncated: false };
  const rows = joinAttempts([1, 2].map((attempt) => ({ job: 'a', attempt, path: 'junit.xml', report })));
  const page = renderTests({ rows, jobs: new Map(), notices: [] }).text;
  assert.ok(page.length < 10 * MiB, `${page.length} characters`);
  const shown = page.split(/<bdi>(?=(?:failed|passed|skipped) \d)/).slice(1);
  assert.deepEqual(
    shown.map((each) => each.slice(0, each.indexOf(' &lt;'))),
    cases.map(({ name }) => name.slice(0, name.indexOf(' <'))),
  );
  assert.equal(shown[0]?.split('trace &lt;').length, 3, 'what the first one said in both attempts');
  for (const last of [499, 999, 1499]) assert.ok(shown[last]?.includes(full), shown[last]?.slice(0, 20));
  assert.ok(!shown[0]?.includes(full));
});

test('a page of tests stays readable whatever they are called, and counts those that it leaves out', () => {
  const text = "'".repeat(400);
  const caseOf = (index: number, outcome: TestCase['outcome']): TestCase => ({
    ...{ suite: text, className: null, name: `${outcome} ${index} ${text}`, file: null, seconds: 1, outcome },
    ...{ message: null, detail: null, output: null },
  });
  const outcomes = ['failed', 'passed', 'skipped'] as const;
  const cases = outcomes.flatMap((outcome) => Array.from({ length: 3000 }, (_, index) => caseOf(index, outcome)));
  const rows = joinAttempts([{ job: 'a', attempt: 1, path: 'junit.xml', report: { cases, truncated: false } }]);
  const page = renderTests({ rows, jobs: new Map(), notices: [] }).text;
  assert.ok(page.length < 11 * MiB, `${page.length} characters`);
  const shown = page.match(/<bdi>(failed|passed|skipped) \d/g)?.length ?? 0;
  const hidden = Array.from(page.matchAll(/([\d,]+) more tests? in the raw files/g), ([, count]) =>
    Number(count?.replaceAll(',', '')),
  );
  assert.ok(shown > 2500, `${shown} tests are named`);
  assert.equal(shown + hidden.reduce((sum, each) => sum + each, 0), cases.length);
});
