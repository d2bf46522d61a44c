/** From where what may be asked, and how much at once: checked by Lighttpd before anything else. */
import type { EnvReader } from './env-reader.ts';
import { elements, parseProxies, parseRanges } from './values.ts';

export interface ReachSettings {
  /** Ranges of addresses, each with its length of bits: what these say of whom they ask for is believed. */
  readonly trustedProxies: readonly string[];
  /** Who may deliver webhooks; null: anybody who can prove them. */
  readonly webhooks: WebhookSenders | null;
  /** Who may exchange a CI job's token; null: anybody. */
  readonly ci: readonly string[] | null;
  /** Who may ask the API and MCP; null: anybody. */
  readonly api: readonly string[] | null;
  /** How many connections one address may have to one process of Lighttpd; null: any number. */
  readonly connections: number | null;
}

export interface WebhookSenders {
  readonly ranges: readonly string[];
  /** Also the addresses that Buildkite publishes. */
  readonly published: boolean;
}

export function readReach(read: EnvReader): ReachSettings {
  return {
    trustedProxies: read.optional('KITEMIRROR_TRUSTED_PROXIES', parseProxies) ?? [],
    webhooks: read.parsed('KITEMIRROR_WEBHOOK_ADDRESSES', 'any', parseSenders),
    ci: read.parsed('KITEMIRROR_CI_ADDRESSES', 'any', parseAny),
    api: read.parsed('KITEMIRROR_API_ADDRESSES', 'any', parseAny),
    connections: read.parsed('KITEMIRROR_CONNECTIONS_PER_ADDRESS', '512', parseConnections),
  };
}

function parseAny(value: string): readonly string[] | null {
  return value === 'any' ? null : parseRanges(value);
}

function parseSenders(value: string): WebhookSenders | null {
  if (value === 'any') return null;
  const names = elements(value);
  const others = names.filter((name) => name !== 'buildkite');
  const published = others.length < names.length;
  return { published, ranges: published && others.length === 0 ? [] : parseRanges(others.join(',')) };
}

function parseConnections(value: string): number | null {
  if (value === 'off') return null;
  const count = /^\d{1,6}$/.test(value) ? Number(value) : 0;
  if (count === 0) throw new Error(`is "${value}", neither a number of connections nor off`);
  return count;
}
