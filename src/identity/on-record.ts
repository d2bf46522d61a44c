/** What the access log and the audit say together: who, what, when, in one order and in one form. */
import { join } from 'node:path';
import { accessEntries, decodedPath, loggedText } from '../tree/access-log.ts';
import { auditParts } from '../tree/audit.ts';
import { type JsonLine, jsonLines, type OnFault } from '../tree/json-lines.ts';
import type { DataPaths } from '../tree/paths.ts';
import { matchesWildcard } from './wildcard.ts';

export interface Recorded {
  readonly time: string;
  readonly log: 'access' | 'audit';
  /** The request's method, or what the audit calls it. */
  readonly action: string;
  readonly who: string | null;
  /** The operating system's user who ran a command. */
  readonly by: string | null;
  readonly kind: string | null;
  readonly issuer: string | null;
  readonly address: string | null;
  /** A path of the mirror where there is one. */
  readonly what: string | null;
  readonly status: number | null;
  readonly bytes: number | null;
  readonly decision: string | null;
  readonly reason: string | null;
  readonly request: string | null;
  /** Of a session, exchange, link or token. */
  readonly id: string | null;
  readonly sha256: string | null;
  /** Only in the audit. */
  readonly claims: unknown;
}

export interface Asked {
  /** A name, an operator's, an address, a session's, link's or token's id; null: anybody. `*` stands for any characters. */
  readonly who: string | null;
  /** A path and all below it, a digest, or an action; null: anything. `*` stands for any characters. */
  readonly what: string | null;
  /** ms since 1970 */
  readonly since: number;
  /** A part that breaks off or cannot be read; the others are read all the same. */
  readonly onFault: OnFault;
}

/** Both logs at once, the oldest entry first as far as each log keeps to its order; one entry of each is held at a time. */
export async function* recorded(paths: DataPaths, asked: Asked): AsyncGenerator<Recorded> {
  const [access, audit] = [fromAccess(paths, asked), fromAudit(paths, asked)];
  let [left, right] = [await access.next(), await audit.next()];
  while (left.done !== true || right.done !== true) {
    if (right.done === true || (left.done !== true && left.value.time <= right.value.time)) {
      if (left.done !== true) yield left.value;
      left = await access.next();
    } else {
      yield right.value;
      right = await audit.next();
    }
  }
}

async function* fromAccess(paths: DataPaths, asked: Asked): AsyncGenerator<Recorded> {
  for await (const entry of accessEntries(paths, asked)) {
    const url = loggedText(entry['url']);
    const answer: Recorded = {
      ...common(entry),
      time: loggedText(entry['ts']) ?? '',
      log: 'access',
      action: loggedText(entry['method']) ?? '',
      who: loggedText(entry['subject']),
      address: loggedText(entry['ip']),
      what: url === null ? null : decodedPath(url),
      status: numberOf(entry['status']),
      request: loggedText(entry['id']),
      id: null,
    };
    if (isAsked(answer, asked)) yield answer;
  }
}

async function* fromAudit(paths: DataPaths, asked: Asked): AsyncGenerator<Recorded> {
  const first = new Date(asked.since).toISOString().slice(0, 7);
  for (const { name } of auditParts(paths).filter(({ month }) => month >= first)) {
    for await (const entry of jsonLines(join(paths.audit, name), asked.onFault)) {
      const answer: Recorded = {
        ...common(entry),
        time: loggedText(entry['time']) ?? '',
        log: 'audit',
        action: loggedText(entry['action']) ?? '',
        who: loggedText(entry['who']),
        address: loggedText(entry['address']),
        what: buildPath(entry) ?? loggedText(entry['what']),
        status: null,
        request: loggedText(entry['request']),
        id: loggedText(entry['id']),
      };
      if (isAsked(answer, asked)) yield answer;
    }
  }
}

function common(
  entry: JsonLine,
): Pick<Recorded, 'by' | 'kind' | 'issuer' | 'bytes' | 'decision' | 'reason' | 'sha256' | 'claims'> {
  return {
    by: loggedText(entry['by']),
    kind: loggedText(entry['kind']),
    issuer: loggedText(entry['issuer']),
    bytes: numberOf(entry['bytes']),
    decision: loggedText(entry['decision']),
    reason: loggedText(entry['reason']),
    sha256: loggedText(entry['sha256']),
    claims: entry['claims'] ?? null,
  };
}

/** Lighttpd writes a count that may be missing as text. */
function numberOf(value: unknown): number | null {
  const number = typeof value === 'number' ? value : Number(loggedText(value) ?? Number.NaN);
  return Number.isFinite(number) ? number : null;
}

function buildPath({ organization, pipeline, number }: JsonLine): string | null {
  if (typeof organization !== 'string' || typeof pipeline !== 'string') return null;
  return `/${organization}/${pipeline}${typeof number === 'number' ? `/builds/${number}` : ''}`;
}

function isAsked(entry: Recorded, { who, what, since }: Asked): boolean {
  if (since > 0 && !(Date.parse(entry.time) >= since)) return false;
  const names = [entry.who, entry.by, entry.address, entry.id];
  if (who !== null && !names.some((name) => name !== null && matchesWildcard(who.toLowerCase(), name.toLowerCase())))
    return false;
  if (what === null) return true;
  if ([entry.action, entry.sha256].some((each) => each !== null && matchesWildcard(what, each))) return true;
  if (entry.what === null) return false;
  const path = `/${what.replace(/^\/|\/$/g, '')}`;
  return matchesWildcard(path, entry.what) || matchesWildcard(`${path}/*`, entry.what);
}
