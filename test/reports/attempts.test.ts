import assert from 'node:assert/strict';
import { test } from 'node:test';
import { joinAttempts } from '../../src/reports/attempts.ts';
import { parseJunit } from '../../src/reports/junit.ts';

const report = (cases: string) => {
  const parsed = parseJunit(`<testsuites><testsuite name="s">${cases}</testsuite></testsuites>`);
  if (parsed === null) throw new Error('no report');
  return parsed;
};

test('a test has a row with an outcome for each attempt: failures first, then what failed once, then the slowest', () => {
  const rows = joinAttempts([
    {
      job: 'a',
      attempt: 2,
      report: report(
        '<testcase name="slow" time="9"/><testcase name="flaky"/><testcase name="bad"><failure/></testcase><testcase name="off"><skipped/></testcase>',
      ),
    },
    {
      job: 'a',
      attempt: 1,
      report: report(
        '<testcase name="slow" time="1"/><testcase name="flaky"><error message="x"/></testcase><testcase name="bad"/>',
      ),
    },
  ]);
  assert.deepEqual(
    rows.map(({ test, flaky, attempts }) => [
      test.name,
      flaky,
      attempts.map((each) => `${each.attempt} ${each.test.outcome}`),
    ]),
    [
      ['bad', true, ['1 passed', '2 failed']],
      ['flaky', true, ['1 errored', '2 passed']],
      ['slow', false, ['1 passed', '2 passed']],
      ['off', false, ['2 skipped']],
    ],
  );
});

test('two tests of one name in one report stay two, and jobs do not mix', () => {
  const twice = report('<testcase name="x"/><testcase name="x"><failure/></testcase>');
  const rows = joinAttempts([
    { job: 'a', attempt: 1, report: twice },
    { job: 'b', attempt: 1, report: twice },
  ]);
  assert.equal(rows.length, 4);
  assert.ok(rows.every(({ flaky }) => !flaky));
});
