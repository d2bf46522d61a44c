import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, linkSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { hasBlob, placeStaged } from '../../src/tree/blobs.ts';
import type { DataPaths } from '../../src/tree/paths.ts';
import { listDamaged, quarantineBlob } from '../../src/tree/quarantine.ts';
import { type Damage, verifyBlobs } from '../../src/tree/verify.ts';
import { preparedData } from './folder.ts';

const signal = new AbortController().signal;

function store(paths: DataPaths, bytes: Buffer | string): string {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  writeFileSync(paths.blob(sha256), bytes);
  return sha256;
}

async function read(paths: DataPaths, options: Partial<Parameters<typeof verifyBlobs>[1]> = {}) {
  const damages: Damage[] = [];
  const onDamage = async (damage: Damage): Promise<void> => void damages.push(damage);
  const verified = await verifyBlobs(paths, { after: null, rate: null, signal, onDamage, ...options });
  return { verified, damages };
}

describe('reading blobs again', () => {
  it('finds nothing wrong with small and large ones that are right, nor with further copies', async (t) => {
    const paths = await preparedData(t);
    store(paths, '');
    store(paths, 'small');
    store(paths, randomBytes(1024 * 1024));
    const large = randomBytes(3 * 1024 * 1024 + 7);
    writeFileSync(paths.blob(store(paths, large), 2), large);
    const { verified, damages } = await read(paths);
    assert.deepEqual([verified.blobs, verified.damaged, verified.after, damages.length], [5, 0, null, 0]);
  });

  it('finds a single flipped bit, a cut, and a growth, and says what is there', async (t) => {
    const paths = await preparedData(t);
    const bytes = randomBytes(2 * 1024 * 1024);
    const names = [bytes, bytes.subarray(1), bytes.subarray(2)].map((each) => store(paths, each));
    const flipped = Buffer.from(bytes);
    flipped[1_500_000] = (flipped[1_500_000] ?? 0) ^ 1;
    const wrong = [flipped, bytes.subarray(1, 1000), Buffer.concat([bytes.subarray(2), Buffer.from('x')])];
    for (const [index, name] of names.entries()) writeFileSync(paths.blob(name), wrong[index] ?? '');
    const { damages } = await read(paths);
    const found = new Map(damages.map(({ name, found: sum }) => [name, sum]));
    for (const [index, name] of names.entries()) {
      assert.equal(
        found.get(name),
        createHash('sha256')
          .update(wrong[index] ?? '')
          .digest('hex'),
      );
    }
  });

  it('goes on where it was broken off, and reads each once', async (t) => {
    const paths = await preparedData(t);
    for (let index = 0; index < 40; index += 1) store(paths, `${index}`.padEnd(1000));
    let after: string | null = null;
    let [blobs, slices] = [0, 0];
    do {
      const { verified } = await read(paths, { after, maxBytes: 7000 });
      after = verified.after;
      blobs += verified.blobs;
      slices += 1;
    } while (after !== null);
    assert.equal(blobs, 40);
    assert.ok(slices >= 6);
  });

  it('keeps to its rate', async (t) => {
    const paths = await preparedData(t);
    for (let index = 0; index < 10; index += 1) store(paths, randomBytes(100_000));
    const began = performance.now();
    await read(paths, { rate: 2_000_000 });
    assert.ok(performance.now() - began > 400);
  });

  it('ends when it is told to', async (t) => {
    const paths = await preparedData(t);
    for (let index = 0; index < 10; index += 1) store(paths, randomBytes(100_000));
    await assert.rejects(read(paths, { rate: 1000, signal: AbortSignal.timeout(50) }));
  });
});

describe('a blob that is damaged', () => {
  it('is hidden under all its names, set aside, and noted', async (t) => {
    const paths = await preparedData(t);
    const sha256 = store(paths, 'right');
    const shown = join(paths.tree, 'shown.txt');
    linkSync(paths.blob(sha256), shown);
    writeFileSync(paths.blob(sha256), 'wrong');
    const before = statSync(shown).mtimeMs;
    const { damages } = await read(paths);
    for (const damage of damages) await quarantineBlob(paths, damage);
    assert.equal(statSync(shown).mode & 0o777, 0);
    assert.ok(statSync(shown).mtimeMs >= before);
    assert.ok(!hasBlob(paths, sha256));
    assert.equal(readdirSync(paths.quarantine).length, 1);
    assert.deepEqual(
      (await listDamaged(paths)).map(({ sha256: of }) => of),
      [sha256],
    );
    assert.equal((await read(paths)).verified.blobs, 0);
  });

  it('and hidden is not taken for the bytes that come in anew', async (t) => {
    const paths = await preparedData(t);
    const sha256 = store(paths, 'right');
    const before = statSync(paths.blob(sha256)).ino;
    chmodSync(paths.blob(sha256), 0);
    const file = paths.stagingFile('x.part');
    writeFileSync(file, 'right');
    placeStaged(paths, { file, size: 5, sha1: '', sha256, crc32: '00000000' }, paths.tree, 'a.txt', new Set());
    assert.notEqual(statSync(paths.blob(sha256)).ino, before);
    assert.equal(statSync(join(paths.tree, 'a.txt')).mode & 0o400, 0o400);
    assert.ok(!existsSync(file));
  });
});
