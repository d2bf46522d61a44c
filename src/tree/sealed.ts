/**
 * Records as text that tells whether it is still what was written: JSON whose last field, `sum`, is the CRC-32 of all that
 * stands before it. It finds what a disk does to a file, a single bit included; against who writes there it is no help.
 */
import { crc32 } from 'node:zlib';
import { MirrorError } from '../errors.ts';

const seal = /^,"sum":"([0-9a-f]{8})"\}\n?$/;

/** @param value an object with at least one field, and none of its own called `sum` */
export function sealed(value: object): string {
  const text = JSON.stringify(value).slice(0, -1);
  return `${text},"sum":"${sumOf(text)}"}\n`;
}

export interface Unsealed {
  /** Without the sum. */
  readonly value: unknown;
  /** False: it was written by a version that knew no sums, or by hand. Its shape is to be looked at then. */
  readonly isSealed: boolean;
}

/** @throws SyntaxError for what is no JSON, MirrorError ERR_TREE_CORRUPT for other text than was sealed */
export function unsealed(text: string): Unsealed {
  const at = text.lastIndexOf(',"sum":"');
  const sum = at < 0 ? undefined : seal.exec(text.slice(at))?.[1];
  if (sum === undefined) return { value: JSON.parse(text), isSealed: false };
  const body = text.slice(0, at);
  if (sumOf(body) !== sum) throw new MirrorError('ERR_TREE_CORRUPT', 'its text is not what its sum says');
  return { value: JSON.parse(`${body}}`), isSealed: true };
}

/** @returns null for what is not whole: to be used with a schema */
export function parseSealed(text: string): unknown {
  try {
    return unsealed(text).value;
  } catch {
    return null;
  }
}

function sumOf(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}
