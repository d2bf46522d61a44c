import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { openCatalog } from '../../src/search/catalog.ts';
import type { PointerChange } from '../../src/search/catalog-pointers.ts';
import { sampleBuild, summaryOfBuild, uuid } from '../pages/samples.ts';

const folder = mkdtempSync(join(tmpdir(), 'kitemirror-catalog-'));
after(() => rmSync(folder, { recursive: true }));

function entry(number: number) {
  return {
    folder: 'web',
    summary: summaryOfBuild(sampleBuild([], { number, id: uuid(number) })),
    lost: 0,
    withheld: 0,
  };
}

const ignore = (): void => undefined;
const numbers = (catalog: ReturnType<typeof openCatalog>): number[] =>
  catalog.builds({ organization: 'acme', limit: 10 }).map(({ number }) => number);

test('what is put together is there at once, for others too', () => {
  const file = join(folder, 'together');
  const [ours, theirs] = [openCatalog(file), openCatalog(file, { readOnly: true })];
  ours.together(() => {
    ours.put(entry(1), ignore);
    ours.put(entry(2), ignore);
    assert.deepEqual([numbers(ours), numbers(theirs)], [[2, 1], []]);
  });
  assert.deepEqual(numbers(theirs), [2, 1]);
  assert.equal(theirs.totals().builds, 2);
  ours.close();
  theirs.close();
});

test('of what is put together nothing stays where one of them fails', () => {
  const catalog = openCatalog(join(folder, 'fails'));
  catalog.put(entry(1), ignore);
  const failing = (): void =>
    catalog.together(() => {
      catalog.put(entry(2), ignore);
      catalog.remove(uuid(1), ignore);
      catalog.put(entry(3), () => {
        throw new Error('no room for a pointer');
      });
    });
  assert.throws(failing, /no room/);
  assert.deepEqual([numbers(catalog), catalog.totals().builds], [[1], 1]);
  catalog.together(() => catalog.put(entry(2), ignore));
  assert.deepEqual(numbers(catalog), [2, 1]);
  catalog.close();
});

test('a new catalog may lack builds, and so may one that was made before that was told', () => {
  const file = join(folder, 'stages');
  const catalog = openCatalog(file);
  assert.equal(catalog.stage(), 'partial');
  catalog.noteStage('filled');
  catalog.noteStage('whole');
  catalog.close();
  const again = openCatalog(file);
  assert.equal(again.stage(), 'whole');
  again.recount(0);
  assert.equal(again.stage(), 'whole');
  again.close();

  const db = new DatabaseSync(file);
  db.exec("DELETE FROM totals WHERE name = 'stage'");
  db.close();
  const older = openCatalog(file);
  assert.equal(older.stage(), 'partial');
  older.close();
});

test('pages of all builds have each build once, whatever is added meanwhile', () => {
  const catalog = openCatalog(join(folder, 'pages'));
  for (const number of [5, 1, 3, 2, 4]) catalog.put(entry(number), ignore);
  const seen: number[] = [];
  for (let after: string | null = null; ; ) {
    const page = catalog.page({ after, limit: 2 });
    seen.push(...page.map(({ summary }) => summary.number));
    after = page.at(-1)?.summary.id ?? null;
    if (after === null) break;
    catalog.put(entry(1), ignore);
  }
  assert.deepEqual(seen, [1, 2, 3, 4, 5]);
  catalog.close();
});

test('where a build’s pointers lead is told of the latest of its branch, and not of itself', () => {
  const catalog = openCatalog(join(folder, 'pointers'));
  let told: readonly PointerChange[] = [];
  for (const number of [7, 9, 8]) catalog.put(entry(number), (changes) => void (told = changes));
  const found = catalog.pointers(entry(7));
  const branch = found.filter(({ kind, state }) => kind === 'latest' && state === 'any');
  assert.deepEqual(
    branch.map(({ number }) => number),
    [9],
  );
  assert.deepEqual(found, told);
  catalog.close();
});
