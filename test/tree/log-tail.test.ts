import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isTailDue, type LogTail } from '../../src/tree/log-tail.ts';

const at = (ms: number): string => new Date(ms).toISOString();
const tail = (readMs: number, grownMs: number, ended = false): LogTail => ({
  ...{ version: 1, read_at: at(readMs), grown_at: at(grownMs), state: 'running', ended },
  ...{ size: 1, start: 0, content: 'x', trouble: null },
});

test('a log that grows is read every five seconds, a silent one more and more seldom, an ended one never', () => {
  const [read, hour] = [1_800_000_000_000, 3_600_000];
  for (const [silentMs, afterMs, due] of [
    [0, 4999, false],
    [0, 5000, true],
    [40_000, 19_999, false],
    [40_000, 20_000, true],
    [hour, 29_999, false],
    [hour, 30_000, true],
  ] as const) {
    assert.equal(isTailDue(tail(read, read - silentMs), read + afterMs), due, `silent ${silentMs}, after ${afterMs}`);
  }
  assert.equal(isTailDue(tail(read, read, true), read + hour), false);
  assert.equal(isTailDue(null, read), true);
});
