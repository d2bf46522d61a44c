/**
 * Upstream requests that may still be spent, shared by all workers through one Redis: asked before each request,
 * corrected by every answer. Buildkite counts per token owner (50 a minute) and per organization (200 a minute).
 * @see https://buildkite.com/docs/apis/rest-api/rate-limits
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Exchange, exchangeScript, type Granted, readGrant } from './budget-script.ts';

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
export type WorkClass = keyof typeof reserves;
/** What work that nobody waits for, and who only watches, leave to the window's end: enough to begin with a build that comes then. */
const floors: Partial<Record<WorkClass, number>> = { watch: 0.2, reconcile: 0.1, bulk: 0.1 };
/** What those behind have of each window when they wait for it, however much the others want: no class waits for ever. */
const leasts: Partial<Record<WorkClass, number>> = { live: 0.1, reconcile: 0.1, bulk: 0.1 };

export interface Spending {
  readonly signal: AbortSignal;
  readonly workClass: WorkClass;
  /** What the request costs; 1 where requests are counted, GraphQL counts the objects that are asked for. */
  readonly points?: number;
  /** Before others of its class that wait in this process. */
  readonly ahead?: boolean;
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

interface Waiter {
  readonly since: number;
  readonly points: number;
  readonly ahead: boolean;
  readonly go: () => void;
}

/** Those of one class that wait; each class asks by itself, so that none waits for another's sleep. */
interface Lane {
  readonly workClass: WorkClass;
  readonly waiting: Waiter[];
  asking: boolean;
  /** Points that were granted and that nobody was there for any more. */
  unused: number;
  /** It waits for what an answer will tell. */
  resting: AbortController | null;
}

/** Requests that come while Redis is being asked are asked for together: a thousand small files cost a few questions. */
export function createBudget(options: BudgetOptions): Budget {
  const { store, api, share, windowMs, onWait } = options;
  const scopes = allScopes.filter((scope) => options.limits[scope] !== undefined);
  const keys = scopes.map((scope) => budgetKey(api, scope));
  const lanes = new Map<WorkClass, Lane>();
  /** Wants nothing, and tells what was answered while all others sleep. */
  const teller = newLane('person');
  let answered = 0;
  let heard: Allowances = {};
  let freeUntil = 0;

  /** What is told was told when this resolves, and is kept to be told again when it rejects. */
  async function exchange(lane: Lane, wanted: number, each: number): Promise<Granted> {
    const { workClass } = lane;
    const [returned, unused, allowances] = [answered, lane.unused, heard];
    [answered, lane.unused, heard] = [0, 0, {}];
    const { [workClass]: least = 0, ...others } = leasts;
    const question: Exchange = {
      share,
      window: windowMs,
      answered: returned,
      unused,
      wanted,
      each,
      class: workClass,
      reserve: reserves[workClass],
      floor: floors[workClass] ?? 0,
      least,
      others,
      scopes: scopes.map((scope) => {
        const said = allowances[scope];
        const limit = options.limits[scope] ?? 0;
        if (said === undefined) return { limit };
        return { limit, told: { limit: said.limit, remaining: said.remaining, reset: said.resetMs } };
      }),
    };
    try {
      return readGrant(await store.run(exchangeScript, keys, [JSON.stringify(question)]));
    } catch (thrown) {
      answered += returned;
      lane.unused += unused;
      hear(allowances);
      throw thrown;
    }
  }

  async function ask(lane: Lane): Promise<void> {
    const { waiting } = lane;
    // Those that cost the same, from the first on: what is granted is whole requests.
    const each = waiting[0]?.points ?? 1;
    const others = waiting.findIndex(({ points }) => points !== each);
    const wanted = each * (others < 0 ? waiting.length : others);
    const { granted, waitMs, isFree, isGuess } = await exchange(lane, wanted, each);
    if (isFree) freeUntil = performance.now() + freeMs;
    lane.unused += release(lane, granted);
    if (waiting.length === 0 || granted >= wanted || lane.unused > 0) return;
    // Spread over the window's start, so that all workers do not come at the same instant.
    const margin = isGuess ? 0 : Math.min(marginMs, windowMs / 20);
    lane.resting = isGuess ? new AbortController() : null;
    const restMs = Math.min(waitMs, windowMs) + margin * (1 + Math.random());
    await sleep(restMs, undefined, lane.resting === null ? {} : { signal: lane.resting.signal }).catch(() => undefined);
    lane.resting = null;
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

  function hasNews({ waiting, unused }: Lane): boolean {
    return waiting.length > 0 || answered > 0 || unused > 0;
  }

  /** One question at a time; what gathers meanwhile goes with the next. */
  async function keepAsking(lane: Lane): Promise<void> {
    if (lane.asking) return;
    lane.asking = true;
    try {
      while (hasNews(lane)) {
        // A Redis that is away is waited for by its connection; what it refuses is no reason to send unasked. A process
        // that has nothing else to do may end.
        await ask(lane).catch(() => sleep(retryMs, undefined, { ref: lane.waiting.length > 0 }));
      }
    } finally {
      lane.asking = false;
    }
  }

  function laneOf(workClass: WorkClass): Lane {
    const lane = lanes.get(workClass) ?? newLane(workClass);
    lanes.set(workClass, lane);
    return lane;
  }

  function hear(allowances: Allowances): void {
    for (const scope of scopes) heard = { ...heard, ...mergeScope(scope, heard[scope], allowances[scope]) };
  }

  return {
    spend: ({ signal, workClass, points = 1, ahead = false }) =>
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
          ahead,
          go: () => {
            signal.removeEventListener('abort', leave);
            resolve();
          },
        };
        signal.addEventListener('abort', leave, { once: true });
        const behind = ahead ? lane.waiting.findIndex((other) => !other.ahead) : -1;
        lane.waiting.splice(behind < 0 ? lane.waiting.length : behind, 0, waiter);
        void keepAsking(lane);
      }),
    settle: (allowances, points = 1) => {
      const isFree = scopes.every((scope) => (allowances[scope] ?? unlimited).limit >= unlimited.limit);
      if (isFree && performance.now() < freeUntil) return;
      if (!isFree) freeUntil = 0;
      answered += points;
      hear(allowances);
      for (const lane of lanes.values()) lane.resting?.abort();
      if (![...lanes.values()].some((lane) => lane.asking && lane.waiting.length === 0)) void keepAsking(teller);
    },
  };
}

function newLane(workClass: WorkClass): Lane {
  return { workClass, waiting: [], asking: false, unused: 0, resting: null };
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
