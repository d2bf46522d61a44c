import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, it } from 'node:test';
import { prepareData } from '../../src/tree/data.ts';
import { type DataPaths, dataPaths, type Place } from '../../src/tree/paths.ts';
import { listTombstones, newTombstone, type Tombstone, writeTombstone } from '../../src/tree/tombstones.ts';
import { newTally, type Tally } from '../../workers/purge-tally.ts';

let paths: DataPaths;
beforeEach(async () => {
  paths = dataPaths(mkdtempSync(join(tmpdir(), 'kitemirror-tally-')));
  await prepareData(paths);
});
afterEach(() => rmSync(paths.root, { recursive: true }));

const [one, other, third] = [1, 2, 3].map((number): Place => ({ organization: 'acme', folder: 'web', number })) as [
  Place,
  Place,
  Place,
];
const digest = (letter: string): string => letter.repeat(64);

/** Written down as a command does. */
async function asked(...requests: { sha256?: string[]; literal?: string }[]): Promise<void> {
  for (const { sha256 = [], literal } of requests)
    await writeTombstone(
      paths,
      newTombstone({ sha256, literal: literal === undefined ? null : Buffer.from(literal), reason: 'a test' }),
    );
}

/** As a run begins: with what is on disk. */
async function begun(): Promise<Tally> {
  return newTally(paths, await listTombstones(paths));
}

it('counts what each tombstone took, over runs that were ended', async () => {
  await asked({ sha256: [digest('a'), digest('b')] }, { sha256: [digest('b')] }, { literal: 'a secret of the team' });
  const first = await begun();
  await first.begin(one);
  first.count([digest('a'), digest('b'), null]);
  await first.note();
  const second = await begun();
  second.count([digest('b'), digest('b'), digest('c')]);
  const filesOf = (is: (of: Tombstone) => boolean): number | undefined => second.counted().find(is)?.files;
  assert.equal(
    filesOf(({ sha256 }) => sha256.length === 2),
    4,
  );
  assert.equal(
    filesOf(({ sha256 }) => sha256.length === 1),
    3,
  );
  assert.equal(
    filesOf(({ literal }) => literal !== null),
    1,
  );
});

it('tells of a build that a run was ended in until a run has come to its end, whatever else that changes before', async () => {
  await asked({ sha256: [digest('a')] });
  await (await begun()).begin(other);
  // Another has come since, which changes a build that comes before.
  await asked({ sha256: [digest('b')] });
  const second = await begun();
  assert.deepEqual([second.isBegun(one), second.isBegun(other)], [false, true]);
  await second.begin(one);
  second.end(one);
  const third = await begun();
  assert.ok(third.isBegun(other), 'a run that was ended before it came there forgot it');
  third.end(other);
  await third.note();
  assert.equal((await begun()).isBegun(other), false);
});

it('tells of a build before anything of it is changed, and writes no more than that', async () => {
  await asked({ sha256: [digest('a')] }, { sha256: [digest('b')] });
  const [first] = await listTombstones(paths);
  const tally = await begun();
  const states = (): string[] =>
    readdirSync(paths.purged)
      .sort()
      .map((name) => `${statSync(join(paths.purged, name)).ino} ${readFileSync(join(paths.purged, name), 'utf8')}`);
  await tally.begin(one);
  assert.ok((await begun()).isBegun(one));
  const before = states();
  await tally.begin(one);
  assert.deepEqual(states(), before);
  tally.end(one);
  tally.count(first?.sha256 ?? []);
  await tally.begin(third);
  assert.equal(states().filter((state, index) => state !== before[index]).length, 1);
  assert.deepEqual([(await begun()).isBegun(one), (await begun()).isBegun(third)], [false, true]);
});
