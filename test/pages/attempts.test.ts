import assert from 'node:assert/strict';
import { test } from 'node:test';
import { array, assert as check, constantFrom, option, property } from 'fast-check';
import { groupAttempts } from '../../src/pages/attempts.ts';

function grouped(...pairs: [string, string | null][]): string[] {
  const jobs = pairs.map(([id, retried_in_job_id]) => ({ id, retried_in_job_id }));
  return groupAttempts(jobs).map(({ last, earlier }) => [...earlier, last].map(({ id }) => id).join('>'));
}

test('attempts stand in order where the last of them stands', () => {
  assert.deepEqual(grouped(['a1', 'a2'], ['b', null], ['a2', 'a3'], ['a3', null]), ['b', 'a1>a2>a3']);
});

test('a job whose replacement nobody knows stands for itself', () => {
  assert.deepEqual(grouped(['a', 'gone'], ['b', 'b']), ['a', 'b']);
});

test('two jobs with one replacement, and rings, lose no job and end', () => {
  const id = constantFrom('a', 'b', 'c', 'd', 'e', 'f');
  check(
    property(array(option(id), { minLength: 1, maxLength: 6 }), (targets) => {
      const jobs = targets.map((target, index) => ({ id: 'abcdef'[index] ?? '', retried_in_job_id: target }));
      const shown = groupAttempts(jobs).flatMap(({ last, earlier }) => [...earlier, last].map((job) => job.id));
      assert.deepEqual(
        shown.toSorted(),
        jobs.map((job) => job.id),
      );
    }),
  );
});
