import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { errnoOf } from '../../src/errors.ts';
import { linkBlob, placeStaged, restoreBlob } from '../../src/tree/blobs.ts';
import type { DataPaths } from '../../src/tree/paths.ts';
import type { Staged } from '../../src/tree/staging.ts';
import { preparedData } from './folder.ts';

interface Shelf {
  readonly paths: DataPaths;
  /** A job's folder. */
  readonly base: string;
  stage(text: string): Staged;
  place(text: string, file: string): number;
}

async function shelf(t: TestContext): Promise<Shelf> {
  const paths = await preparedData(t);
  const base = paths.job({ organization: 'acme', folder: 'web', number: 1 }, 'j');
  mkdirSync(base, { recursive: true });
  let count = 0;
  const stage = (text: string): Staged => {
    const file = paths.stagingFile(`s-${(count += 1)}`);
    writeFileSync(file, text);
    return {
      file,
      size: Buffer.byteLength(text),
      sha1: hash('sha1', text),
      sha256: hash('sha256', text),
      crc32: '00000000',
    };
  };
  return { paths, base, stage, place: (text, file) => placeStaged(paths, stage(text), base, file, new Set()) };
}

const inode = (file: string): number => statSync(file).ino;
const links = (file: string): number => statSync(file).nlink;

describe('a blob', () => {
  it('has its digest and its place in the tree as names, and leaves staging', async (t) => {
    const { paths, base, place } = await shelf(t);
    assert.equal(place('bytes', 'artifacts/a/b.txt'), 5);
    const blob = paths.blob(hash('sha256', 'bytes'));
    assert.equal(inode(blob), inode(join(base, 'artifacts/a/b.txt')));
    assert.equal(links(blob), 2);
    assert.deepEqual(readdirSync(paths.staging), []);
  });

  it('is stored once however many files have its bytes', async (t) => {
    const { paths, base, place } = await shelf(t);
    place('same', 'artifacts/1');
    assert.equal(place('same', 'artifacts/2'), 0, 'takes no room');
    assert.equal(place('same', 'artifacts/2'), 0, 'nor when it is there already');
    assert.equal(inode(join(base, 'artifacts/1')), inode(join(base, 'artifacts/2')));
    assert.equal(links(paths.blob(hash('sha256', 'same'))), 3);
    assert.deepEqual(readdirSync(paths.staging), []);
  });

  it('takes the place of another without a moment in which there is none, under another inode', async (t) => {
    const { base, place } = await shelf(t);
    place('one', 'artifacts/x');
    const before = inode(join(base, 'artifacts/x'));
    place('two', 'artifacts/x');
    assert.equal(readFileSync(join(base, 'artifacts/x'), 'utf8'), 'two');
    assert.notEqual(inode(join(base, 'artifacts/x')), before);
    place('one', 'artifacts/x');
    assert.equal(readFileSync(join(base, 'artifacts/x'), 'utf8'), 'one');
    assert.equal(inode(join(base, 'artifacts/x')), before, 'the blob was kept');
  });

  it('of another size than its digest says was torn, and gives way to verified bytes', async (t) => {
    const { paths, base, place } = await shelf(t);
    const blob = paths.blob(hash('sha256', 'whole bytes'));
    writeFileSync(blob, 'whole');
    place('whole bytes', 'artifacts/x');
    assert.equal(readFileSync(blob, 'utf8'), 'whole bytes');
    assert.equal(readFileSync(join(base, 'artifacts/x'), 'utf8'), 'whole bytes');
  });

  it('that has lost its name gets it back from the tree', async (t) => {
    const { paths, base, place } = await shelf(t);
    place('bytes', 'artifacts/x');
    const digest = hash('sha256', 'bytes');
    unlinkSync(paths.blob(digest));
    assert.throws(() => linkBlob(paths, digest, base, 'artifacts/y', new Set()), { code: 'ERR_TREE_CORRUPT' });
    restoreBlob(paths, digest, join(base, 'artifacts/x'));
    assert.equal(linkBlob(paths, digest, base, 'artifacts/y', new Set()), true);
    assert.equal(linkBlob(paths, digest, base, 'artifacts/y', new Set()), false, 'it is there');
  });

  it('is not stored into a folder that was moved away', async (t) => {
    const { paths, base, place } = await shelf(t);
    rmSync(base, { recursive: true });
    assert.throws(() => place('bytes', 'artifacts/x'), { code: 'ERR_TREE_MOVED' });
    assert.throws(() => place('bytes', 'artifacts/x'), { code: 'ERR_TREE_MOVED' }, 'also when the blob is known');
    assert.deepEqual(readdirSync(paths.staging), []);
    assert.throws(() => statSync(base), { code: 'ENOENT' });
  });

  it('never takes the place of a folder', async (t) => {
    const { base, paths, place } = await shelf(t);
    place('inner', 'artifacts/x/y');
    for (const text of ['other', 'inner']) assert.throws(() => place(text, 'artifacts/x'));
    assert.equal(readFileSync(join(base, 'artifacts/x/y'), 'utf8'), 'inner');
    assert.deepEqual(readdirSync(paths.staging), []);
  });

  it('with all the links that the file system allows goes on as another file of the same bytes', async (t) => {
    const { paths, base, place } = await shelf(t);
    place('popular', 'artifacts/first');
    const digest = hash('sha256', 'popular');
    if (!exhaust(paths.blob(digest), join(paths.root, 'links'))) {
      t.skip('the temporary folder is on a file system without a bound on links');
      return;
    }
    const full = links(paths.blob(digest));
    place('popular', 'artifacts/second');
    place('unpopular', 'artifacts/third');
    place('popular', 'artifacts/third');
    for (const name of ['second', 'third'])
      assert.equal(inode(join(base, 'artifacts', name)), inode(paths.blob(digest, 2)));
    assert.equal(readFileSync(paths.blob(digest, 2), 'utf8'), 'popular');
    assert.equal(linkBlob(paths, digest, base, 'artifacts/second', new Set()), false, 'nothing changes');
    assert.equal(linkBlob(paths, digest, base, 'artifacts/first', new Set()), false, 'nor for the first');
    assert.equal(links(paths.blob(digest)), full);
    assert.equal(links(paths.blob(digest, 2)), 3);
    assert.deepEqual(readdirSync(paths.staging), []);
  });
});

/** @returns false when there is no bound within reach */
function exhaust(file: string, folder: string): boolean {
  mkdirSync(folder);
  for (let count = 0; count < 70_000; count += 1) {
    try {
      linkSync(file, join(folder, String(count)));
    } catch (thrown) {
      if (errnoOf(thrown) !== 'EMLINK') throw thrown;
      return true;
    }
  }
  return false;
}
