/**
 * Buildkite's two request limits, of an organization and of a token's owner, each counted in windows of its own.
 * Headers and the body of a refusal as documented in 2026; refused requests count too (`current` above `limit`).
 */
import { type Answer, refusal } from './answer.ts';

export interface Limits {
  /** Requests in a window; null: as many as one likes. */
  readonly organization: number | null;
  readonly user: number | null;
  readonly windowMs: number;
}

export const documentedLimits: Limits = { organization: 200, user: 50, windowMs: 60_000 };

interface Window {
  endsAt: number;
  current: number;
}

export interface Verdict {
  readonly headers: Record<string, string>;
  readonly refused: Answer | null;
}

/** The scope's name in bodies, and what its headers begin with. */
const scopes = { organization: ['rest', 'RateLimit'], user: ['rest_user', 'RateLimit-User'] } as const;

export class Limiter {
  limits: Limits;
  readonly #now: () => number;
  readonly #windows = new Map<string, Window>();

  constructor(limits: Limits, now: () => number) {
    this.limits = limits;
    this.#now = now;
  }

  /** Forgets what was used, as when a window ends. */
  reset(): void {
    this.#windows.clear();
  }

  /** Uses up part of a limit, as people and other programs do. */
  spend(user: string, requests: number): void {
    this.#window('organization/').current += requests;
    this.#window(`user/${user}`).current += requests;
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
    const window = this.#window(`${kind}/${name}`);
    window.current += 1;
    const reset = Math.max(1, Math.ceil((window.endsAt - this.#now()) / 1000));
    const [scope, prefix] = scopes[kind];
    headers[`${prefix}-Scope`] = scope;
    headers[`${prefix}-Remaining`] = String(Math.max(0, limit - window.current));
    headers[`${prefix}-Limit`] = String(limit);
    headers[`${prefix}-Reset`] = String(reset);
    if (window.current <= limit) return null;
    headers[`${prefix}-Warning`] = 'You have exceeded your API rate limit.';
    return limitRefusal(scope, limit, window.current, reset);
  }

  #window(key: string): Window {
    const now = this.#now();
    let window = this.#windows.get(key);
    if (window === undefined || now >= window.endsAt) {
      window = { endsAt: now + this.limits.windowMs, current: 0 };
      this.#windows.set(key, window);
    }
    return window;
  }
}

/** @param reset seconds */
export function limitRefusal(scope: string, limit: number, current: number, reset: number): Answer {
  const message = `You have exceeded your API rate limit. Please wait ${reset} seconds before making more requests.`;
  return refusal(429, message, { scope, limit, current, reset });
}
