/** Numbers that look random and are the same in each run (mulberry32 over a digest of the seed). */
import { hash } from 'node:crypto';

export interface Random {
  /** From 0 up to, not including, 1. */
  next(): number;
  /** A whole number, both ends included. */
  whole(low: number, high: number): number;
}

export function randomFrom(seed: string): Random {
  let state = hash('sha256', seed, 'buffer').readUInt32LE(0);
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  return { next, whole: (low, high) => low + Math.floor(next() * (high - low + 1)) };
}
