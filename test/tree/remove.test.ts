import assert from 'node:assert/strict';
import { copyFileSync, existsSync, linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { it } from 'node:test';
import { dataPaths } from '../../src/tree/paths.ts';
import { unlinkNamesOf } from '../../src/tree/remove.ts';

it('takes away the names of every copy of a blob, and no other file of the same bytes', async (t) => {
  const paths = dataPaths(mkdtempSync(join(tmpdir(), 'kitemirror-remove-')));
  t.after(() => rmSync(paths.root, { recursive: true }));
  const sha256 = 'ab'.repeat(32);
  const [first, second] = [paths.blob(sha256), paths.blob(sha256, 2)];
  const folder = join(paths.tree, 'job');
  for (const each of [dirname(first), join(folder, 'deep')]) mkdirSync(each, { recursive: true });
  writeFileSync(first, 'popular');
  copyFileSync(first, second);
  linkSync(first, join(folder, 'one'));
  linkSync(second, join(folder, 'deep', 'other'));
  copyFileSync(first, join(folder, 'foreign'));
  assert.deepEqual(await unlinkNamesOf(paths, folder, new Set([sha256])), [sha256, sha256]);
  assert.deepEqual(
    ['one', 'deep/other', 'foreign'].map((name) => existsSync(join(folder, name))),
    [false, false, true],
  );
});
