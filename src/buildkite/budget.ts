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

/**
 * Whose request it is. Each leaves the part named here of our share to those before it; less, the nearer the window's end.
 * `watch`: who looks at a log that grows, and may do so all day.
 */
export const reserves = { person: 0, main: 0.05, live: 0.1, watch: 0.2, reconcile: 0.25, bulk: 0.4 } as const;
/** What work that nobody waits for, and who only watches, leave to the window's end: enough to begin with a build that comes then. */
const floors: Partial<Record<keyof typeof reserves, number>> = { watch: 0.2, reconcile: 0.1, bulk: 0.1 };
export type WorkClass = keyof typeof reserves;

export interface Spending {
  readonly signal: AbortSignal;
  readonly workClass: WorkClass;
  /** What the request costs; 1 where requests are counted, GraphQL counts the objects that are asked for. */
  readonly points?: number;
}

export interface Budget {
  /** Waits until a request may be sent, and counts it. @throws when aborted */
  spend(spending: Spending): Promise<void>;
  /** To be called once for each spend, with what the answer said; `{}` when there was no answer. */
  settle(allowances: Allowances, points?: number): void;
}

export interface BudgetOptions {
  readonly store: BudgetStore;
  /** `rest`, `graphql`, `portal`: each has limits of its own. */
  readonly api: string;
  /** The part of each limit that is ours; the rest is people's. */
  readonly share: number;
  /** What holds until the first answer says otherwise; a scope that is not named is not counted. */
  readonly limits: Partial<Record<Scope, number>>;
  readonly windowMs: number;
  /** Told how long each request had to wait, in ms. */
  readonly onWait?: (ms: number, workClass: WorkClass) => void;
}

/** @see https://buildkite.com/docs/platform/limits */
export const documented = {
  rest: { limits: { user: 50, organization: 200 }, windowMs: 60_000 },
  graphql: { limits: { user: 5000, organization: 20_000 }, windowMs: 300_000 },
  portal: { limits: { organization: 200 }, windowMs: 60_000 },
} as const;

const allScopes: readonly Scope[] = ['user', 'organization'];
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
 * The time is Redis' own, which all workers share. ARGV: share, window, points that were answered, points that were granted and not used, points wanted, the parts to
 * be left to others when a window begins and when it ends, the limits to begin with, and for each scope what the answers
 * said: limit (-1: nothing), remaining, reset (ms). What is left to others shrinks with the window: fewer will still come.
 * Returns how many points may be spent now, how long the rest has to wait (ms), and 1 when no scope has a limit at all.
 */
const exchangeScript = `
local share, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local answered, unused, wanted = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local reserve, floor = tonumber(ARGV[6]), tonumber(ARGV[7])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local granted, wait, unlimited, state = wanted, 0, 1, {}
for i, key in ipairs(KEYS) do
  local f = redis.call('HMGET', key, 'limit', 'remaining', 'flying', 'spent', 'ends', 'guessed', 'window')
  local limit = tonumber(f[1]) or tonumber(ARGV[7 + i])
  local s = { limit = limit, remaining = tonumber(f[2]) or limit, flying = tonumber(f[3]) or 0, spent = tonumber(f[4]) or 0, ends = tonumber(f[5]) or 0, guessed = tonumber(f[6]) or 0, window = tonumber(f[7]) or window }
  s.flying = math.max(0, s.flying - answered - unused)
  s.spent = math.max(0, s.spent - unused)
  local at = 7 + #KEYS + 3 * (i - 1)
  local told, left, reset = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  if told >= 0 then
    local ends = now + math.min(reset, 2 * window)
    local slack = math.min(1500, window / 4)
    -- The first answer in a window tells how long it is: what is left to others goes by that.
    if s.guessed == 1 and reset > 0 then s.window = reset end
    if ends > s.ends + slack then
      s.spent, s.ends = math.min(s.spent, s.flying + answered), ends
    elseif left == 0 or ends < s.ends - slack then s.ends = ends
    else s.ends = math.max(s.ends, ends) end
    s.limit, s.remaining, s.guessed = told, left, 0
  end
  -- When a new window ends is a guess until the first answer in it. One that ends so late is of a clock that was set back.
  if now >= s.ends or s.ends > now + 2 * window then s.remaining, s.flying, s.spent, s.ends, s.guessed = s.limit, 0, 0, now + window, 1 end
  local ours = math.max(1, math.floor(s.limit * share))
  local kept = math.max(math.ceil(ours * floor), math.floor(ours * reserve * math.min(1, (s.ends - now) / s.window)))
  -- Where so little is ours that nothing would be left, nothing is kept.
  if kept >= ours then kept = 0 end
  local free = math.max(0, math.min(ours - kept - s.spent, s.remaining - s.flying))
  if s.limit < 1e9 then unlimited = 0 end
  if free < wanted then
    -- When enough of what is kept for others will have been let go, or when the window ends.
    local later = s.ends - now
    if kept > 0 and s.spent < ours and s.remaining - s.flying >= 1 then later = math.min(later, math.ceil(s.window / (ours * reserve))) end
    if s.guessed == 1 then later = math.min(later, 250) end
    wait = math.max(wait, later)
  end
  granted = math.min(granted, free)
  state[i] = s
end
for i, key in ipairs(KEYS) do
  local s = state[i]
  redis.call('HSET', key, 'limit', s.limit, 'remaining', s.remaining, 'flying', s.flying + granted, 'spent', s.spent + granted, 'ends', s.ends, 'guessed', s.guessed, 'window', s.window)
  redis.call('PEXPIRE', key, 86400000)
end
return { granted, wait, unlimited }`;

