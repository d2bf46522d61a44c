/** Who can read, and from where: what nobody should find out by accident. */
import type { Config } from '../config.ts';
import { isLoopbackHost, loopbackNames } from './values.ts';

export interface Exposure {
  /** No identity is set up: whoever reaches the mirror reads everything. */
  readonly isOpen: boolean;
  /** How others than this machine may reach it; null: not, as far as the settings tell. */
  readonly beyond: string | null;
}

export function exposureOf({ identity, listen, url, reach }: Config): Exposure {
  return { isOpen: identity === null, beyond: beyondLoopback(listen.host, url, reach.trustedProxies) };
}

/** One sentence for the start and the doctor. */
export function describeExposure({ isOpen, beyond }: Exposure): string {
  const where = beyond === null ? 'only this machine reaches it' : `it is reached from beyond this machine (${beyond})`;
  return isOpen
    ? `open: no identity is set up, whoever reaches it reads everything; ${where}`
    : `nothing is read but what the policy allows; ${where}`;
}

function beyondLoopback(host: string, url: URL, proxies: readonly string[]): string | null {
  if (!isLoopbackHost(host)) return `KITEMIRROR_LISTEN is on ${host}`;
  if (!loopbackNames.includes(url.hostname)) return `KITEMIRROR_URL is ${url.origin}`;
  return proxies.length > 0 ? 'KITEMIRROR_TRUSTED_PROXIES is set' : null;
}
