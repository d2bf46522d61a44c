import assert from 'node:assert/strict';
import { hash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { openStaging, StagedFile } from '../../src/tree/staging.ts';
import { temporaryFolder } from './folder.ts';
import { smallDisk } from './small-disk.ts';

const spill = 256 * 1024;

describe('bytes in staging', () => {
  it('are summed up and on disk, however they come in pieces', async (t) => {
    const folder = temporaryFolder(t);
    const staging = openStaging(folder);
    const sizes = fc.array(fc.oneof(fc.nat(2000), fc.constantFrom(0, 1, spill - 1, spill, spill + 1)), {
      maxLength: 8,
    });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(sizes, fc.boolean(), async (pieces, takesSha1) => {
        const file = join(folder, String((run += 1)));
        const staged = new StagedFile(file, staging, takesSha1);
        const chunks = pieces.map((size) => randomBytes(size));
        for (const chunk of chunks) if (!staged.write(chunk)) await staged.drained();
        const whole = Buffer.concat(chunks);
        assert.equal(staged.received, whole.length);
        assert.deepEqual(await staged.finish(), {
          file,
          size: whole.length,
          sha1: takesSha1 ? hash('sha1', whole) : null,
          sha256: hash('sha256', whole),
          crc32: crc32(whole).toString(16).padStart(8, '0'),
          finder: null,
        });
        assert.ok(readFileSync(file).equals(whole));
      }),
      { numRuns: 60 },
    );
  });

  it('begin anew after a restart, small or large', async (t) => {
    const folder = temporaryFolder(t);
    for (const size of [10, spill * 3]) {
      const file = join(folder, `restart-${size}`);
      const staged = new StagedFile(file, openStaging(folder));
      staged.write(randomBytes(size));
      staged.restart();
      assert.equal(staged.received, 0);
      const whole = randomBytes(size + 1);
      staged.write(whole);
      const { size: kept, sha256 } = await staged.finish();
      assert.deepEqual([kept, sha256], [size + 1, hash('sha256', whole)]);
      assert.ok(readFileSync(file).equals(whole));
    }
  });

  it('ask their sender to pause when the disk is slower, and lose nothing for it', async (t) => {
    const folder = temporaryFolder(t);
    const staged = new StagedFile(join(folder, 'many'), openStaging(folder));
    const chunk = randomBytes(1024 * 1024);
    let pauses = 0;
    for (let count = 0; count < 32; count += 1) {
      if (staged.write(chunk)) continue;
      pauses += 1;
      await staged.drained();
    }
    assert.ok(pauses > 0);
    const { sha256 } = await staged.finish();
    assert.equal(sha256, hash('sha256', Buffer.concat(Array.from({ length: 32 }, () => chunk))));
  });

  it('leave nothing behind when they are discarded, at any time', async (t) => {
    const folder = temporaryFolder(t);
    const staging = openStaging(folder);
    const begun = (size: number): StagedFile => {
      const staged = new StagedFile(join(folder, randomBytes(4).toString('hex')), staging);
      if (size > 0) staged.write(randomBytes(size));
      return staged;
    };
    for (const size of [0, 10, spill * 4]) {
      begun(size).discard();
      const finished = begun(size);
      await finished.finish();
      finished.discard();
      finished.discard();
    }
    assert.deepEqual(readdirSync(folder), []);
  });

  it('say so when the disk is full, small or large, and leave nothing behind', async (t) => {
    const disk = smallDisk(t, '1m');
    if (disk === null) return;
    const staging = openStaging(disk);
    const small = new StagedFile(join(disk, 'small'), staging);
    const large = new StagedFile(join(disk, 'large'), staging);
    small.write(randomBytes(spill - 1));
    const filler = join(disk, 'filler');
    writeFileSync(filler, randomBytes(1024 * 1024 - 4096));
    await assert.rejects(small.finish(), { code: 'ERR_TREE_FULL' });
    const writing = async (): Promise<void> => {
      for (let count = 0; count < 100; count += 1) if (!large.write(randomBytes(64 * 1024))) await large.drained();
      await large.finish();
    };
    await assert.rejects(writing, { code: 'ERR_TREE_FULL' });
    large.discard();
    assert.deepEqual(readdirSync(disk), ['filler']);
  });
});
