/** Whatever a log holds: it has an index, a page, a live page and a search, and nothing of it throws. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { array, assert as check, constantFrom, integer, oneof, property, string, tuple } from 'fast-check';
import { createIndexer } from '../../src/logs/build-index.ts';
import { linesOfChunk } from '../../src/logs/chunks.ts';
import { foldedHtml } from '../../src/logs/folding.ts';
import { lineHtml } from '../../src/logs/line-html.ts';
import { searchLog } from '../../src/logs/search-log.ts';
import { tailHtml } from '../../src/logs/tail-html.ts';

const esc = '\u001b';
const number = oneof(
  integer({ min: 0, max: 300 }).map(String),
  constantFrom('', '-1', '1e9', '65535', '4294967296', '8640000000000000', '8640000000000001', '9'.repeat(40)),
);
const parameters = array(tuple(number, constantFrom(';', ':', '')), { maxLength: 7 }).map((each) =>
  each.flat().join(''),
);
const final = constantFrom(...Array.from('@ABCDEFGHIJKLMPSTXZ`abdefghlmnqrsux~'));
const named = constantFrom('bk;t=', 'bk;dt=', 'bk;x=1;t=', 'bk;', '', 'other;t=');
const command = constantFrom('0;', '8;;', '8;id=1;', '1337;File=', '1338;', '1339;', '133;', '9999;', ';', '');
const said = constantFrom(
  'https://x.test/',
  'artifact://a/b',
  'javascript:1',
  'url=https://x.test;content=there;alt=a',
  "url='artifact://x.png';alt=\u202e",
  'inline=1;name=YQ==:iVBORw0KGgo=',
  'inline=1:%',
  '\ud800',
);
const end = constantFrom('\u0007', `${esc}\\`, '\u009c', '', '\n');
const stamp = tuple(constantFrom('bk;t=', 'bk;dt='), constantFrom('8640000000000000', '1', '1787227200000')).map(
  ([name, at]) => `${esc}_${name}${at}\u0007x`,
);
const piece = oneof(
  stamp,
  string({ unit: 'binary', maxLength: 12 }),
  string({
    unit: constantFrom('a', ' ', '\t', '漢', '👩‍👩‍👧', 'e\u0301', '\u200d', '\ufe0f', '🇦', '\ud83d'),
    maxLength: 8,
  }),
  constantFrom(
    '\n',
    '\r\n',
    '\r',
    '\b',
    '\t',
    '--- group\n',
    '+++ open\n',
    '^^^ +++\n',
    'error: failed\n',
    ':docker: ',
  ),
  tuple(parameters, final).map(([given, by]) => `${esc}[${given}${by}`),
  tuple(constantFrom('?', '>', '=', '!', ' ', '$'), parameters, final).map(
    ([sign, given, by]) => `\u009b${sign}${given}${by}`,
  ),
  tuple(named, number, end).map(([name, value, by]) => `${esc}_${name}${value}${by}`),
  tuple(constantFrom(`${esc}]`, '\u009d', `${esc}P`, `${esc}X`, `${esc}^`), command, said, end).map((each) =>
    each.join(''),
  ),
  string({ unit: constantFrom(...Array.from('78DEMHc()=>#(B%')), minLength: 1, maxLength: 2 }).map(
    (each) => esc + each,
  ),
);

test('no log throws, and what is asked of it is answered', { timeout: 120_000 }, async () => {
  const logs: Buffer[] = [];
  check(
    property(array(piece, { maxLength: 120 }), (pieces) => {
      const bytes = Buffer.from(pieces.join(''));
      const rows: string[] = [];
      const indexer = createIndexer((line, at) => rows.push(lineHtml(line, at)));
      indexer.write(bytes);
      const index = indexer.finish();
      assert.equal(rows.length, index.lines);
      assert.equal(linesOfChunk(index, 0, bytes).length, index.lines);
      assert.ok(foldedHtml(rows, 1, index).length >= rows.join('').length);
      assert.equal(typeof tailHtml(bytes.toString(), true), 'string');
      if (logs.length < 50) logs.push(bytes);
    }),
    { numRuns: 1000, endOnFailure: true },
  );
  for (const bytes of logs) {
    const indexer = createIndexer();
    indexer.write(bytes);
    const read = async (from: number, to: number): Promise<Buffer> => bytes.subarray(from, to);
    const found = await searchLog(read, indexer.finish(), 'a', { from: 1, matches: 1000, ms: 10_000 });
    assert.equal(found.next, null);
  }
});
