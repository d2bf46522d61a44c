/** How a setting's text becomes a value. Each parser throws what continues the sentence «NAME …». */
import { parseRange } from '../addresses.ts';
import { Slug } from '../model.ts';

export type Listen = { readonly path: string } | { readonly host: string; readonly port: number };

/** One comma-separated element; the last that matches decides. */
export interface GlobRule {
  readonly pattern: string;
  readonly include: boolean;
}

export function parseSlug(value: string): string {
  if (!Slug.safeParse(value).success) throw new Error('is not a Buildkite slug (letters, digits, "-", "_", ".")');
  return value;
}

export function parseUrl(value: string): URL {
  const url = URL.canParse(value) ? new URL(value) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) throw new Error(`is "${value}", not an http(s) URL`);
  if (url.username !== '' || url.search !== '' || url.hash !== '') {
    throw new Error('must hold no user name, query or fragment');
  }
  return url;
}

export function parseHosts(value: string): string[] {
  const hosts = elements(value).map((host) => host.toLowerCase());
  if (hosts.length === 0) throw new Error('names no host');
  for (const host of hosts) {
    const name = host.replace(/^\*\./, '').replace(/:(\d{1,5})$/, '');
    const port = Number(/:(\d{1,5})$/.exec(host)?.[1] ?? 1);
    if (port < 1 || port > 65_535) throw new Error(`has "${host}", whose port is not one`);
    if (!/^(\[[0-9a-f:]+\]|[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?)$/.test(name)) {
      throw new Error(`has "${host}", which is neither "host", "host:port" nor "*.domain"`);
    }
  }
  return hosts;
}

/** Addresses and ranges, each with its length of bits: `10.0.0.7/32`, `2001:db8::/32`. */
export function parseRanges(value: string): string[] {
  const ranges = elements(value);
  if (ranges.length === 0) throw new Error('names no address');
  return ranges.map(asRange);
}

function asRange(text: string): string {
  try {
    const { address, bits } = parseRange(text);
    return `${address}/${bits}`;
  } catch {
    throw new Error(`has "${text}", not an address or a range such as 10.0.0.0/8 or 2001:db8::/32`);
  }
}

/** Proxies whose word about others is believed. */
export function parseProxies(value: string): string[] {
  const ranges = parseRanges(value);
  const all = ranges.find((range) => range.endsWith('/0'));
  if (all !== undefined) throw new Error(`has "${all}", by which anybody may say to be anybody`);
  return ranges;
}

export function parseGlobs(value: string): GlobRule[] {
  const rules = elements(value).map((element) =>
    element.startsWith('!') ? { pattern: element.slice(1), include: false } : { pattern: element, include: true },
  );
  if (rules.length === 0 || rules.some((rule) => rule.pattern === '')) throw new Error('has an empty pattern');
  // "!x" alone means "all but x": without this it would mean nothing at all.
  return rules[0]?.include === false ? [{ pattern: '**', include: true }, ...rules] : rules;
}

export function parseBytes(value: string): number {
  const match = /^(\d+)\s*(?:([KMGT])i?B?)?$/i.exec(value);
  if (match === null) throw new Error('is not a number of bytes (500000, 10GiB, …)');
  const power = ' KMGT'.indexOf((match[2] ?? ' ').toUpperCase());
  const bytes = Number(match[1]) * 1024 ** power;
  if (!Number.isSafeInteger(bytes)) throw new Error('is too large');
  return bytes;
}

/** Bytes a second, or `off`. */
export function parseRate(value: string): number | null {
  if (value === 'off') return null;
  const bytes = parseBytes(value);
  if (bytes === 0) throw new Error('is 0; "off" switches it off');
  return bytes;
}

/**
 * `https://*.example.com`, with a port where it has one, or `off`. It must be another site than the mirror: no host of it
 * may be the mirror's, be asked with the mirror's cookies, or set cookies that the mirror is sent.
 * @param mirror KITEMIRROR_URL; null where that is at fault itself
 */
export function parseContentUrl(value: string, mirror: URL | null): string | null {
  if (value === 'off') return null;
  const content = parseWildcard(value);
  if (mirror === null) return null;
  if (content.protocol !== mirror.protocol)
    throw new Error(`begins with ${content.protocol}// and KITEMIRROR_URL with ${mirror.protocol}//; they must agree`);
  const [domain, host] = [content.hostname, mirror.hostname];
  const related = domain === host || domain.endsWith(`.${host}`) || host.endsWith(`.${domain}`);
  // Browsers keep no cookie for all of localhost.
  if (related && domain !== 'localhost')
    throw new Error(`and KITEMIRROR_URL (${host}) share a domain, so that reports could set the mirror's cookies`);
  return content.origin.replace('://', '://*.');
}

/** @returns the URL without the wildcard */
function parseWildcard(value: string): URL {
  const plain = value.replace(/^(https?:\/\/)\*\./i, '$1');
  const url = plain !== value && URL.canParse(plain) ? new URL(plain) : null;
  // A host alone, of letters: no address, no second wildcard, nothing behind it.
  const isHost =
    url !== null && url.href === `${url.origin}/` && /^([a-z0-9-]+\.)*(?!\d+$)[a-z0-9-]+$/.test(url.hostname);
  if (!isHost)
    throw new Error(`is "${value}", neither a URL with a wildcard host alone (https://*.example.com) nor off`);
  return url;
}

/** Names of this machine to itself. */
export const loopbackNames = ['127.0.0.1', 'localhost', '[::1]'];

/** Whether who listens there is reached from this machine alone. @param host as `parseHostPort` has it */
export function isLoopbackHost(host: string): boolean {
  return /^(127\.\d+\.\d+\.\d+|::1|localhost)$/.test(host);
}

export function parseRedisUrl(value: string): string {
  if (!/^(rediss?:\/\/.+|unix:\/\/\/.+)$/.test(value)) throw new Error('is not redis://, rediss:// or unix:///path');
  return value;
}

export function parseListen(value: string): Listen {
  if (value.startsWith('unix:')) {
    const path = value.slice('unix:'.length).replace(/^\/\//, '');
    if (!path.startsWith('/')) throw new Error('needs an absolute path after "unix:"');
    if (Buffer.byteLength(path) > 107) throw new Error('is longer than the 107 bytes a socket path may have');
    return { path };
  }
  return parseHostPort(value);
}

export function parseHostPort(value: string): { host: string; port: number } {
  const match = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/.exec(value);
  const port = Number(match?.[2]);
  if (match === null || port < 1 || port > 65_535) throw new Error('is not host:port (127.0.0.1:8080, [::1]:8080)');
  return { host: (match[1] ?? '').replace(/^\[|\]$/g, ''), port };
}

export function elements(value: string): string[] {
  return value
    .split(',')
    .map((element) => element.trim())
    .filter((element) => element !== '');
}
