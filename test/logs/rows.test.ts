import assert from 'node:assert/strict';
import { test } from 'node:test';
import { array, boolean, assert as check, integer, property, uniqueArray } from 'fast-check';
import type { Group } from '../../src/logs/groups.ts';
import { pictureRows, RowMap } from '../../src/logs/rows.ts';

/** The same by going through all lines. */
function rowsOneByOne(lines: number, groups: readonly Group[], pictures: readonly number[]): (number | null)[] {
  const rows: (number | null)[] = [];
  let row = 0;
  let folded = false;
  for (let line = 1; line <= lines; line += 1) {
    const group = groups.find((each) => each.line === line);
    const hidden = group === undefined && folded;
    if (group !== undefined) folded = !group.open;
    rows.push(hidden ? null : row);
    if (!hidden) row += pictures.includes(line) ? pictureRows : 1;
  }
  return [...rows, row];
}

test('lines and rows find each other, whatever is folded and wherever pictures are', () => {
  const lineNumber = integer({ min: 1, max: 40 });
  const sorted = (values: number[]): number[] => values.toSorted((a, b) => a - b);
  check(
    property(
      integer({ min: 1, max: 40 }),
      uniqueArray(lineNumber, { maxLength: 8 }).map(sorted),
      array(boolean(), { minLength: 8, maxLength: 8 }),
      uniqueArray(lineNumber, { maxLength: 5 }).map(sorted),
      (lines, headers, opens, images) => {
        const groups = headers
          .filter((line) => line <= lines)
          .map((line, at) => ({ line, kind: '-' as const, open: opens[at] ?? true, time: null, title: '' }));
        // A header is text.
        const pictures = images.filter((line) => line <= lines && !headers.includes(line));
        const expected = rowsOneByOne(lines, groups, pictures);
        const map = new RowMap(lines, groups, pictures);
        assert.equal(map.rows, expected.at(-1));
        const shown: number[] = [];
        for (let line = 1; line <= lines; line = map.after(line)) shown.push(line);
        assert.deepEqual(
          shown,
          expected.slice(0, -1).flatMap((row, at) => (row === null ? [] : [at + 1])),
        );
        for (const line of shown) {
          const row = expected[line - 1] ?? 0;
          assert.equal(map.rowOf(line), row, `row of line ${line}`);
          assert.equal(map.lineAt(row), line, `line at row ${row}`);
          if (pictures.includes(line)) assert.equal(map.lineAt(row + pictureRows - 1), line);
        }
        for (let line = 1; line <= lines; line += 1) {
          if (expected[line - 1] === null) assert.equal(map.rowOf(line), map.rowOf(map.groupOf(line)?.line ?? 0));
        }
      },
    ),
    { numRuns: 2000 },
  );
});

test('groups are folded and unfolded, one and all', () => {
  const group = (line: number, open: boolean): Group => ({ line, kind: '-', open, time: null, title: '' });
  const map = new RowMap(30, [group(1, false), group(11, true), group(21, false)], []);
  assert.equal(map.rows, 12);
  map.fold(1, false);
  assert.deepEqual([map.rows, map.isFolded(1), map.rowOf(30)], [21, false, 20]);
  map.foldAll(true);
  assert.equal(map.rows, 3);
  map.foldAll(false);
  assert.equal(map.rows, 30);
});
