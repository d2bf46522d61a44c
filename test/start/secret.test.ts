/** A secret from a file that is exchanged under a running program, in each of the ways that this is done. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { Secret } from '../../src/config/secret.ts';
import { until } from '../lighttpd/until.ts';

function folder(t: { after(work: () => void): void }): string {
  const made = mkdtempSync(join(tmpdir(), 'kitemirror-secret-'));
  t.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

const becomes = (secret: Secret, value: string): Promise<void> => until(value, () => secret.reveal() === value);

it('is read again when the file is replaced or written over', async (t) => {
  const file = join(folder(t), 'secret');
  writeFileSync(file, 'first\n');
  const secret = new Secret({ file });
  assert.equal(secret.reveal(), 'first');
  writeFileSync(`${file}.new`, 'second\n');
  renameSync(`${file}.new`, file);
  await becomes(secret, 'second');
  writeFileSync(file, 'third\n');
  await becomes(secret, 'third');
});

it('is read again when the link to its folder is exchanged, also for a file of the same age and size', async (t) => {
  const mount = folder(t);
  const versions = { one: 'aaaaaa', two: 'bbbbbb' };
  for (const [name, value] of Object.entries(versions)) {
    mkdirSync(join(mount, name));
    writeFileSync(join(mount, name, 'secret'), value);
    utimesSync(join(mount, name, 'secret'), 1_700_000_000, 1_700_000_000);
  }
  symlinkSync('one', join(mount, '..data'));
  symlinkSync(join('..data', 'secret'), join(mount, 'secret'));
  const secret = new Secret({ file: join(mount, 'secret') });
  assert.equal(secret.reveal(), versions.one);
  symlinkSync('two', join(mount, '..new'));
  renameSync(join(mount, '..new'), join(mount, '..data'));
  await becomes(secret, versions.two);
});

it('stays the last good one while its file is absent, empty or unreadable', async (t) => {
  const file = join(folder(t), 'secret');
  writeFileSync(file, 'good');
  const secret = new Secret({ file });
  for (const spoil of [() => rmSync(file), () => writeFileSync(file, ''), () => (rmSync(file), mkdirSync(file))]) {
    spoil();
    const end = Date.now() + 2500;
    await until('it was looked at since', () => {
      assert.equal(secret.reveal(), 'good');
      return Date.now() > end;
    });
  }
  rmSync(file, { recursive: true });
  writeFileSync(file, 'new');
  await becomes(secret, 'new');
});
