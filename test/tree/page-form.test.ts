import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { prepareData } from '../../src/tree/data.ts';
import { notePageForm } from '../../src/tree/page-form.ts';
import { dataPaths } from '../../src/tree/paths.ts';

test('pages that were made under other settings are made again, once, and none in a fresh folder', async (t) => {
  const paths = dataPaths(mkdtempSync(join(tmpdir(), 'kitemirror-form-')));
  t.after(() => rmSync(paths.root, { recursive: true }));
  await prepareData(paths);
  const [off, on] = [false, true].map((accounts) => ({ accounts, url: 'http://mirror.test' }));
  assert.ok(off && on);
  assert.equal(await notePageForm(paths, off), false);
  assert.equal(existsSync(paths.rebuildDue), false);
  assert.equal(await notePageForm(paths, on), true);
  assert.ok(existsSync(paths.rebuildDue));
  rmSync(paths.rebuildDue);
  assert.equal(await notePageForm(paths, on), false);
  assert.equal(existsSync(paths.rebuildDue), false);
  assert.equal(await notePageForm(paths, { ...on, url: 'https://other.test' }), true);
});

test('pages of a folder that an earlier release wrote are made again', async (t) => {
  const paths = dataPaths(mkdtempSync(join(tmpdir(), 'kitemirror-form-')));
  t.after(() => rmSync(paths.root, { recursive: true }));
  await prepareData(paths);
  mkdirSync(dirname(paths.catalog), { recursive: true });
  writeFileSync(paths.catalog, '');
  assert.equal(await notePageForm(paths, { accounts: false, url: 'http://mirror.test' }), true);
  assert.ok(existsSync(paths.rebuildDue));
});
