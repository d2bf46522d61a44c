/**
 * What retention is told: a policy from the settings, and rules for some pipelines and branches from one small file. The
 * last rule that fits a build decides about it; what that rule leaves out is as the settings have it.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import type { EnvReader } from './env-reader.ts';
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
export function readRetention(read: EnvReader, base: string, reads: boolean): RetentionPolicy {
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
  const rules = read.optional(`${name}_RULES`, (file) => (reads ? readRules(resolve(base, file), settings) : []));
  return { rules: [settings, ...(rules ?? [])], maxBytes: read.parsed(`${name}_BYTES`, 'none', parseLimit) };
}

function wordsOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
