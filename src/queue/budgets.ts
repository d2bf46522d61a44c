/** The budget's counters where they live: in the same Redis as the queue. */
import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { type BudgetStore, budgetKey, documented, type Scope } from '../buildkite/budget.ts';

/** Scripts are sent once and then called by their digest. */
export function budgetStore(redis: Redis): BudgetStore {
  const digests = new Map<string, string>();
  return {
    run: async (script, keys, args) => {
      const digest = digests.get(script) ?? createHash('sha1').update(script).digest('hex');
      digests.set(script, digest);
      try {
        return await redis.evalsha(digest, keys.length, ...keys, ...args);
      } catch (thrown) {
        if (!(thrown instanceof Error && thrown.message.startsWith('NOSCRIPT'))) throw thrown;
        return redis.eval(script, keys.length, ...keys, ...args);
      }
    },
  };
}

const counted = Object.entries(documented).flatMap(([api, { limits }]) =>
  (Object.keys(limits) as Scope[]).map((scope) => ({ api, scope })),
);

/** What upstream's limits leave, less what is under way; nothing for a limit that no request has met yet. */
export async function readRemaining(redis: Redis): Promise<{ api: string; scope: string; remaining: number }[]> {
  // The budget's own clock, whatever ours says.
  const [seconds, micros] = await redis.time();
  const now = Number(seconds) * 1000 + Number(micros) / 1000;
  const all = await Promise.all(
    counted.map(async ({ api, scope }) => {
      const [limit, remaining, flying, ends] = await redis.hmget(
        budgetKey(api, scope),
        'limit',
        'remaining',
        'flying',
        'ends',
      );
      if (limit === null || limit === undefined) return [];
      const left = Number(ends) <= now ? Number(limit) : Number(remaining) - Number(flying);
      return [{ api, scope, remaining: Math.max(0, left) }];
    }),
  );
  return all.flat();
}
