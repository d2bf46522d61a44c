/**
 * Values that are known again without being known: of each its length, a salted digest, and a sum that rolls along over bytes
 * as they come, so that only where the sum agrees the digest is made. Neither tells the value.
 */
import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);

export const SealedValue = z.object({
  length: z.int().min(1),
  salt: z.string(),
  digest: Sha256,
  /** 32 bits; absent of values that are too long to be looked for in what comes in, and of earlier ones. */
  rolling: z.object({ base: z.int(), sum: z.int() }).optional(),
});
export type SealedValue = z.infer<typeof SealedValue>;

/** What comes in is looked through by pieces, and the end of each again with the next: for longer ones that would be most of it. */
const longestRolling = 64 * 1024;

export function sealValue(value: Buffer): SealedValue {
  const salt = randomBytes(16).toString('hex');
  const { length } = value;
  const sealed = { length, salt, digest: saltedDigest(salt, value) };
  if (length > longestRolling) return sealed;
  // Odd, so that no bit is lost on the way.
  const base = randomBytes(4).readInt32LE() | 1;
  return { ...sealed, rolling: { base, sum: sumOf(value, 0, length, base) } };
}

function saltedDigest(salt: string, bytes: Buffer): string {
  return createHash('sha256').update(salt).update(bytes).digest('hex');
}

function sumOf(bytes: Buffer, from: number, length: number, base: number): number {
  let sum = 0;
  for (let at = from; at < from + length; at += 1) sum = (Math.imul(sum, base) + (bytes[at] as number)) | 0;
  return sum;
}

/** @returns where the value begins; -1: it is not there */
export function indexOfValue(bytes: Buffer, value: SealedValue): number {
  const { length, salt, digest, rolling } = value;
  const last = bytes.length - length;
  const isHere = (at: number): boolean => saltedDigest(salt, bytes.subarray(at, at + length)) === digest;
  if (rolling === undefined) {
    for (let at = 0; at <= last; at += 1) if (isHere(at)) return at;
    return -1;
  }
  if (last < 0) return -1;
  const { base, sum: wanted } = rolling;
  const left = countsLeft(length, base);
  let sum = sumOf(bytes, 0, length, base);
  for (let at = 0; ; at += 1) {
    if (sum === wanted && isHere(at)) return at;
    if (at >= last) return -1;
    sum = (Math.imul(sum, base) + (bytes[at + length] as number) - (left[bytes[at] as number] as number)) | 0;
  }
}

/** What each byte counts for when it is left behind, once the sum has gone on. */
function countsLeft(length: number, base: number): Int32Array {
  let power = 1;
  for (let step = 0; step < length; step += 1) power = Math.imul(power, base);
  return Int32Array.from({ length: 256 }, (_, byte) => Math.imul(byte, power));
}

/** Looks for values in bytes that come in pieces; those without a rolling sum are passed over: each byte would cost a digest. */
export class ValueFinder {
  readonly values: readonly SealedValue[];
  readonly #sought: readonly SealedValue[];
  readonly #overlap: number;
  #end: Buffer = Buffer.alloc(0);
  #found = false;

  constructor(values: readonly SealedValue[]) {
    this.values = values;
    this.#sought = values.filter(({ rolling }) => rolling !== undefined);
    this.#overlap = Math.max(1, ...this.#sought.map(({ length }) => length)) - 1;
  }

  /** Whether one of them has come by. */
  get found(): boolean {
    return this.#found;
  }

  update(chunk: Buffer): void {
    if (this.#found || this.#sought.length === 0) return;
    const bytes = this.#end.length === 0 ? chunk : Buffer.concat([this.#end, chunk]);
    this.#found = this.#sought.some((value) => indexOfValue(bytes, value) !== -1);
    // A copy: the chunk may be used anew by who gave it.
    this.#end = Buffer.from(bytes.subarray(Math.max(0, bytes.length - this.#overlap)));
  }
}