interface Waiter {
  readonly since: number;
  readonly points: number;
  readonly go: () => void;
}

/** Those of one class that wait; each class asks by itself, so that none waits for another's sleep. */
interface Lane {
  readonly workClass: WorkClass;
  readonly waiting: Waiter[];
  asking: boolean;
}

/** Requests that come while Redis is being asked are asked for together: a thousand small files cost a few questions. */
export function createBudget(options: BudgetOptions): Budget {
  const { store, api, share, windowMs, onWait } = options;
  const scopes = allScopes.filter((scope) => options.limits[scope] !== undefined);
  const keys = scopes.map((scope) => budgetKey(api, scope));
  const limits = scopes.map((scope) => options.limits[scope] ?? 0);
  const lanes = new Map<WorkClass, Lane>();
  let answered = 0;
  let unused = 0;
  let heard: Allowances = {};
  let freeUntil = 0;

  async function ask(lane: Lane): Promise<void> {
    const { waiting, workClass } = lane;
    const [returned, back, allowances] = [answered, unused, heard];
    const wanted = waiting.reduce((sum, { points }) => sum + points, 0);
    [answered, unused, heard] = [0, 0, {}];
    const told = scopes.flatMap((scope) => {
      const { limit, remaining, resetMs } = allowances[scope] ?? { limit: -1, remaining: 0, resetMs: 0 };
      return [limit, remaining, resetMs];
    });
    const args = [
      share,
      windowMs,
      returned,
      back,
      wanted,
      reserves[workClass],
      floors[workClass] ?? 0,
      ...limits,
      ...told,
    ];
    const answer = (await store.run(exchangeScript, keys, args)) as unknown[];
    const [granted = 0, wait = 0, free = 0] = answer.map(Number);
    if (free === 1) freeUntil = performance.now() + freeMs;
    unused += release(lane, granted);
    // Spread over the window's start, so that all workers do not come at the same instant.
    const margin = Math.min(marginMs, windowMs / 20);
    if (waiting.length > 0 && granted < wanted) {
      await sleep(Math.min(wait, windowMs) + margin * (1 + Math.random()));
    }
  }

  /** @returns what was granted and fits nobody */
  function release({ waiting, workClass }: Lane, granted: number): number {
    let left = granted;
    for (let next = waiting[0]; next !== undefined && next.points <= left; next = waiting[0]) {
      left -= next.points;
      waiting.shift();
      onWait?.(performance.now() - next.since, workClass);
      next.go();
    }
    return left;
  }

  /** One question at a time; what gathers meanwhile goes with the next. */
  async function keepAsking(lane: Lane): Promise<void> {
    if (lane.asking) return;
    lane.asking = true;
    try {
      while (lane.waiting.length > 0 || answered > 0 || unused > 0) {
        // A Redis that is away is waited for by its connection; what it refuses is no reason to send unasked.
        await ask(lane).catch(() => sleep(retryMs));
      }
    } finally {
      lane.asking = false;
    }
  }

  function laneOf(workClass: WorkClass): Lane {
    const lane = lanes.get(workClass) ?? { workClass, waiting: [], asking: false };
    lanes.set(workClass, lane);
    return lane;
  }

  return {
    spend: ({ signal, workClass, points = 1 }) =>
      new Promise<void>((resolve, reject) => {
        signal.throwIfAborted();
        if (performance.now() < freeUntil) {
          resolve();
          return;
        }
        const lane = laneOf(workClass);
        const leave = (): void => {
          const at = lane.waiting.indexOf(waiter);
          if (at >= 0) lane.waiting.splice(at, 1);
          reject(signal.reason as Error);
        };
        const waiter: Waiter = {
          since: performance.now(),
          points,
          go: () => {
            signal.removeEventListener('abort', leave);
            resolve();
          },
        };
        signal.addEventListener('abort', leave, { once: true });
        lane.waiting.push(waiter);
        void keepAsking(lane);
      }),
    settle: (allowances, points = 1) => {
      const isFree = scopes.every((scope) => (allowances[scope] ?? unlimited).limit >= unlimited.limit);
      if (isFree && performance.now() < freeUntil) return;
      if (!isFree) freeUntil = 0;
      answered += points;
      for (const scope of scopes) heard = { ...heard, ...mergeScope(scope, heard[scope], allowances[scope]) };
      if (![...lanes.values()].some((lane) => lane.asking && lane.waiting.length === 0))
        void keepAsking(laneOf('person'));
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
