import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it, test } from 'node:test';
import { array, assert as check, constantFrom, integer, oneof, property, tuple } from 'fast-check';
import { createIndexer } from '../../src/logs/build-index.ts';
import { chunkOf, endOfChunk, linesOfChunk } from '../../src/logs/chunks.ts';
import type { LogIndex } from '../../src/logs/index-format.ts';
import { indexLog } from '../../src/logs/index-log.ts';
import { type Line, lineHtml } from '../../src/logs/line-html.ts';
import { readLines } from '../../src/logs/read-log.ts';
import { searchLog } from '../../src/logs/search-log.ts';
import { withRanges } from '../../src/tree/files.ts';

const esc = '\u001b';
const folder = mkdtempSync(join(tmpdir(), 'kitemirror-logs-'));
after(() => rmSync(folder, { recursive: true }));

function indexed(bytes: Buffer, cut = 100_000): { index: LogIndex; lines: Line[] } {
  const lines: Line[] = [];
  const indexer = createIndexer((line) => lines.push(line));
  for (let at = 0; at < bytes.length; at += cut) indexer.write(bytes.subarray(at, at + cut));
  return { index: indexer.finish(), lines };
}

function htmlByChunks(bytes: Buffer, index: LogIndex): string[] {
  return index.offsets.flatMap((start, chunk) => {
    const lines = linesOfChunk(index, chunk, bytes.subarray(start, endOfChunk(index, chunk)));
    return lines.map((line, at) => lineHtml(line, (index.before[chunk] ?? 0) + at + 1));
  });
}

/** Long enough for many chunks, and with all that reaches beyond a line. */
const sentence = 'the quick brown fox jumps over the lazy dog and goes on for some while until it rests. '.repeat(4);
const plain = integer({ min: 0, max: 1e9 }).map(
  (value) => `${esc}_bk;t=${1787227200000 + value}\u0007${value} ${sentence}\r\n`,
);
const piece = oneof(
  { weight: 8, arbitrary: plain.map((line) => line.repeat(40)) },
  {
    weight: 2,
    arbitrary: constantFrom(
      `${esc}[31m`,
      `${esc}[0m`,
      `${esc}[1;38;5;99m`,
      `${esc}]8;;https://x.test/\u0007`,
      `${esc}]8;;artifact://./a;b%.html\u0007`,
      `${esc}]8;;\u0007`,
    ),
  },
  constantFrom(`${esc}_bk;dt=7\u0007`, '--- group\n', '\r', `${esc}7`, `${esc}8`, `${esc}[5D`),
  tuple(integer({ min: 1, max: 130 }), constantFrom('A', 'F', 'B')).map(([by, final]) => `${esc}[${by}${final}`),
  tuple(integer({ min: 1, max: 130 }), constantFrom(...Array.from('LMXP@b'))).map(
    ([by, final]) => `a${esc}[${by}${final}`,
  ),
  constantFrom(`${esc}[2J`, `${esc}[1J`, `${esc}[J`, `${esc}[K`, `${esc}[H`),
);

test('each chunk by itself shows what the whole log shows, byte by byte and line by line', { timeout: 120_000 }, () => {
  let most = 0;
  check(
    property(array(piece, { minLength: 20, maxLength: 60 }), (pieces) => {
      const bytes = Buffer.from(pieces.join(''));
      const { index, lines } = indexed(bytes);
      most = Math.max(most, index.offsets.length);
      assert.equal(index.size, bytes.length);
      assert.equal(index.lines, lines.length);
      const whole = lines.map((line, at) => lineHtml(line, at + 1));
      assert.deepEqual(htmlByChunks(bytes, index), whole);
    }),
    { numRuns: 40, endOnFailure: true },
  );
  assert.ok(most >= 3, `at most ${most} chunks`);
});

test('a link that is open where a chunk begins is open in it', () => {
  for (const address of ['https://x.test/', 'artifact://./a;b%.html']) {
    const bytes = Buffer.from(`${esc}]8;;${address}\u0007${`${sentence}\n`.repeat(2000)}`);
    const { index, lines } = indexed(bytes);
    assert.ok(index.offsets.length > 2);
    const whole = lines.map((line, at) => lineHtml(line, at + 1));
    assert.ok(whole.every((line) => line.includes('rel="noreferrer')));
    assert.deepEqual(htmlByChunks(bytes, index), whole);
  }
});

