/**
 * Tombstones: what was purged and is never mirrored again. Of a literal value only its length and a salted digest are kept:
 * enough to know it again where upstream says it, not to learn it from a backup.
 */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { listFolder, readIfPresent, writeAtomic } from './files.ts';
import type { DataPaths } from './paths.ts';

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** state/purged/<id>.json */
export const Tombstone = z.object({
  version: z.literal(1),
  id: z.string(),
  asked_at: z.string(),
  reason: z.string(),
  sha256: z.array(Sha256),
  literal: z.object({ length: z.int().min(1), salt: z.string(), digest: Sha256 }).nullable(),
  /** When nothing of it was left; null: still to be done. */
  done_at: z.string().nullable(),
});
export type Tombstone = z.infer<typeof Tombstone>;

export interface PurgeRequest {
  readonly sha256: readonly string[];
  readonly literal: Buffer | null;
  readonly reason: string;
}

export function newTombstone({ sha256, literal, reason }: PurgeRequest): Tombstone {
  const now = new Date().toISOString();
  return {
    version: 1,
    id: `${now.slice(0, 10)}-${randomUUID()}`,
    asked_at: now,
    reason,
    sha256: [...sha256],
    literal: literal === null ? null : sealed(literal),
    done_at: null,
  };
}

function sealed(literal: Buffer): NonNullable<Tombstone['literal']> {
  const salt = randomBytes(16).toString('hex');
  return { length: literal.length, salt, digest: saltedDigest(salt, literal) };
}

function saltedDigest(salt: string, bytes: Buffer): string {
  return createHash('sha256').update(salt).update(bytes).digest('hex');
}

export async function writeTombstone(paths: DataPaths, tombstone: Tombstone): Promise<void> {
  await writeAtomic(join(paths.purged, `${tombstone.id}.json`), `${JSON.stringify(tombstone)}\n`);
}

/** @throws for one that cannot be read: what it keeps out would come back */
export async function listTombstones(paths: DataPaths): Promise<Tombstone[]> {
  const tombstones: Tombstone[] = [];
  for (const { name } of await listFolder(paths.purged)) {
    const text = name.endsWith('.json') ? await readIfPresent(join(paths.purged, name)) : null;
    if (text !== null) tombstones.push(Tombstone.parse(JSON.parse(text)));
  }
  return tombstones;
}

/** Whether bytes may be mirrored; a look at the folder's time for each question, a reading when that has changed. */
export function createPurgedLookup(paths: DataPaths): (sha256: string) => boolean {
  let readAt = Number.NaN;
  let known = new Set<string>();
  return (sha256) => {
    const changed = statSync(paths.purged, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (changed !== readAt) {
      known = changed === 0 ? new Set() : readDigests(paths.purged);
      readAt = changed;
    }
    return known.has(sha256);
  };
}

function readDigests(folder: string): Set<string> {
  const names = readdirSync(folder).filter((name) => name.endsWith('.json') && !name.startsWith('.'));
  const all = names.map((name) => Tombstone.parse(JSON.parse(readFileSync(join(folder, name), 'utf8'))));
  return new Set(all.flatMap(({ sha256 }) => sha256));
}

const redacted = '[purged]';

/** Replaces purged values in every text of a JSON value. @returns the same value where there is none of them */
export function redactor(tombstones: readonly Tombstone[]): <T>(value: T) => T {
  const literals = tombstones.flatMap(({ literal }) => literal ?? []);
  if (literals.length === 0) return (value) => value;
  const clean = (value: unknown): unknown => {
    if (typeof value === 'string') return literals.reduce(redactText, value);
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) {
      const next = value.map(clean);
      return next.every((each, index) => each === value[index]) ? value : next;
    }
    const entries = Object.entries(value).map(([key, each]) => [key, clean(each), each] as const);
    if (entries.every(([, now, before]) => now === before)) return value;
    return Object.fromEntries(entries.map(([key, now]) => [key, now]));
  };
  return (value) => clean(value) as typeof value;
}

function redactText(text: string, { length, salt, digest }: NonNullable<Tombstone['literal']>): string {
  const bytes = Buffer.from(text);
  for (let at = 0; at + length <= bytes.length; at += 1) {
    if (saltedDigest(salt, bytes.subarray(at, at + length)) !== digest) continue;
    const rest = redactText(bytes.subarray(at + length).toString(), { length, salt, digest });
    return `${bytes.subarray(0, at).toString()}${redacted}${rest}`;
  }
  return text;
}
