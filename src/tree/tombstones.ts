/**
 * Tombstones: what was purged and is never mirrored again. Of a literal value only its length and sums of it are kept: enough
 * to know it again where upstream says it and in what comes in, not to learn it from a backup.
 */
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { ArtifactFacts, ArtifactRecord } from '../model.ts';
import { listFolder, readIfPresent, writeAtomic } from './files.ts';
import type { DataPaths } from './paths.ts';
import { indexOfValue, SealedValue, sealValue, ValueFinder } from './sealed-values.ts';
import { throughStaging } from './temporary.ts';

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** state/purged/<id>.json */
export const Tombstone = z.object({
  version: z.literal(1),
  id: z.string(),
  asked_at: z.string(),
  reason: z.string(),
  sha256: z.array(Sha256),
  literal: SealedValue.nullable(),
  /** Files of jobs that were removed for it, as far as it was come. */
  files: z.int().default(0),
  /** Builds that are being changed, `<organization>/<folder>/<number>`: what is derived of them may be behind their records. */
  begun: z.array(z.string()).default([]),
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
    literal: literal === null ? null : sealValue(literal),
    files: 0,
    begun: [],
    done_at: null,
  };
}

export async function writeTombstone(paths: DataPaths, tombstone: Tombstone): Promise<void> {
  await writeAtomic(
    join(paths.purged, `${tombstone.id}.json`),
    `${JSON.stringify(tombstone)}\n`,
    throughStaging(paths),
  );
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

/** @returns null where there is none of that id */
export async function readTombstone(paths: DataPaths, id: string): Promise<Tombstone | null> {
  const text = await readIfPresent(join(paths.purged, `${id}.json`));
  return text === null ? null : Tombstone.parse(JSON.parse(text));
}

export interface PurgedLookup {
  /** Whether bytes of this digest were purged. */
  isPurged(sha256: string): boolean;
  /** The same array as long as they are the same. */
  values(): readonly SealedValue[];
  /** Looks for purged values in what comes in; null where there are none. */
  newFinder(): ValueFinder | null;
}

/** What may be mirrored; a look at the folder's time for each question, a reading when that has changed. */
export function createPurgedLookup(paths: DataPaths): PurgedLookup {
  let readAt = Number.NaN;
  let known = { digests: new Set<string>(), values: [] as readonly SealedValue[] };
  const current = (): typeof known => {
    const changed = statSync(paths.purged, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (changed !== readAt) {
      const tombstones = changed === 0 ? [] : readAll(paths.purged);
      const values = tombstones.flatMap(({ literal }) => literal ?? []);
      const isSame = JSON.stringify(values) === JSON.stringify(known.values);
      known = { digests: new Set(tombstones.flatMap(({ sha256 }) => sha256)), values: isSame ? known.values : values };
      readAt = changed;
    }
    return known;
  };
  return {
    isPurged: (sha256) => current().digests.has(sha256),
    values: () => current().values,
    newFinder: () => {
      const { values } = current();
      return values.length === 0 ? null : new ValueFinder(values);
    },
  };
}

function readAll(folder: string): Tombstone[] {
  const names = readdirSync(folder).filter((name) => name.endsWith('.json') && !name.startsWith('.'));
  return names.map((name) => Tombstone.parse(JSON.parse(readFileSync(join(folder, name), 'utf8'))));
}

const redacted = '[purged]';

export type Redact = <T>(value: T) => T;

/** Replaces purged values in every text of a JSON value. @returns the same value where there is none of them */
export function redactor(tombstones: readonly Tombstone[]): Redact {
  return redactorOf(tombstones.flatMap(({ literal }) => literal ?? []));
}

export function redactorOf(literals: readonly SealedValue[]): Redact {
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

/**
 * What upstream lists, as it may be planned and recorded: a file whose name holds a purged value is none to fetch. One that is
 * still present under such a name stays as it is, for the purge to take away: it knows its file by that name.
 */
export function withoutPurgedNames(
  listed: readonly ArtifactFacts[],
  known: readonly ArtifactRecord[],
  redact: Redact,
): ArtifactFacts[] {
  const present = new Map(known.filter(({ state }) => state === 'present').map(({ id, path }) => [id, path]));
  return listed.map((facts) => {
    const path = redact(facts.path);
    return path === facts.path || present.get(facts.id) === facts.path ? facts : { ...facts, path, purged: true };
  });
}

function redactText(text: string, value: SealedValue): string {
  let rest: Buffer = Buffer.from(text);
  const pieces: string[] = [];
  for (let at = indexOfValue(rest, value); at !== -1; at = indexOfValue(rest, value)) {
    pieces.push(rest.subarray(0, at).toString());
    rest = rest.subarray(at + value.length);
  }
  return pieces.length === 0 ? text : [...pieces, rest.toString()].join(redacted);
}