test('however a log comes in, its index is the same', () => {
  const bytes = Buffer.from(`${esc}[32m✓ ${sentence}\r\n`.repeat(3000));
  const { index } = indexed(bytes);
  assert.ok(index.offsets.length > 3);
  for (const cut of [777, 65_536, bytes.length]) assert.deepEqual(indexed(bytes, cut).index, index);
});

test('a screen that is written over for megabytes is cut, and a line without an end too', { timeout: 60_000 }, () => {
  const frame = `${esc}[40A${`${esc}[2K${sentence}\r\n`.repeat(40)}`;
  for (const bytes of [
    Buffer.from(frame.repeat(300)),
    Buffer.from('é'.repeat(2_000_000)),
    Buffer.from('\r50 %'.repeat(700_000)),
    Buffer.from(`${`a\r${'字'.repeat(30_000)}\n`.repeat(60)}end\n`),
  ]) {
    const { index, lines } = indexed(bytes);
    assert.ok(index.offsets.length > 1);
    for (let at = 1; at < index.offsets.length; at += 1) {
      assert.ok((index.offsets[at] ?? 0) - (index.offsets[at - 1] ?? 0) < 3 * 1024 * 1024);
    }
    const whole = lines.map((line, at) => lineHtml(line, at + 1));
    assert.deepEqual(htmlByChunks(bytes, index), whole);
  }
});

test('an index is bounded, whatever the log', { timeout: 60_000 }, () => {
  const bytes = Buffer.from('--- x\n'.repeat(1_500_000));
  const { index } = indexed(bytes);
  assert.equal(index.lines, 1_500_000);
  assert.ok(JSON.stringify(index).length < 1024 * 1024, String(JSON.stringify(index).length));
  assert.equal(chunkOf(index, 1_500_000), index.offsets.length - 1);
});

describe('what an index says', () => {
  const of = (text: string): LogIndex => indexed(Buffer.from(text)).index;
  it('groups fold as Buildkite folds them', () => {
    const shape = (text: string): [number, string, boolean][] =>
      of(text).groups.map(({ line, kind, open }) => [line, kind, open]);
    assert.deepEqual(shape('--- a\n--- b\n~~~ c\n'), [
      [1, '-', false],
      [2, '-', true],
      [3, '~', false],
    ]);
    assert.deepEqual(shape('--- a\n+++ b\n--- c\n'), [
      [1, '-', false],
      [2, '+', true],
      [3, '-', false],
    ]);
    assert.deepEqual(shape('--- a\nx\n^^^ +++\n--- c\n'), [
      [1, '-', true],
      [4, '-', false],
    ]);
    assert.deepEqual(shape('x\r     \r^^^ +++\r\n--- a\r\n'), [[2, '-', true]]);
    assert.deepEqual(shape(`${esc}[31m--- a/file\n${esc}[0m---\n--x\n +++ y\n`), []);
    assert.deepEqual(shape(`--- ${esc}[33mcoloured${esc}[0m :docker:\n`), [[1, '-', true]]);
  });
  it('the failing line is the last that tells of an error at first hand, not the exit status', () => {
    const log =
      'ok 1\nAssertionError: expected 3\n1 failed, 3 passed\nmake: *** [test] Error 1\n🚨 Error: The command exited with status 2\n^^^ +++\nUploading errors.xml\n';
    const { failure } = of(log);
    assert.equal(failure.line, 2);
    assert.deepEqual(
      failure.decisive.map(({ line }) => line),
      [2, 3, 4, 5],
    );
    assert.equal(of('a\n🚨 Error: The command exited with status 1\n').failure.line, 2);
    const told = of('x\nerror during build:\n\nsrc/a.ts (4:9): "b" is not exported\nmore\n').failure;
    assert.deepEqual([told.line, told.decisive.map(({ line }) => line)], [4, [2, 4]]);
    assert.equal(of('Error: 1 error occurred:\n\t* bucket "x" is not empty\n').failure.line, 2);
    // What announces nothing, or only before the log goes on with something else, leads nowhere.
    assert.equal(of('AssertionError: 3\nfail-fast:\n  disabled\n').failure.line, 1);
    assert.equal(of('AssertionError: 3\nmake: *** [test] Error 1:\ncleaning up\n').failure.line, 1);
    assert.equal(of('The tests that fail:\n\n~~~ Running local hook\n').failure.line, 1);
    assert.deepEqual(of('0 errors\nall good, no failures\n').failure, { line: null, decisive: [] });
  });
  it('times and pictures', () => {
    const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==';
    const { from, to, pictures } = of(
      `a${esc}_bk;t=5000\u0007\n${esc}]1337;File=name=YQ==;inline=1:${png}\u0007\n${esc}_bk;t=9000\u0007b\n`,
    );
    assert.deepEqual([from, to, pictures], [5000, 9000, [2]]);
  });
});

describe('a log on disk', () => {
  const file = join(folder, 'log.txt');
  const text = Array.from(
    { length: 20_000 },
    (_, at) => `${esc}_bk;t=${1787227200000 + at}\u0007line ${at + 1} ${sentence.slice(0, 90)}\r\n`,
  );
  text[12_344] = `${esc}[31mnee${esc}[1mdle${esc}[0m in colours\r\n`;
  text[17_000] = 'half an hay\b\b\b\r\u001b[KNEEDLE written over\r\n';
  writeFileSync(file, text.join(''));

  it('is indexed in a thread as here, and its page has the beginning', async () => {
    const bytes = Buffer.from(text.join(''));
    const { index, lines, shown, isWhole } = await indexLog(file, bytes.length);
    assert.deepEqual(index, indexed(bytes).index);
    assert.equal(isWhole, false);
    assert.equal(lines.match(/<div class="line/g)?.length, shown);
  });
  it('is read by its lines', async () => {
    const { index } = await indexLog(file, 0);
    const lines = await readLines(file, index, { from: 12_345, count: 3, bytes: 1e6 });
    assert.deepEqual(
      lines.map(({ runs }) =>
        runs
          .map((run) => run.text)
          .join('')
          .slice(0, 12),
      ),
      ['needle in co', 'line 12346 t', 'line 12347 t'],
    );
    assert.equal((await readLines(file, index, { from: 19_999, count: 50, bytes: 1e6 })).length, 2);
  });
  it('is read by its lines where a piece of it has more of them than a call takes arguments', async () => {
    const empty = join(folder, 'empty.txt');
    writeFileSync(empty, '\n'.repeat(400_000));
    const { index } = await indexLog(empty, 0);
    const lengths = await Promise.all(
      [1, 200_000, 399_999].map((from) => readLines(empty, index, { from, count: 300_000, bytes: 8e6 })),
    );
    assert.deepEqual(
      lengths.map(({ length }) => length),
      [300_000, 200_001, 2],
    );
  });
  it('is searched as its lines show, with what is around', async () => {
    const { index } = await indexLog(file, 0);
    const search = (query: string, from = 1, matches = 100, ms = 10_000) =>
      withRanges(file, (read) => searchLog(read, index, query, { from, matches, ms }));
    const found = await search('Needle');
    assert.deepEqual(
      found.matches.map(({ line }) => line),
      [12_345, 17_001],
    );
    assert.deepEqual(found.matches[0]?.text, 'needle in colours');
    assert.match(found.matches[0]?.before[1] ?? '', /^line 12344 /);
    assert.equal(found.next, null);
    const part = await search('line 1', 1, 5);
    assert.deepEqual([part.matches.length, part.next], [5, 14]);
    assert.deepEqual(
      (await search('line 1', part.next ?? 0, 1)).matches.map(({ line }) => line),
      [14],
    );
    const [hurried] = [await search('no such text', 1, 5, 0)];
    assert.ok(hurried.next !== null && hurried.next > 1);
  });
});
