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
  const lua = (name: string): string => read('lighttpd', `${name}.lua`).replaceAll(/--.*$/gm, '');
  const gate = lua('identity');
  assert.deepEqual(unlikeTheGate(gate, lua('content')), []);
  // Each of these would go unseen by a reader's requests.
  const seal = 'digest_eq(hmac("sha256", key, name), mac)';
  const token = 'digest_eq(c.md("sha256", secret), found and found.sha256 or nobody)';
  for (const [from, to] of [
    [seal, 'hmac("sha256", key, name):lower() == mac'],
    [seal, 'mac ~= hmac("sha256", key, name):lower()'],
    [`not ${seal}`, 'false'],
    [token, 'c.md("sha256", secret):lower() == (found and found.sha256 or nobody)'],
    ['secret_eq(known.mac, mac)', 'known.mac == mac'],
    ['secret_eq(known.mac, header:sub(-64))', 'true'],
    ['secret_eq(last_header, header)', 'last_header == header'],
  ] as const) {
    assert.ok(gate.includes(from), from);
    assert.notDeepEqual(unlikeTheGate(gate.replace(from, to), lua('content')), [], to);
  }
  const label = 'c.digest_eq(label(key, uuid), host_label)';
  for (const to of ['label(key, uuid) == host_label', 'host_label == label(key, uuid)']) {
    assert.ok(lua('content').includes(label));
    assert.notDeepEqual(unlikeTheGate(gate, lua('content').replace(label, to)), [], to);
  }
});

/** @returns which comparisons are not as they must be: each has its place, and none is by an operator */
function unlikeTheGate(gate: string, content: string): RegExp[] {
  const places: [code: string, wanted: RegExp, times: number][] = [
    [gate, /if not digest_eq\(hmac\("sha256", key, name\), mac\) then return nil end/g, 1],
    [gate, /right = digest_eq\(c\.md\("sha256", secret\), found and found\.sha256 or nobody\)$/gm, 2],
    [gate, /secret_eq\(known\.mac, (?:mac\)|header:sub\(-64\)\))/g, 2],
    [gate, /secret_eq\(last_header, header\)/g, 1],
    [gate, /\b(?:hmac|md)\(/g, 3],
    [content, /if c\.digest_eq\(label\(key, uuid\), host_label\) then/g, 1],
  ];
  const never = [
    /(?<!#)\b(?:mac|sha256|secret|last_header|host_label)\s*[~=]=/,
    /[~=]=\s*(?:\w+\.)?(?:mac|sha256|secret|hmac|md|label|last_header|host_label)\b/,
    /\b(?:hmac|md|label)\([^()]*\)(?::\w+\([^()]*\))*\s*[~=]=/,
  ];
  return [
    ...places.filter(([code, wanted, times]) => code.match(wanted)?.length !== times).map(([, wanted]) => wanted),
    ...never.filter((operator) => operator.test(gate) || operator.test(content)),
  ];
}
