/** What a refusal for the limit (429) says of how long it lasts: headers, or the body's `reset`, or its sentence. */
import type { Allowances, Scope } from './budget.ts';
import type { GraphqlMode } from './graphql-reply.ts';

export interface Refusal {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** What the headers say. */
  readonly stated: Allowances;
  /** The body, where it is JSON. */
  readonly reply: unknown;
  /** As the last good answer had it. */
  readonly limit: number;
}

/** When an answer does not say. */
const pauseMs = 5000;

export function limitedBy(api: GraphqlMode, { headers, stated, reply, limit }: Refusal): Allowances {
  const { scope, resetMs } = bodyOf(reply);
  // A portal may use up points too. Then its headers are those of the points, and its own limit is what it was.
  const foreign = api === 'portal' && headers['ratelimit-scope'] !== 'portal';
  const spent = Object.values(stated).some((each) => each.remaining < 1);
  if (spent && !foreign) return stated;
  const which: Scope = api === 'portal' ? 'organization' : scope;
  const longest = Math.max(0, ...Object.values(stated).map((each) => (each.remaining < 1 ? each.resetMs : 0)));
  return { ...(foreign ? {} : stated), [which]: { limit, remaining: 0, resetMs: resetMs ?? (longest || pauseMs) } };
}

/** `{scope, limit, reset}` (portals), or `{errors: [{message: "… Please try again in 42 seconds."}]}` (GraphQL). */
function bodyOf(reply: unknown): { readonly scope: Scope; readonly resetMs: number | null } {
  const text = JSON.stringify(reply ?? '').slice(0, 2000);
  const seconds = Number(/"reset":(\d+(?:\.\d+)?)/.exec(text)?.[1] ?? /\bin (\d+(?:\.\d+)?) seconds/.exec(text)?.[1]);
  const scope = /per-user|_user"/.test(text) ? 'user' : 'organization';
  return { scope, resetMs: Number.isFinite(seconds) ? Math.max(seconds, 0.05) * 1000 : null };
}
