import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Io } from '../../src/commands/command.ts';
import { startProgress } from '../../src/commands/progress.ts';

function watching(isWatched: boolean) {
  const drawn: string[] = [];
  const io: Io = { say: () => {}, note: () => {}, isWatched, columns: 200, redraw: (text) => drawn.push(text) };
  const clock = { ms: 0 };
  return { io, drawn, clock, progress: startProgress(io, { unit: 'builds', now: () => clock.ms }) };
}

test('a progress bar tells how far, how fast and how long still', () => {
  const { clock, progress, drawn } = watching(true);
  for (let done = 0; done <= 50; done += 1) {
    clock.ms = done * 500;
    progress.at(done, 200, '38 requests left');
  }
  assert.equal(drawn.at(-1), '█████░░░░░░░░░░░░░░░  25 % · 50 of 200 builds · 2/s · 1m 15s left · 38 requests left');
});

test('what an earlier run has done is no speed of this one', () => {
  const { clock, progress, drawn } = watching(true);
  progress.at(1000, 2000);
  clock.ms = 10_000;
  progress.at(1005, 2000);
  assert.match(drawn.at(-1) ?? '', /1005 of 2000 builds · 30\/min · 33m 10s left$/);
});

test('the rate is that of the last half minute', () => {
  const { clock, progress, drawn } = watching(true);
  for (let second = 0; second <= 60; second += 1) {
    clock.ms = second * 1000;
    progress.at(second < 20 ? second * 10 : 200, null);
  }
  assert.equal(drawn.at(-1), '200 builds · 0/s');
});

test('a progress bar is never wider than the terminal', () => {
  const { io, drawn } = watching(true);
  startProgress({ ...io, columns: 30 }, { unit: 'builds' }).at(1, 2, 'x'.repeat(100));
  assert.equal(drawn.at(-1)?.length, 29);
});

test('nothing is drawn where nobody watches', () => {
  const { progress, drawn } = watching(false);
  progress.at(1, 2);
  assert.deepEqual(drawn, []);
});
