/**
 * The bytes of artifacts and logs: held as they are, or made from a seed when they are sent, so that an artifact of
 * many GiB, or fifty thousand small ones, cost no memory. Any range can be made without what comes before it.
 */
import { createCipheriv, createHash, hash } from 'node:crypto';

/** Bytes as they are · `size` bytes that the seed decides · `size` bytes of one text again and again. */
export type Content =
  | Uint8Array
  | { readonly seed: string; readonly size: number }
  | { readonly repeat: Uint8Array; readonly size: number };

export interface Bytes {
  readonly size: number;
  /** The bytes from `start` up to, not including, `end`, in pieces of at most about 1 MiB. */
  readonly slices: (start: number, end: number) => Iterable<Uint8Array>;
}

/** A prime, so that a resumed download at a wrong offset never happens to fit. */
const period = 1_048_573;
const noise = makeNoise();
const headBytes = 32;

export function sizeOf(content: Content): number {
  return content instanceof Uint8Array ? content.length : content.size;
}

export function bytesOf(content: Content): Bytes {
  if (content instanceof Uint8Array)
    return { size: content.length, slices: (start, end) => pieces(content, start, end) };
  if ('repeat' in content) {
    const { repeat, size } = content;
    return { size, slices: (start, end) => cycle(repeat, start, end) };
  }
  return seededBytes(content.seed, content.size);
}

/** All of it at once, for small contents. */
export function readAll(content: Content): Buffer {
  const bytes = bytesOf(content);
  return Buffer.concat([...bytes.slices(0, bytes.size)]);
}

const caches = { sha1: new WeakMap<Content, string>(), sha256: new WeakMap<Content, string>() };

/** Lower-case hex; remembered for each content object. */
export function sha1Of(content: Content): string {
  return remembered(content, 'sha1');
}

export function sha256Of(content: Content): string {
  return remembered(content, 'sha256');
}

function remembered(content: Content, algorithm: 'sha1' | 'sha256'): string {
  let digest = caches[algorithm].get(content);
  if (digest === undefined) {
    digest = digestOf(content, algorithm);
    caches[algorithm].set(content, digest);
  }
  return digest;
}

export function digestOf(content: Content, algorithm: 'sha1' | 'sha256'): string {
  if (content instanceof Uint8Array) return hash(algorithm, content, 'hex');
  const bytes = bytesOf(content);
  if (bytes.size <= 65_536) return hash(algorithm, readAll(content), 'hex');
  const digest = createHash(algorithm);
  for (const slice of bytes.slices(0, bytes.size)) digest.update(slice);
  return digest.digest('hex');
}

/** 32 bytes that are the seed's digest, then the common noise from a place that the seed decides. */
function seededBytes(seed: string, size: number): Bytes {
  const head = hash('sha256', seed, 'buffer');
  const phase = head.readUInt32LE(0) % period;
  return {
    size,
    *slices(start, end) {
      if (start < headBytes) yield head.subarray(start, Math.min(headBytes, end));
      const from = Math.max(start, headBytes);
      if (from < end) yield* cycle(noise, from + phase, end + phase);
    },
  };
}

const pieceBytes = 1 << 20;

function* pieces(whole: Uint8Array, start: number, end: number): Generator<Uint8Array> {
  for (let at = start; at < end; at += pieceBytes) yield whole.subarray(at, Math.min(at + pieceBytes, end));
}

function* cycle(unit: Uint8Array, start: number, end: number): Generator<Uint8Array> {
  for (let at = start; at < end; ) {
    const offset = at % unit.length;
    const length = Math.min(unit.length - offset, end - at);
    yield unit.subarray(offset, offset + length);
    at += length;
  }
}

function makeNoise(): Buffer {
  const cipher = createCipheriv('aes-128-ctr', Buffer.from('kitemirror-noise'), Buffer.alloc(16));
  return cipher.update(Buffer.alloc(period));
}
