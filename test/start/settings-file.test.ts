import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readEnv } from '../../src/config.ts';
import { temporaryFolder } from './scene.ts';

test('settings come from .env where the environment has none, and an .env that cannot be read is named', (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, '.env');
  assert.deepEqual(readEnv(folder, { A: '1' }), { A: '1' });
  writeFileSync(file, 'A=2\nB=3 # so\n');
  assert.deepEqual(readEnv(folder, { A: '1' }), { A: '1', B: '3' });
  rmSync(file);
  // Root, too, cannot read a folder as a file.
  mkdirSync(file);
  assert.throws(() => readEnv(folder, {}), {
    code: 'ERR_CONFIG',
    message: /^the settings in .*\/\.env cannot be read: EISDIR/,
  });
});
