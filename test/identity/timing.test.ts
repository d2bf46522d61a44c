/** How long it takes to find a token wrong tells nothing of the right one. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openSeal, seal } from '../../src/identity/seals.ts';
import { root } from '../lighttpd/site.ts';

const key = { id: 'k1', secret: Buffer.alloc(32, 7) };
const right = seal(key, 'session', { id: 'session-0001', subject: 'ann', issued: 1000, expires: 2000 });

/** The median of the times (ns) that each of these takes, asked in turns. */
function medians(tokens: readonly string[], rounds: number): number[] {
  const times: number[][] = tokens.map(() => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, token] of tokens.entries()) {
      const from = process.hrtime.bigint();
      const found = openSeal([key], 'session', token, 1500);
      times[index]?.push(Number(process.hrtime.bigint() - from));
      assert.equal(found, null);
    }
  }
  return times.map((each) => each.toSorted((left, right) => left - right)[rounds >> 1] ?? 0);
}

test('a token that is wrong from its first sign on is found wrong no sooner than one that is wrong in its last', () => {
  const other = (sign: string): string => (sign === '0' ? '1' : '0');
  const mac = right.slice(-64);
  const early = `${right.slice(0, -64)}${other(mac[0] ?? '')}${mac.slice(1)}`;
  const late = `${right.slice(0, -1)}${other(right.at(-1) ?? '')}`;
  medians([early, late], 2000);
  const [first = 0, last = 0] = medians([early, late], 20_000);
  assert.ok(first / last > 0.8 && first / last < 1.25, `${first} ns and ${last} ns`);
});

test('what is secret is compared by functions that are made for it, on both sides', () => {
  const read = (...path: string[]): string => readFileSync(join(root, ...path), 'utf8');
  for (const path of [
    ['src', 'identity', 'seals.ts'],
    ['src', 'identity', 'authenticate.ts'],
    ['src', 'identity', 'sealed-state.ts'],
  ]) {
    const code = read(...path);
    assert.match(code, /timingSafeEqual\(/, path.join('/'));
    assert.doesNotMatch(code, /\b(mac|digest|sha256|secret)\b\s*[!=]==/, path.join('/'));
  }
  const gate = read('lighttpd', 'identity.lua').replaceAll(/--.*$/gm, '');
  assert.match(gate, /secret_eq\(known\.mac, /);
  assert.doesNotMatch(gate, /(?<!#)\b(mac|sha256|secret)\s*[~=]=/);
});
