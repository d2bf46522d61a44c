/**
 * Buildkite's limits of the GraphQL API: complexity points in five minutes, of an organization and of a token's owner.
 * A query is let in while there are points left, and is counted by what its answer turned out to hold, so that the last
 * one may go beyond the limit. What was refused costs nothing.
 * @see https://buildkite.com/docs/apis/graphql/graphql-resource-limits
 */
import { type Answer, json } from './answer.ts';
import { type Window, Windows } from './windows.ts';

export interface PointLimits {
  /** Points in a window; null: as many as one likes. */
  readonly organization: number | null;
  readonly user: number | null;
  readonly windowMs: number;
  /** Digits after the point of `reset` (0: whole seconds, as Buildkite's). */
  readonly resetDigits?: number;
  /** What one query may request, whatever it would find. */
  readonly query: number | null;
  /** Levels of fields in a query. */
  readonly depth: number | null;
}

export const documentedPoints: PointLimits = {
  organization: 20_000,
  user: 5_000,
  windowMs: 300_000,
  query: 50_000,
  depth: 15,
};

export const noPoints: PointLimits = { ...documentedPoints, organization: null, user: null, query: null, depth: null };

type Kind = 'organization' | 'user';

/** What its headers begin with, its scope's name, and whom a refusal names. */
const kinds = {
  organization: ['RateLimit', 'graphql', 'Your organization has exceeded the'],
  user: ['RateLimit-User', 'graphql_user', 'You have exceeded your per-user'],
} as const;

export class PointLimiter {
  limits: PointLimits;
  readonly #windows: Windows;

  constructor(limits: PointLimits, now: () => number) {
    this.limits = limits;
    this.#windows = new Windows(now);
  }

  reset(): void {
    this.#windows.clear();
  }

  /** @param user null: a portal, which has none */
  spend(user: string | null, points: number): void {
    for (const [, window] of this.#limited(user)) window.current += points;
  }

  /** @returns the refusal where nothing is left */
  check(user: string | null): Answer | null {
    for (const [kind, window, limit] of this.#limited(user)) {
      if (window.current >= limit) return pointRefusal(kind, limit, this.#reset(window));
    }
    return null;
  }

  headers(user: string | null): Record<string, string> {
    const headers: Record<string, string> = {};
    for (const [kind, window, limit] of this.#limited(user)) {
      const [prefix, scope] = kinds[kind];
      headers[`${prefix}-Scope`] = scope;
      headers[`${prefix}-Remaining`] = String(Math.max(0, limit - window.current));
      headers[`${prefix}-Limit`] = String(limit);
      headers[`${prefix}-Reset`] = String(this.#reset(window));
    }
    return headers;
  }

  #reset(window: Window): number {
    return this.#windows.reset(window, this.limits.resetDigits);
  }

  #limited(user: string | null): [Kind, Window, number][] {
    const { organization, user: each, windowMs } = this.limits;
    const found: [Kind, Window, number][] = [];
    if (organization !== null)
      found.push(['organization', this.#windows.open('organization/', windowMs), organization]);
    if (each !== null && user !== null) found.push(['user', this.#windows.open(`user/${user}`, windowMs), each]);
    return found;
  }
}

/** @param reset seconds */
export function pointRefusal(kind: Kind, limit: number, reset: number): Answer {
  const message = `${kinds[kind][2]} limit of ${limit} complexity points. Please try again in ${reset} seconds.`;
  return errorsAnswer(429, [{ message }]);
}

/** How the GraphQL API refuses. */
export function errorsAnswer(status: number, errors: readonly { readonly message: string }[], data?: null): Answer {
  return { ...json({ errors, ...(data === undefined ? {} : { data }) }), status };
}
