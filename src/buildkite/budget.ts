/**
 * Upstream requests that may still be spent, shared by all workers through one Redis: asked before each request,
 * corrected by every answer. Buildkite counts per token owner (50 a minute) and per organization (200 a minute).
 * @see https://buildkite.com/docs/apis/rest-api/rate-limits
 */
import { setTimeout as sleep } from 'node:timers/promises';

export type Scope = 'user' | 'organization';

/** What an answer's headers (or a 429's body) say of one scope; `resetMs` from now. */
export interface Allowance {
  readonly limit: number;
  readonly remaining: number;
  readonly resetMs: number;
}
export type Allowances = Partial<Record<Scope, Allowance>>;

/** The one thing that is needed of Redis: to run a script atomically. Numbers come back as numbers. */
export interface BudgetStore {
  run(script: string, keys: string[], args: (string | number)[]): Promise<unknown>;
}

export interface Budget {
  /** Waits until a request may be sent, and counts it. @throws when aborted */
  spend(signal: AbortSignal): Promise<void>;
  /** To be called once for each spend, with what the answer said; `{}` when there was no answer. */
  settle(allowances: Allowances): Promise<void>;
}

const scopes: readonly Scope[] = ['user', 'organization'];
/** What holds until the first answer says otherwise. */
const documented: Record<Scope, number> = { user: 50, organization: 200 };
const windowMs = 60_000;
/** `reset` is in whole seconds and its rounding is not documented; a request sent too early costs a 429. */
const marginMs = 300;

const prefix = 'kitemirror:budget';

export function budgetKey(api: string, scope: Scope): string {
  return `${prefix}:${api}:${scope}`;
}

/*
 * A scope's hash: limit, remaining (as upstream last said), flying (sent, not answered), spent (ours, this window), ends (ms).
 * Waits are answered in ms; 0 means go.
 */
const spendScript = `
local now, share, window = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local wait, state = 0, {}
for i, key in ipairs(KEYS) do
  local f = redis.call('HMGET', key, 'limit', 'remaining', 'flying', 'spent', 'ends')
  local limit = tonumber(f[1]) or tonumber(ARGV[3 + i])
  local s = { limit = limit, remaining = tonumber(f[2]) or limit, flying = tonumber(f[3]) or 0, spent = tonumber(f[4]) or 0, ends = tonumber(f[5]) or 0 }
  if now >= s.ends then s.remaining, s.flying, s.spent, s.ends = limit, 0, 0, now + window end
  local ours = math.max(1, math.floor(limit * share))
  if s.spent >= ours or s.remaining - s.flying < 1 then wait = math.max(wait, s.ends - now) end
  state[i] = s
end
if wait > 0 then return wait end
for i, key in ipairs(KEYS) do
  local s = state[i]
  redis.call('HSET', key, 'limit', s.limit, 'remaining', s.remaining, 'flying', s.flying + 1, 'spent', s.spent + 1, 'ends', s.ends)
  redis.call('PEXPIRE', key, 86400000)
end
return 0`;

/* ARGV: now, then limit, remaining, reset (ms) a scope; limit -1: the answer did not say. */
const settleScript = `
local now = tonumber(ARGV[1])
for i, key in ipairs(KEYS) do
  local limit, remaining, reset = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1])
  local f = redis.call('HMGET', key, 'flying', 'spent', 'ends')
  local flying, spent, ends = math.max(0, (tonumber(f[1]) or 1) - 1), tonumber(f[2]) or 0, tonumber(f[3]) or 0
  redis.call('HSET', key, 'flying', flying)
  if limit >= 0 then
    local told = now + reset
    if told > ends + 1500 then spent = math.min(spent, flying + 1) ends = told
    elseif told < ends - 1500 or remaining == 0 then ends = told
    else ends = math.max(ends, told) end
    redis.call('HSET', key, 'limit', limit, 'remaining', remaining, 'spent', spent, 'ends', ends)
  end
end
return 0`;

/**
 * @param share the part of each limit that is ours; the rest is people's
 * @param onWait told how long a request had to wait, in ms
 */
export function createBudget(
  store: BudgetStore,
  api: string,
  share: number,
  onWait: (ms: number) => void = () => undefined,
): Budget {
  const keys = scopes.map((scope) => budgetKey(api, scope));
  const limits = scopes.map((scope) => documented[scope]);
  return {
    spend: async (signal) => {
      const since = Date.now();
      for (;;) {
        signal.throwIfAborted();
        const wait = Number(await store.run(spendScript, keys, [Date.now(), share, windowMs, ...limits]));
        if (wait === 0) break;
        // Spread over the window's start, so that all workers do not come at the same instant.
        await sleep(Math.min(wait + marginMs, windowMs) + Math.random() * marginMs, undefined, { signal });
      }
      const waited = Date.now() - since;
      if (waited > marginMs) onWait(waited);
    },
    settle: async (allowances) => {
      const told = scopes.flatMap((scope) => {
        const { limit, remaining, resetMs } = allowances[scope] ?? { limit: -1, remaining: 0, resetMs: 0 };
        return [limit, remaining, resetMs];
      });
      await store.run(settleScript, keys, [Date.now(), ...told]);
    },
  };
}

/** What the headers of an answer say of both limits. Header names are lower-case. */
export function parseAllowances(headers: Readonly<Record<string, string | string[] | undefined>>): Allowances {
  const read = (kind: string): Allowance | undefined => {
    const [limit, remaining, reset] = ['limit', 'remaining', 'reset'].map((name) => headers[`${kind}-${name}`]);
    if (typeof limit !== 'string' || typeof remaining !== 'string' || typeof reset !== 'string') return undefined;
    const allowance = { limit: Number(limit), remaining: Number(remaining), resetMs: Number(reset) * 1000 };
    return Object.values(allowance).every((value) => Number.isFinite(value) && value >= 0) ? allowance : undefined;
  };
  const user = read('ratelimit-user');
  const organization = read('ratelimit');
  return { ...(user ? { user } : {}), ...(organization ? { organization } : {}) };
}
