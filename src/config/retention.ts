/**
 * What retention is told: a policy from the settings, and rules for some pipelines and branches from one small file, which
 * is read again when it changes. The last rule that fits a build decides about it; what that rule leaves out is as the
 * settings have it.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import type { EnvReader } from './env-reader.ts';
import { versionOf } from './secret.ts';
import { type GlobRule, parseBytes, parseGlobs } from './values.ts';

/** null: no limit. */
export interface Limits {
  readonly ageMs: number | null;
  /** Builds of one branch that keep theirs, the newest first. */
  readonly count: number | null;
}

export interface RetentionRule {
  /** As reasons name it: the setting's or the rule's place. */
  readonly name: string;
  readonly pipelines: readonly GlobRule[];
  readonly branches: readonly GlobRule[];
  /** null: builds of any state. */
  readonly states: readonly string[] | null;
  readonly artifacts: Limits;
  readonly logs: Limits;
  /** The whole build, its records too. */
  readonly builds: Limits;
  /** So many passed builds of each branch stay, and what `latest?state=any` and `failed` lead to; 0: none. */
  readonly keepLatest: number;
}

export interface RetentionPolicy {
  /** The first is of the settings and fits every build. */
  readonly rules: readonly RetentionRule[];
  /** Bytes that blobs may take on the disk; null: no limit. */
  readonly maxBytes: number | null;
}

export interface RetentionSettings extends RetentionPolicy {
  /** Where the rules after the first are from, absolute; null: there are none. */
  readonly file: string | null;
}

const dayMs = 86_400_000;
const units: Readonly<Record<string, number>> = { h: 3_600_000, d: dayMs, w: 7 * dayMs, y: 365 * dayMs };

/** `90d`, `12h`, `8w`, `2y`, or `never`. @returns milliseconds */
export function parseAge(value: string): number | null {
  if (value === 'never') return null;
  const [, digits, unit = ''] = /^(\d{1,6})([hdwy])$/.exec(value) ?? [];
  if (digits === undefined) throw new Error(`is "${value}", neither an age (12h, 90d, 8w, 2y) nor "never"`);
  if (Number(digits) === 0) throw new Error(`is "${value}", which would remove everything at once`);
  return Number(digits) * (units[unit] ?? dayMs);
}

/** How a person writes an age. */
export function formatAge(ms: number): string {
  const unit = ['y', 'w', 'd', 'h'].find((name) => ms % (units[name] ?? 1) === 0) ?? 'h';
  return `${Math.round(ms / (units[unit] ?? 1))}${unit}`;
}

export function parseCount(value: string): number | null {
  if (value === 'all') return null;
  if (!/^\d{1,9}$/.test(value) || Number(value) === 0)
    throw new Error(`is "${value}", neither a number from 1 on nor "all"`);
  return Number(value);
}

/** `500GiB`, or `none`. */
export function parseLimit(value: string): number | null {
  if (value === 'none') return null;
  const bytes = parseBytes(value);
  if (bytes === 0) throw new Error(`is "${value}", which would remove everything; "none" sets no limit`);
  return bytes;
}

const Part = z.strictObject({
  age: z.string().optional(),
  count: z.union([z.int().min(1), z.literal('all')]).optional(),
});
const RulesFile = z.strictObject({
  rules: z.array(
    z.strictObject({
      pipelines: z.string().default('*'),
      branches: z.string().default('*'),
      states: z.array(z.string()).min(1).optional(),
      artifacts: Part.default({}),
      logs: Part.default({}),
      builds: Part.default({}),
      keep_latest: z.int().min(0).optional(),
    }),
  ),
});

/**
 * @param base what a rule leaves out
 * @throws Error that names the file's fault
 */
export function readRules(file: string, base: RetentionRule): RetentionRule[] {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (thrown) {
    throw new Error(`names ${file}, which cannot be read: ${wordsOf(thrown)}`, { cause: thrown });
  }
  const parsed = RulesFile.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new Error(`names ${file}, where ${issue?.path.join('.') || 'the whole'} is wrong: ${issue?.message ?? ''}`);
  }
  return parsed.data.rules.map((rule, index) => {
    const name = `rules[${index}]`;
    const told = <T>(field: string, parse: () => T): T => {
      try {
        return parse();
      } catch (thrown) {
        throw new Error(`names ${file}, where ${name}.${field} ${wordsOf(thrown)}`, { cause: thrown });
      }
    };
    const limits = (part: 'artifacts' | 'logs' | 'builds'): Limits => {
      const { age, count } = rule[part];
      return {
        ageMs: age === undefined ? base[part].ageMs : told(`${part}.age`, () => parseAge(age)),
        count: count === undefined ? base[part].count : count === 'all' ? null : count,
      };
    };
    return {
      name,
      pipelines: told('pipelines', () => parseGlobs(rule.pipelines)),
      branches: told('branches', () => parseGlobs(rule.branches)),
      states: rule.states ?? null,
      artifacts: limits('artifacts'),
      logs: limits('logs'),
      builds: limits('builds'),
      keepLatest: rule.keep_latest ?? base.keepLatest,
    };
  });
}

