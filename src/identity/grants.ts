/**
 * The grants: policy, people, tokens and revocations worked out into what each subject may read. The gateway decides by
 * this table, and writes it as a file from which the gate decides.
 */
import { randomBytes } from 'node:crypto';
import { rangeBits } from '../addresses.ts';
import { isAbsent, withRanges } from '../tree/files.ts';
import type { DataPaths } from '../tree/paths.ts';
import type { Grant, PublicPaths, Rule } from './decide.ts';
import type { SealKey } from './seals.ts';
import { grantsFile } from './state.ts';
import type { Subject } from './subjects.ts';

export interface SubjectGrants {
  readonly kind: Subject['kind'];
  /** As logs call them. */
  readonly name: string;
  readonly issuer: string;
  /** Seconds since 1970: what was sealed for them then or earlier is void. 0: nothing is. */
  readonly since: number;
  readonly grants: readonly Grant[];
}

export interface NamedToken {
  /** Of the secret part, hex. */
  readonly sha256: string;
  /** Seconds since 1970. */
  readonly made: number;
  readonly expires: number;
  readonly subject: string;
}

export interface GrantTable {
  /** Seconds since 1970: when it was last known to be right. */
  readonly time: number;
  /** What was given out before is void. */
  readonly before: number;
  readonly keys: readonly SealKey[];
  /** What holds without signing in, and for everybody who has. */
  readonly everyone: readonly Grant[];
  readonly publics: readonly PublicPaths[];
  readonly subjects: ReadonlyMap<string, SubjectGrants>;
  /** By the id that stands in the token. */
  readonly tokens: ReadonlyMap<string, NamedToken>;
  /** Ids of sessions, exchanges, links and named tokens. */
  readonly revoked: ReadonlySet<string>;
}

/** Without a sign of life for so long, who could have been revoked is not let in. */
export const staleAfterSeconds = 15 * 60;

const firstLine = 'kitemirror-grants 1';
/** A file without it was cut short, and the gate keeps the one before. */
const lastLine = 'end';
/** As much of the file as its first two lines can take. */
const headBytes = 64;

/**
 * The second line tells one writing from another, so that the gate can see at a glance whether there is news.
 * One fact a line, its parts separated by tabs (none of them can hold one). Rules and ranges are numbered, as subjects
 * share them. lighttpd/grants.lua reads it.
 */
export function formatGrants(table: GrantTable): string {
  const lines = [firstLine, line('time', table.time, randomBytes(8).toString('hex')), line('before', table.before)];
  for (const { id, secret } of table.keys) lines.push(line('key', id, secret.toString('hex')));
  const ruleNumber = numbered<Rule>(
    (rule) => JSON.stringify([rule.organization, rule.pipeline, rule.pipelineId, rule.branches]),
    (rule, number) =>
      lines.push(
        line(
          'rule',
          number,
          rule.organization,
          rule.pipeline ?? '',
          rule.pipelineId ?? '',
          rule.branches === null ? 'all' : 'of',
          ...(rule.branches ?? []),
        ),
      ),
  );
  const rangeNumber = numbered<readonly string[]>(
    (ranges) => ranges.join(' '),
    (ranges, number) => lines.push(line('ranges', number, ...ranges.map(rangeBits))),
  );
  const refer = ({ rule, addresses }: Grant): string =>
    `${ruleNumber(rule)}${addresses === null ? '' : `@${rangeNumber(addresses)}`}`;
  const everyone = table.everyone.map(refer);
  lines.push(line('everyone', ...everyone));
  for (const { rule, paths } of table.publics) {
    const number = ruleNumber(rule);
    lines.push(line('public', number, ...paths));
  }
  for (const [id, { kind, name, issuer, since, grants }] of table.subjects) {
    const references = grants.map(refer);
    lines.push(line('subject', id, kind, since, oneLine(name), oneLine(issuer), ...references));
  }
  for (const [id, { sha256, made, expires, subject }] of table.tokens)
    lines.push(line('token', id, sha256, expires, subject, made));
  for (const id of table.revoked) lines.push(line('revoked', id));
  return `${lines.join('\n')}\n${lastLine}\n`;
}

/**
 * When the grants that the gate reads were last known to be right, in ms since 1970: their own word, since the file is also
 * written while nobody can tell what is revoked. null: there is no such file, or it does not begin as grants do.
 */
export async function grantsRightAt(paths: Pick<DataPaths, 'identity'>): Promise<number | null> {
  try {
    const head = await withRanges(grantsFile(paths), (read) => read(0, headBytes));
    const [, time] = /^kitemirror-grants 1\ntime\t(\d+)\t/.exec(head.toString()) ?? [];
    return time === undefined ? null : Number(time) * 1000;
  } catch (thrown) {
    if (isAbsent(thrown)) return null;
    throw thrown;
  }
}

function line(...parts: readonly (string | number)[]): string {
  return parts.join('\t');
}

/** What an identity provider calls somebody may be any text. */
function oneLine(text: string): string {
  return text.toWellFormed().replaceAll(/\p{Cc}/gu, ' ') || '-';
}

function numbered<T>(keyOf: (value: T) => string, onNew: (value: T, number: number) => void): (value: T) => number {
  const numbers = new Map<string, number>();
  return (value) => {
    const key = keyOf(value);
    const known = numbers.get(key);
    if (known !== undefined) return known;
    const number = numbers.size + 1;
    numbers.set(key, number);
    onNew(value, number);
    return number;
  };
}
