/** Our terminal beside xterm's, which is not ours: on whatever is printed, both show the same. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { array, asyncProperty, assert as check, constantFrom, integer, oneof, string, tuple } from 'fast-check';
import { textsOf } from './print.ts';
import { shownByXterm, withoutBlankEnd, withoutTabs } from './shown-by-xterm.ts';

const esc = '\u001b';
const count = integer({ min: 0, max: 120 });
const few = integer({ min: 0, max: 6 });
const text = string({
  unit: constantFrom(
    'a',
    'b',
    'c',
    'X',
    'Y',
    '0',
    '1',
    ' ',
    '-',
    '+',
    '~',
    'é',
    '✓',
    '\t',
    '漢',
    'カ',
    '한',
    'ｱ',
    'e\u0301',
  ),
  minLength: 1,
  maxLength: 12,
});
const moves = oneof(
  tuple(constantFrom('A', 'B', 'E', 'F'), oneof(few, count)).map(([final, by]) => `${esc}[${by}${final}`),
  tuple(constantFrom('C', 'D', 'G'), integer({ min: 0, max: 20 })).map(([final, by]) => `${esc}[${by}${final}`),
  tuple(constantFrom(...Array.from('X@PLM`ae')), integer({ min: 0, max: 9 })).map(
    ([final, by]) => `${esc}[${by}${final}`,
  ),
  tuple(constantFrom('a', 'x'), few).map(([letter, by]) => `${letter}${esc}[${by}b`),
  constantFrom(`${esc}[K`, `${esc}[0K`, `${esc}[1K`, `${esc}[2K`, `${esc}[J`, `${esc}[1J`, `${esc}[2J`),
);
const dressing = oneof(
  constantFrom(`${esc}[0m`, `${esc}[1;31m`, `${esc}[38;5;99m`, `${esc}[48;2;1;2;3m`, `${esc}[?25l`, `${esc}(B`),
  constantFrom(`${esc}[4:3m`, `${esc}[58;5;4m`, `${esc}[58:2::1:2:3m`, `${esc}[38:2::1:2:3m`),
  constantFrom(`${esc}_bk;t=1787227200000\u0007`, `${esc}]8;;https://x.test\u0007`, `${esc}]0;title\u0007`),
);
const ends = constantFrom('\n', '\r\n', '\r', '\b');
const logs = array(oneof({ weight: 5, arbitrary: text }, { weight: 3, arbitrary: ends }, moves, dressing), {
  maxLength: 80,
});

test('what is printed shows as xterm shows it', { timeout: 120_000 }, async () => {
  await check(
    asyncProperty(logs, async (pieces) => {
      const all = pieces.join('');
      const shown = await shownByXterm(all);
      assert.deepEqual(withoutBlankEnd(textsOf(all).map(withoutTabs)), shown, JSON.stringify(all));
    }),
    { numRuns: 250, endOnFailure: true },
  );
});

test('also on a screen that has scrolled', { timeout: 120_000 }, async () => {
  const long = array(
    oneof(
      { weight: 6, arbitrary: tuple(text, constantFrom('\n', '\r\n')).map((each) => each.join('')) },
      moves,
      dressing,
    ),
    {
      minLength: 120,
      maxLength: 260,
    },
  );
  await check(
    asyncProperty(long, async (pieces) => {
      const all = pieces.join('');
      const shown = await shownByXterm(all);
      assert.deepEqual(withoutBlankEnd(textsOf(all).map(withoutTabs)), shown, JSON.stringify(all));
    }),
    { numRuns: 60, endOnFailure: true },
  );
});