/** @param base folder that a relative path starts from · @param reads whether this program needs the rules of the file */
export function readRetention(read: EnvReader, base: string, reads: boolean): RetentionSettings {
  const name = 'KITEMIRROR_RETENTION';
  const settings: RetentionRule = {
    name,
    pipelines: parseGlobs('*'),
    branches: parseGlobs('*'),
    states: null,
    artifacts: {
      ageMs: read.parsed(`${name}_ARTIFACTS_AGE`, 'never', parseAge),
      count: read.parsed(`${name}_ARTIFACTS_COUNT`, 'all', parseCount),
    },
    logs: { ageMs: read.parsed(`${name}_LOGS_AGE`, 'never', parseAge), count: null },
    builds: { ageMs: read.parsed(`${name}_BUILDS_AGE`, 'never', parseAge), count: null },
    keepLatest: read.integer(`${name}_KEEP_LATEST`, 1, 0, 1_000_000),
  };
  const given = read.optional(`${name}_RULES`, (text) => {
    const file = resolve(base, text);
    return { file, rules: reads ? readRules(file, settings) : [] };
  });
  const maxBytes = read.parsed(`${name}_BYTES`, 'none', parseLimit);
  return { rules: [settings, ...(given?.rules ?? [])], maxBytes, file: given?.file ?? null };
}

const fileCheckMs = 1000;

/**
 * The policy in force: what the settings say stays until the end, the rules are those of the file as it is now (looked at
 * once a second, when it is asked for). The same policy is the same object.
 * @param onRead told of other rules: null, or why they cannot be used and the last good ones stay in force
 */
export function followPolicy(first: RetentionSettings, onRead: (fault: string | null) => void): () => RetentionPolicy {
  const { file } = first;
  const [settings] = first.rules;
  if (file === null || settings === undefined) return () => first;
  let policy = first;
  let seen = '';
  let lookedAt = Number.NEGATIVE_INFINITY;
  return () => {
    if (performance.now() - lookedAt < fileCheckMs) return policy;
    lookedAt = performance.now();
    const version = seenVersion(file);
    if (version === seen) return policy;
    seen = version;
    try {
      const next = { ...first, rules: [settings, ...readRules(file, settings)] };
      if (JSON.stringify(next) === JSON.stringify(policy)) return policy;
      policy = next;
      onRead(null);
    } catch (thrown) {
      onRead(wordsOf(thrown));
    }
    return policy;
  };
}

/** One that cannot be looked at is told of once. */
function seenVersion(file: string): string {
  try {
    return versionOf(file);
  } catch (thrown) {
    return wordsOf(thrown);
  }
}

/** A policy as pairs of a setting or a place in the rules and what it says, for people and to compare two of them. */
export type PolicyWords = Readonly<Record<string, string>>;

export function wordsOfPolicy({ rules, maxBytes }: RetentionPolicy): PolicyWords {
  const words: [string, string][] = [['KITEMIRROR_RETENTION_BYTES', maxBytes === null ? 'none' : String(maxBytes)]];
  for (const [index, rule] of rules.entries()) {
    const { artifacts, logs, builds, keepLatest, states } = rule;
    const of = (setting: string, field: string): string =>
      index === 0 ? `KITEMIRROR_RETENTION_${setting}` : `KITEMIRROR_RETENTION_RULES rules[${index - 1}].${field}`;
    for (const [name, { ageMs, count }] of Object.entries({ artifacts, logs, builds })) {
      words.push([of(`${name.toUpperCase()}_AGE`, `${name}.age`), ageMs === null ? 'never' : formatAge(ageMs)]);
      words.push([of(`${name.toUpperCase()}_COUNT`, `${name}.count`), count === null ? 'all' : String(count)]);
    }
    words.push([of('KEEP_LATEST', 'keep_latest'), String(keepLatest)]);
    if (index === 0) continue;
    const globs = (of: readonly GlobRule[]): string =>
      of.map(({ pattern, include }) => `${include ? '' : '!'}${pattern}`).join(',');
    words.push([of('', 'pipelines'), globs(rule.pipelines)], [of('', 'branches'), globs(rule.branches)]);
    words.push([of('', 'states'), states === null ? 'any' : states.join(',')]);
  }
  return Object.fromEntries(words);
}

export interface PolicyDifference {
  readonly setting: string;
  readonly here: string;
  readonly worker: string;
}

export function comparePolicies(here: PolicyWords, worker: PolicyWords): PolicyDifference[] {
  const absent = 'no such rule';
  return [...new Set([...Object.keys(here), ...Object.keys(worker)])]
    .map((setting) => ({ setting, here: here[setting] ?? absent, worker: worker[setting] ?? absent }))
    .filter((each) => each.here !== each.worker);
}

function wordsOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
