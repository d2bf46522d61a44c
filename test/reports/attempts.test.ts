import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { joinAttempts } from '../../src/reports/attempts.ts';
import { parseJunit, type TestReport } from '../../src/reports/junit.ts';

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
      path: 'junit.xml',
      report: report(
        '<testcase name="slow" time="9"/><testcase name="flaky"/><testcase name="bad"><failure/></testcase><testcase name="off"><skipped/></testcase>',
      ),
    },
    {
      job: 'a',
      attempt: 1,
      path: 'junit.xml',
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
    { job: 'a', attempt: 1, path: 'junit.xml', report: twice },
    { job: 'b', attempt: 1, path: 'junit.xml', report: twice },
  ]);
  assert.equal(rows.length, 4);
  assert.ok(rows.every(({ flaky }) => !flaky));
});

const [failing, passing] = [report('<testcase name="x"><failure/></testcase>'), report('<testcase name="x"/>')];
const told = (...reports: [attempt: number, path: string, report: TestReport][]): [boolean, string][] =>
  joinAttempts(reports.map(([attempt, path, each]) => ({ job: 'a', attempt, path, report: each }))).map(
    ({ flaky, attempts }) => [flaky, attempts.map(({ attempt, test }) => `${attempt} ${test.outcome}`).join(', ')],
  );

describe('a test that moves to another report of its job', () => {
  const [others, movedIn] = [report('<testcase name="y"/>'), report('<testcase name="z"/><testcase name="x"/>')];
  const movedOut = report('<testcase name="y"/><testcase name="x"><failure/></testcase>');

  it('is the same test, where reports are balanced anew', () => {
    assert.deepEqual(
      told(
        [1, '1.xml', movedOut],
        [1, '2.xml', report('<testcase name="z"/>')],
        [2, '1.xml', others],
        [2, '2.xml', movedIn],
      ),
      [
        [true, '1 failed, 2 passed'],
        [false, '1 passed, 2 passed'],
        [false, '1 passed, 2 passed'],
      ],
    );
  });

  it('is the same test, where only what failed runs again', () => {
    assert.deepEqual(told([1, '1.xml', others], [1, '2.xml', failing], [2, '1.xml', passing]), [
      [true, '1 failed, 2 passed'],
      [false, '1 passed'],
    ]);
  });
});

describe('a test that several reports of one attempt have', () => {
  it('is a test of each of them, and fails where it failed in one', () => {
    assert.deepEqual(told([1, 'py311.xml', failing], [1, 'py312.xml', passing]), [
      [false, '1 failed'],
      [false, '1 passed'],
    ]);
  });

  it('goes on in the report of that path in the next attempt', () => {
    assert.deepEqual(told([1, 'b.xml', failing], [1, 'a.xml', passing], [2, 'b.xml', passing]), [
      [true, '1 failed, 2 passed'],
      [false, '1 passed'],
    ]);
    assert.deepEqual(told([2, 'b.xml', failing], [1, 'a.xml', passing], [1, 'b.xml', failing]), [
      [false, '1 failed, 2 failed'],
      [false, '1 passed'],
    ]);
  });

  it('is told apart by its path in every attempt, beside tests that move', () => {
    const [alone, both] = [report('<testcase name="y"/>'), report('<testcase name="x"/><testcase name="y"/>')];
    assert.deepEqual(told([1, 'a.xml', both], [1, 'b.xml', failing], [2, 'a.xml', passing], [2, 'b.xml', alone]), [
      [false, '1 failed'],
      [false, '1 passed, 2 passed'],
      [false, '1 passed, 2 passed'],
    ]);
  });

  it('goes on by its own name where the path is another in each attempt', () => {
    assert.deepEqual(told([1, 'junit-1.xml', failing], [2, 'junit-2.xml', passing]), [[true, '1 failed, 2 passed']]);
    assert.deepEqual(
      told(
        [1, 'py311-10:00.xml', failing],
        [1, 'py312-10:02.xml', passing],
        [2, 'py312-11:02.xml', passing],
        [2, 'py311-11:00.xml', failing],
      ),
      [
        [false, '1 failed, 2 failed'],
        [false, '1 passed, 2 passed'],
      ],
    );
  });
});
