import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { assert as check, property, string } from 'fast-check';
import { openFullText, type SearchDocument } from '../../src/search/fulltext.ts';
import { parseQuery } from '../../src/search/query.ts';
import { openSearch } from '../../src/search/search.ts';
import { sampleBuild, summaryOfBuild, uuid } from '../pages/samples.ts';

const folder = mkdtempSync(join(tmpdir(), 'kitemirror-search-'));
after(() => rmSync(folder, { recursive: true }));

function document(number: number, changes: Partial<SearchDocument> = {}, message = 'Keep the cart'): SearchDocument {
  const finished_at = new Date(Date.UTC(2026, 10, 1) + number * 60_000).toISOString();
  const summary = summaryOfBuild(sampleBuild([], { number, id: uuid(number), message, finished_at }));
  return { folder: 'web', summary, jobs: [], paths: [], tests: [], lines: [], ...changes };
}

function index(name: string) {
  const full = openFullText(join(folder, name));
  const ask = (text: string, before: number | null = null, limit = 10) =>
    full.find({ organization: 'acme', text, before, limit });
  const numbers = (text: string): number[] => ask(text).results.map(({ summary }) => summary.number);
  return { full, ask, numbers };
}

test('a build is found by what it is about, what it made and why it failed, the newest first', () => {
  const { full, numbers, ask } = index('fields');
  full.put(document(1, { paths: ['report/index.html', 'log/junit-3.xml'] }));
  full.put(
    document(
      3,
      { tests: ['Cart keeps items over a renewal'], lines: ['Error: out of memory at Größe.ts:12'] },
      'Ünused import',
    ),
  );
  full.put(document(2, { jobs: ['Lint'] }, 'Release 1.4'));
  for (const [text, expected] of [
    ['cart', [3, 1]],
    ['message:nothing', []],
    ['3f7868', [3, 2, 1]],
    ['lovel', [3, 2, 1]],
    ['index.html', [1]],
    ['path:junit', [1]],
    ['path:cart', []],
    ['test:renew cart', [3]],
    ['log:"out of memory"', [3]],
    ['log:"memory out"', []],
    ['grosse', []],
    ['größe', [3]],
    ['grösse', []],
    ['unused', [3]],
    ['job:lint', [2]],
    ['"release 1.4"', [2]],
    ['cart state:failed', []],
    ['cart state:passed pipeline:web', [3, 1]],
    ['state:passed pipeline:web', [3, 2, 1]],
    ['state:failed', []],
    ['cart pipeline:we', []],
    ['passed', []],
    ['cart state', []],
  ] as const) {
    assert.deepEqual(numbers(text), expected, text);
  }
  const [found] = ask('log:memory').results;
  assert.deepEqual(found?.matches, [{ field: 'lines', text: 'Error: out of \u0001memory\u0002 at Größe.ts:12' }]);
  full.close();
});

test('pages follow each other without a gap, and another organization finds nothing', () => {
  const { full, ask } = index('paging');
  for (let number = 1; number <= 25; number += 1) full.put(document(number));
  const seen: number[] = [];
  for (let before: number | null = null, more = true; more; ) {
    const { results, next } = ask('cart', before);
    seen.push(...results.map(({ summary }) => summary.number));
    before = next;
    more = next !== null;
  }
  assert.deepEqual(
    seen,
    Array.from({ length: 25 }, (_, at) => 25 - at),
  );
  assert.deepEqual(full.find({ organization: 'other', text: 'cart', before: null, limit: 5 }).results, []);
  full.close();
});

test('a build that is put again is found by what it has now alone, and one that was removed not at all', () => {
  const { full, numbers } = index('again');
  full.put(document(1, { paths: ['old.txt'] }));
  full.put(document(1, { paths: ['new.txt'] }));
  assert.deepEqual([numbers('old.txt'), numbers('new.txt'), full.missing([uuid(1), uuid(2)])], [[], [1], [uuid(2)]]);
  full.remove(uuid(1));
  assert.deepEqual([numbers('new.txt'), full.missing([uuid(1)])], [[], [uuid(1)]]);
  full.close();
});

test('of builds that are added together, those that are known already stay as they are', () => {
  const { full, numbers } = index('together');
  full.put(document(1, { paths: ['published.txt'] }));
  full.add([document(1, { paths: ['earlier.txt'] }), document(2, { paths: ['earlier.txt'] })]);
  assert.deepEqual([numbers('published.txt'), numbers('earlier.txt')], [[1], [2]]);
  full.close();
});

test('nothing that is typed is taken for a query of SQLite’s', () => {
  const { full, ask } = index('typed');
  full.put(document(1));
  check(property(string(), (text) => void ask(text)));
  for (const text of [
    '"',
    '"" OR *',
    'about:x NEAR(a b)',
    '* AND',
    'NOT cart',
    '^cart',
    "'; DROP TABLE found; --",
    'a'.repeat(5000),
    '{about} : x',
  ])
    assert.doesNotThrow(() => ask(text), text);
  assert.equal(parseQuery('--- ** ""'), null);
  assert.deepEqual(ask('cart').results.length, 1);
  full.close();
});

test('the index is asked and told from outside of its thread, and a reader sees what a writer put', async () => {
  const file = join(folder, 'thread');
  const [reader, writer] = [openSearch(file, { readOnly: true }), openSearch(file)];
  const question = { organization: 'acme', text: 'cart', before: null, limit: 5 };
  assert.deepEqual((await reader.find(question)).results, [], 'there is no index yet');
  await writer.put(document(7));
  assert.deepEqual(
    (await reader.find(question)).results.map(({ summary }) => summary.number),
    [7],
  );
  assert.deepEqual(await writer.missing([uuid(7), uuid(8)]), [uuid(8)]);
  await writer.remove(uuid(7));
  assert.deepEqual((await reader.find(question)).results, []);
  await Promise.all([reader.close(), writer.close()]);
});

test('a build of which not all can be found says so', () => {
  const { full, ask } = index('partial');
  const paths = Array.from({ length: 3000 }, (_, at) => `coverage/packages/number-${at}/index.html`);
  full.put(document(1, { paths: paths.slice(0, 10) }));
  full.put(document(2, { paths }));
  full.put(document(3, { paths: paths.slice(0, 10), isCut: true }));
  assert.deepEqual(
    ask('path:coverage').results.map(({ summary, isPartial }) => [summary.number, isPartial]),
    [
      [3, true],
      [2, true],
      [1, false],
    ],
  );
  full.close();
});
