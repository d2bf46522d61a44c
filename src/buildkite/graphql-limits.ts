/** What a refusal for the limit (429) says of how long it lasts: headers, or the body's `reset`, or its sentence. */
import type { Allowances, Scope } from './budget.ts';
import type { GraphqlMode } from './graphql-reply.ts';

export interface Refusal {
  /** What the headers say. */
  readonly stated: Allowances;
  /** The body, where it is JSON. */
  readonly reply: unknown;
  /** As the last good answer had it; which limit it was, the headers tell. */
  readonly limit: number;
}

/** When an answer does not say. */
const pauseMs = 5000;

export function limitedBy(api: GraphqlMode, { stated, reply, limit }: Refusal): Allowances {
  const { scope, resetMs } = bodyOf(reply);
  const spent = Object.values(stated).filter((each) => each.remaining < 1);
  if (spent.length > 0) return stated;
  const which: Scope = api === 'portal' ? 'organization' : scope;
  return { ...stated, [which]: { limit, remaining: 0, resetMs: resetMs ?? pauseMs } };
}

/** `{scope, limit, reset}` (portals), or `{errors: [{message: "… Please try again in 42 seconds."}]}` (GraphQL). */
function bodyOf(reply: unknown): { readonly scope: Scope; readonly resetMs: number | null } {
  const text = JSON.stringify(reply ?? '').slice(0, 2000);
  const seconds = Number(/"reset":(\d+(?:\.\d+)?)/.exec(text)?.[1] ?? /\bin (\d+(?:\.\d+)?) seconds/.exec(text)?.[1]);
  const scope = /per-user|_user"/.test(text) ? 'user' : 'organization';
  return { scope, resetMs: Number.isFinite(seconds) ? Math.max(seconds, 0.05) * 1000 : null };
}
