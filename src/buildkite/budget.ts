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

/** An upstream that states no limit in a good answer has none: a test double, or a gateway with rules of its own. */
export const unlimited: Allowance = { limit: 1e9, remaining: 1e9, resetMs: 60_000 };

/** The one thing that is needed of Redis: to run a script atomically. */
export interface BudgetStore {
  run(script: string, keys: string[], args: (string | number)[]): Promise<unknown>;
}

export interface Budget {
  /** Waits until a request may be sent, and counts it. @throws when aborted */
  spend(signal: AbortSignal): Promise<void>;
  /** To be called once for each spend, with what the answer said; `{}` when there was no answer. */
  settle(allowances: Allowances): void;
}

const scopes: readonly Scope[] = ['user', 'organization'];
/** What holds until the first answer says otherwise. */
const documented: Record<Scope, number> = { user: 50, organization: 200 };
const windowMs = 60_000;
/** `reset` is in whole seconds and its rounding is not documented; a request sent too early costs a 429. */
const marginMs = 300;
const retryMs = 500;
/** Without any limit Redis is asked once in this while whether that still holds. */
const freeMs = 1000;

const prefix = 'kitemirror:budget';

export function budgetKey(api: string, scope: Scope): string {
  return `${prefix}:${api}:${scope}`;
}

/*
 * A scope's hash: limit, remaining (as upstream last said), flying (sent, not answered), spent (ours, this window), ends (ms).
 * ARGV: now, share, window, how many were answered, how many more are wanted, the documented limits, and for each scope
 * what the answers said: limit (-1: nothing), remaining, reset (ms).
 * Returns how many may be sent now, how long the rest has to wait (ms), and 1 when no scope has a limit at all.
 */
const exchangeScript = `
local now, share, window = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local answered, wanted = tonumber(ARGV[4]), tonumber(ARGV[5])
local granted, wait, unlimited, state = wanted, 0, 1, {}
for i, key in ipairs(KEYS) do
  local f = redis.call('HMGET', key, 'limit', 'remaining', 'flying', 'spent', 'ends')
  local limit = tonumber(f[1]) or tonumber(ARGV[5 + i])
  local s = { limit = limit, remaining = tonumber(f[2]) or limit, flying = tonumber(f[3]) or 0, spent = tonumber(f[4]) or 0, ends = tonumber(f[5]) or 0 }
  s.flying = math.max(0, s.flying - answered)
  local at = 5 + #KEYS + 3 * (i - 1)
  local told, left, reset = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  if told >= 0 then
    local ends = now + reset
    if ends > s.ends + 1500 then
      s.spent, s.ends = math.min(s.spent, s.flying + answered), ends
    elseif left == 0 or ends < s.ends - 1500 then s.ends = ends
    else s.ends = math.max(s.ends, ends) end
    s.limit, s.remaining = told, left
  end
  if now >= s.ends then s.remaining, s.flying, s.spent, s.ends = s.limit, 0, 0, now + window end
  local ours = math.max(1, math.floor(s.limit * share)) - s.spent
  local free = math.max(0, math.min(ours, s.remaining - s.flying))
  if s.limit < 1e9 then unlimited = 0 end
  if free < wanted then wait = math.max(wait, s.ends - now) end
  granted = math.min(granted, free)
  state[i] = s
end
for i, key in ipairs(KEYS) do
  local s = state[i]
  redis.call('HSET', key, 'limit', s.limit, 'remaining', s.remaining, 'flying', s.flying + granted, 'spent', s.spent + granted, 'ends', s.ends)
  redis.call('PEXPIRE', key, 86400000)
end
return { granted, wait, unlimited }`;

interface Waiter {
  readonly since: number;
  readonly go: () => void;
}

/**
 * Requests that come while Redis is being asked are asked for together: a thousand small files cost a few questions.
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
  const waiting: Waiter[] = [];
  let answered = 0;
  let heard: Allowances = {};
  let asking = false;
  let freeUntil = 0;

  async function ask(): Promise<void> {
    const [returned, allowances, wanted] = [answered, heard, waiting.length];
    answered = 0;
    heard = {};
    const told = scopes.flatMap((scope) => {
      const { limit, remaining, resetMs } = allowances[scope] ?? { limit: -1, remaining: 0, resetMs: 0 };
      return [limit, remaining, resetMs];
    });
    const args = [Date.now(), share, windowMs, returned, wanted, ...limits, ...told];
    const [granted = 0, wait = 0, free = 0] = ((await store.run(exchangeScript, keys, args)) as unknown[]).map(Number);
    if (free === 1) freeUntil = Date.now() + freeMs;
    for (const { since, go } of waiting.splice(0, granted)) {
      const waited = Date.now() - since;
      if (waited > marginMs) onWait(waited);
      go();
    }
    // Spread over the window's start, so that all workers do not come at the same instant.
    if (waiting.length > 0 && granted < wanted)
      await sleep(Math.min(wait + marginMs, windowMs) + Math.random() * marginMs);
  }

  /** One question at a time; what gathers meanwhile goes with the next. */
  async function keepAsking(): Promise<void> {
    asking = true;
    try {
      while (waiting.length > 0 || answered > 0) {
        // A Redis that is away is waited for by its connection; what it refuses is no reason to send unasked.
        await ask().catch(() => sleep(retryMs));
      }
    } finally {
      asking = false;
    }
  }

  return {
    spend: (signal) =>
      new Promise<void>((resolve, reject) => {
        signal.throwIfAborted();
        if (Date.now() < freeUntil) {
          resolve();
          return;
        }
        const leave = (): void => {
          const at = waiting.indexOf(waiter);
          if (at >= 0) waiting.splice(at, 1);
          reject(signal.reason as Error);
        };
        const waiter: Waiter = {
          since: Date.now(),
          go: () => {
            signal.removeEventListener('abort', leave);
            resolve();
          },
        };
        signal.addEventListener('abort', leave, { once: true });
        waiting.push(waiter);
        if (!asking) void keepAsking();
      }),
    settle: (allowances) => {
      const isFree = scopes.every((scope) => (allowances[scope] ?? unlimited).limit >= unlimited.limit);
      if (isFree && Date.now() < freeUntil) return;
      if (!isFree) freeUntil = 0;
      answered += 1;
      for (const scope of scopes) heard = { ...heard, ...mergeScope(scope, heard[scope], allowances[scope]) };
      if (!asking) void keepAsking();
    },
  };
}

/** Of two answers the one of the later window counts; of one window the one that leaves less. */
function mergeScope(scope: Scope, left: Allowance | undefined, right: Allowance | undefined): Allowances {
  if (left === undefined || right === undefined)
    return left === undefined && right === undefined ? {} : { [scope]: left ?? right };
  const later = right.resetMs > left.resetMs + 1500 ? right : left.resetMs > right.resetMs + 1500 ? left : null;
  return { [scope]: later ?? (right.remaining < left.remaining ? right : left) };
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
