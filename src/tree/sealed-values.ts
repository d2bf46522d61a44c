/**
 * Values that are known again without being known: of each its length, a salted digest, and a sum of eight of its bytes. What comes in is searched for all sums at once; only where one agrees the
 * digest is made. Neither tells the value.
 */
import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);

export const SealedValue = z.object({
  length: z.int().min(1),
  salt: z.string(),
  digest: Sha256,
  /** The sum (32 bits) of eight of its bytes from `at` on, of a shorter one all. Absent of earlier ones. */
  probe: z.object({ at: z.int().min(0), sum: z.int() }).optional(),
});
export type SealedValue = z.infer<typeof SealedValue>;

const summedBytes = 8;
/** The end of what came in is kept for as long as it may be a value's beginning: of longer ones that would be too much. */
const longestSought = 64 * 1024;

export function sealValue(value: Buffer): SealedValue {
  const salt = randomBytes(16).toString('hex');
  const { length } = value;
  const at = tellingBytes(value);
  const sum = sumOf(value.subarray(at, at + summedBytes));
  return { length, salt, digest: saltedDigest(salt, value), probe: { at, sum } };
}

/**
 * Where the most different bytes stand together, nearest to the middle: a secret's beginning and end are often like others', and
 * bytes that are all the same are in many files.
 */
function tellingBytes(value: Buffer): number {
  const last = Math.max(0, value.length - summedBytes);
  let best = { at: 0, different: 0 };
  for (let at = 0; at <= last; at += 1) {
    const different = new Set(value.subarray(at, at + summedBytes)).size;
    const isNearer = Math.abs(2 * at - last) < Math.abs(2 * best.at - last);
    if (different > best.different || (different === best.different && isNearer)) best = { at, different };
  }
  return best.at;
}

function saltedDigest(salt: string, bytes: Buffer): string {
  return createHash('sha256').update(salt).update(bytes).digest('hex');
}

/** @param bytes eight at the most */
function sumOf(bytes: Buffer): number {
  let [before, last] = [0, 0];
  for (const byte of bytes) [before, last] = [(before << 8) | (last >>> 24), (last << 8) | byte];
  return mixed(before, last);
}

/** Odd, so that no bit is lost on the way; its upper bits depend on all of both. */
function mixed(before: number, last: number): number {
  return (Math.imul(before, 0x85ebca77) + Math.imul(last, 0x9e3779b1)) | 0;
}

/** @returns where the value begins; -1: it is not there */
export function indexOfValue(bytes: Buffer, value: SealedValue): number {
  const last = bytes.length - value.length;
  if (value.probe === undefined) {
    for (let at = 0; at <= last; at += 1) if (isAt(bytes, at, value)) return at;
    return -1;
  }
  let found = -1;
  for (const probe of probesFor([value]))
    scan(bytes, 0, probe, (start) => {
      if (start < 0 || start > last || !isAt(bytes, start, value)) return false;
      found = start;
      return true;
    });
  return found;
}

function isAt(bytes: Buffer, start: number, { length, salt, digest }: SealedValue): boolean {
  return saltedDigest(salt, bytes.subarray(start, start + length)) === digest;
}

/** What is sought by sums of the same number of bytes. */
interface Probe {
  /** What counts of the last four bytes, and of the four before. */
  readonly masks: { readonly before: number; readonly last: number };
  /** By the upper bits of a sum: whether one of ours has these. Most bytes are done with after a look at this. */
  readonly mayBe: Uint8Array;
  readonly bySum: ReadonlyMap<number, readonly SealedValue[]>;
}

const upperBits = 14;
const lowerBits = 32 - upperBits;

/** Those without a sum are passed over: each byte would cost a digest. */
function probesFor(values: readonly SealedValue[]): Probe[] {
  const bySize = Map.groupBy(
    values.filter(({ probe }) => probe !== undefined),
    ({ length }) => Math.min(length, summedBytes),
  );
  return Array.from(bySize, ([size, of]) => {
    const mayBe = new Uint8Array(2 ** upperBits);
    for (const { probe } of of) mayBe[(probe?.sum ?? 0) >>> lowerBits] = 1;
    const masks = { before: maskOf(size - 4), last: maskOf(size) };
    return { masks, mayBe, bySum: Map.groupBy(of, ({ probe }) => probe?.sum ?? 0) };
  });
}

function maskOf(bytes: number): number {
  if (bytes <= 0) return 0;
  return bytes >= 4 ? -1 : 2 ** (8 * bytes) - 1;
}

/**
 * @param from sums that end before it are done
 * @param onSum where the value would begin, which may be before these bytes or reach beyond them. @returns whether that is all
 */
function scan(
  bytes: Buffer,
  from: number,
  { masks, mayBe, bySum }: Probe,
  onSum: (start: number, value: SealedValue) => boolean,
): void {
  let [before, last] = [0, 0];
  for (let at = Math.max(0, from - summedBytes); at < bytes.length; at += 1) {
    before = (before << 8) | (last >>> 24);
    last = (last << 8) | (bytes[at] as number);
    const sum = mixed(before & masks.before, last & masks.last);
    if (mayBe[sum >>> lowerBits] === 0 || at < from) continue;
    for (const value of bySum.get(sum) ?? []) {
      const { length, probe } = value;
      const start = at + 1 - Math.min(length, summedBytes) - (probe?.at ?? 0);
      if (onSum(start, value)) return;
    }
  }
}

/** May be a value that has not come in to its end. */
interface Begun {
  readonly value: SealedValue;
  /** How many bytes it is behind the first of all. */
  readonly start: number;
}

/** Looks for values in bytes that come in pieces. */
export class ValueFinder {
  readonly values: readonly SealedValue[];
  readonly #probes: readonly Probe[];
  readonly #kept: number;
  #end: Buffer = Buffer.alloc(0);
  #seen = 0;
  #begun: Begun[] = [];
  #found = false;

  constructor(values: readonly SealedValue[]) {
    this.values = values;
    const sought = values.filter(({ length }) => length <= longestSought);
    this.#probes = probesFor(sought);
    this.#kept = Math.max(summedBytes, ...sought.map(({ length }) => length));
  }

  /** Whether one of them has come by. */
  get found(): boolean {
    return this.#found;
  }

  update(chunk: Buffer): void {
    if (this.#found || this.#probes.length === 0) return;
    const bytes = Buffer.concat([this.#end, chunk]);
    const base = this.#seen - this.#end.length;
    for (const probe of this.#probes)
      scan(bytes, this.#end.length, probe, (start, value) => {
        if (start >= 0) this.#begun.push({ value, start: base + start });
        return false;
      });
    this.#seen += chunk.length;
    const isWhole = ({ value, start }: Begun): boolean => start + value.length <= this.#seen;
    this.#found = this.#begun.some((each) => isWhole(each) && isAt(bytes, each.start - base, each.value));
    this.#begun = this.#begun.filter((each) => !isWhole(each));
    this.#end = Buffer.from(bytes.subarray(Math.max(0, bytes.length - this.#kept)));
  }
}
