import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { indexOfValue, sealValue, ValueFinder } from '../../src/tree/sealed-values.ts';

describe('a sealed value', () => {
  it('is found where it is, and nowhere else', () => {
    const few = fc.uint8Array({ minLength: 1, maxLength: 200, max: 2 }).map((bytes) => Buffer.from(bytes));
    const short = fc.uint8Array({ minLength: 1, maxLength: 8, max: 2 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(few, short, (bytes, value) => {
        assert.equal(indexOfValue(bytes, sealValue(value)), bytes.indexOf(value));
        const { probe: _, ...earlier } = sealValue(value);
        assert.equal(indexOfValue(bytes, earlier), bytes.indexOf(value));
      }),
    );
  });

  it('is found in bytes that come in pieces of any size', () => {
    const bytes = randomBytes(5000);
    const value = bytes.subarray(2400, 2460);
    const other = sealValue(randomBytes(300));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3000 }), (size) => {
        const finder = new ValueFinder([other, sealValue(value)]);
        const nothing = new ValueFinder([other]);
        for (let at = 0; at < bytes.length; at += size) {
          // As a sender does that uses its buffer anew.
          const chunk = Buffer.from(bytes.subarray(at, at + size));
          finder.update(chunk);
          nothing.update(chunk);
          chunk.fill(0);
        }
        assert.deepEqual([finder.found, nothing.found], [true, false]);
      }),
      { numRuns: 50 },
    );
  });

  it('is found among others of all lengths, wherever pieces end', () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 120, max: 2 }).map((each) => Buffer.from(each));
    const values = fc.array(fc.uint8Array({ minLength: 1, maxLength: 24, max: 2 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(bytes, values, fc.integer({ min: 1, max: 40 }), (whole, sought, size) => {
        const finder = new ValueFinder(sought.map((each) => sealValue(Buffer.from(each))));
        for (let at = 0; at < whole.length; at += size) finder.update(Buffer.from(whole.subarray(at, at + size)));
        assert.equal(
          finder.found,
          sought.some((each) => whole.includes(Buffer.from(each))),
        );
      }),
      { numRuns: 1000 },
    );
  });

  it('costs little where what comes in is like much of it', () => {
    const value = Buffer.from(`key: a1b2c3d4\n${' '.repeat(2000)}\nend: z9y8x7w6\n`);
    const finder = new ValueFinder([sealValue(value)]);
    const spaces = Buffer.alloc(64 * 1024, ' ');
    const before = process.cpuUsage();
    for (let piece = 0; piece < 64; piece += 1) finder.update(spaces);
    const { user, system } = process.cpuUsage(before);
    assert.ok(user + system < 1_000_000, `${user + system} µs for 4 MiB`);
    finder.update(value);
    assert.equal(finder.found, true);
  });

  it('does not say what it is', () => {
    const value = Buffer.from('hunter2-secret');
    const kept = JSON.stringify(sealValue(value));
    for (const form of ['utf8', 'base64', 'hex'] as const) assert.ok(!kept.includes(value.toString(form)));
    assert.notEqual(kept, JSON.stringify(sealValue(value)));
  });
});
