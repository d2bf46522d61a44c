/** Identifiers as Buildkite makes them: time-ordered uuids, and the GraphQL ids derived from them. No randomness. */
import { hash } from 'node:crypto';

/**
 * A uuid whose first 48 bits are a time, like Buildkite's since 2022 (`018fd828-7bce-4c40-…`).
 * @param seed the same seed and time give the same uuid
 * @param time milliseconds since 1970
 */
export function uuidFrom(seed: string, time: number): string {
  const digest = hash('sha256', seed, 'hex');
  const clock = Math.floor(time).toString(16).padStart(12, '0').slice(-12);
  const variant = '89ab'[Number.parseInt(digest.slice(3, 4), 16) % 4] ?? '8';
  return `${clock.slice(0, 8)}-${clock.slice(8)}-4${digest.slice(0, 3)}-${variant}${digest.slice(4, 7)}-${digest.slice(7, 19)}`;
}

export function commitFrom(seed: string): string {
  return hash('sha1', seed, 'hex');
}

/** `Build---<uuid>` in base 64, as in recorded answers. */
export function graphqlId(type: string, id: string): string {
  return Buffer.from(`${type}---${id}`).toString('base64');
}
