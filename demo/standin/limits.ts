/**
 * Buildkite's request limits: of the REST API for an organization and for a token's owner, of all portals of an
 * organization. Headers and the body of a refusal as documented in 2026; refused requests count too (`current` above
 * `limit`).
 */
import { type Answer, refusal } from './answer.ts';
import { type Window, Windows } from './windows.ts';

export interface Limits {
  /** Requests in a window; null: as many as one likes. */
  readonly organization: number | null;
  readonly user: number | null;
  readonly windowMs: number;
  /** Digits after the point of `reset`, 0 unless told: Buildkite has whole seconds, which say little of a short window. */
  readonly resetDigits?: number;
}

export const documentedLimits: Limits = { organization: 200, user: 50, windowMs: 60_000 };

export interface PortalLimits {
  /** Of all portals of the organization together. */
  readonly requests: number;
  readonly windowMs: number;
  readonly resetDigits?: number;
}

export const documentedPortalLimits: PortalLimits = { requests: 200, windowMs: 60_000 };

export interface Verdict {
  readonly headers: Record<string, string>;
  readonly refused: Answer | null;
}

/** The scope's name in bodies, and what its headers begin with. */
const scopes = { organization: ['rest', 'RateLimit'], user: ['rest_user', 'RateLimit-User'] } as const;

export class Limiter {
  limits: Limits;
  readonly #windows: Windows;

  constructor(limits: Limits, now: () => number) {
    this.limits = limits;
    this.#windows = new Windows(now);
  }

  /** Forgets what was used, as when a window ends. */
  reset(): void {
    this.#windows.clear();
  }

  /** Uses up part of a limit, as people and other programs do. */
  spend(user: string, requests: number): void {
    this.#window('organization', '').current += requests;
    this.#window('user', user).current += requests;
  }

  /** Counts a request of that user's; there is one organization. */
  count(user: string): Verdict {
    const headers: Record<string, string> = {};
    const byOrganization = this.#countOne('organization', '', headers);
    const byUser = this.#countOne('user', user, headers);
    return { headers, refused: byOrganization ?? byUser };
  }

  #countOne(kind: 'organization' | 'user', name: string, headers: Record<string, string>): Answer | null {
    const limit = this.limits[kind];
    if (limit === null) return null;
    const [scope, prefix] = scopes[kind];
    const window = this.#window(kind, name);
    return take(window, limit, this.#windows.reset(window, this.limits.resetDigits), scope, prefix, headers);
  }

  #window(kind: 'organization' | 'user', name: string): Window {
    return this.#windows.open(`${kind}/${name}`, this.limits.windowMs);
  }
}

/** Of portals; there is one organization, and no user. */
export class PortalLimiter {
  limits: PortalLimits | null;
  readonly #windows: Windows;

  constructor(limits: PortalLimits | null, now: () => number) {
    this.limits = limits;
    this.#windows = new Windows(now);
  }

  reset(): void {
    this.#windows.clear();
  }

  spend(requests: number): void {
    if (this.limits !== null) this.#windows.open('', this.limits.windowMs).current += requests;
  }

  count(): Verdict {
    const headers: Record<string, string> = {};
    if (this.limits === null) return { headers, refused: null };
    const { requests, windowMs, resetDigits } = this.limits;
    const window = this.#windows.open('', windowMs);
    const refused = take(window, requests, this.#windows.reset(window, resetDigits), 'portal', 'RateLimit', headers);
    return { headers, refused };
  }
}

/** @param reset seconds @param headers get those of this scope */
function take(
  window: Window,
  limit: number,
  reset: number,
  scope: string,
  prefix: string,
  headers: Record<string, string>,
): Answer | null {
  window.current += 1;
  headers[`${prefix}-Scope`] = scope;
  headers[`${prefix}-Remaining`] = String(Math.max(0, limit - window.current));
  headers[`${prefix}-Limit`] = String(limit);
  headers[`${prefix}-Reset`] = String(reset);
  if (window.current <= limit) return null;
  headers[`${prefix}-Warning`] = 'You have exceeded your API rate limit.';
  return limitRefusal(scope, limit, window.current, reset);
}

/** @param reset seconds */
export function limitRefusal(scope: string, limit: number, current: number, reset: number): Answer {
  const message = `You have exceeded your API rate limit. Please wait ${reset} seconds before making more requests.`;
  return refusal(429, message, { scope, limit, current, reset });
}
