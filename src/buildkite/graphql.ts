/**
 * One GraphQL request: to the GraphQL API (a document and its variables) or to a portal (the variables alone, the
 * document is stored there). Budget, token, time limits, retries, and what each answer means, as rest.ts has them for
 * REST. The token goes to the configured address and nowhere else; redirects are never followed.
 * @see https://buildkite.com/docs/apis/graphql-api
 * @see https://buildkite.com/docs/apis/graphql/portals
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import { MirrorError } from '../errors.ts';
import { type Allowances, type Budget, documented, parseAllowances, unlimited, type WorkClass } from './budget.ts';
import { limitedBy } from './graphql-limits.ts';
import { denied, type GraphqlAnswer, type GraphqlMode, parseReply, readReply } from './graphql-reply.ts';

export interface GraphqlOptions {
  readonly mode: GraphqlMode;
  /** `https://graphql.buildkite.com/v1`, or a portal's own address. */
  readonly url: URL;
  /** Read for each request, so that a rotated token is used at once. */
  readonly token: () => string;
  readonly dispatcher: Dispatcher;
  /** Of `documented.graphql` (points) or `documented.portal` (requests). */
  readonly budget: Budget;
  /** The organization's points, for a portal whose answers say that it uses those up too. */
  readonly points: Budget;
  /** The part of the limits that is ours, as the budgets have it: what a query may cost at most follows from it. */
  readonly share: number;
  readonly onAnswer?: (answer: { readonly status: number; readonly cost: number }) => void;
}

export interface GraphqlRequest {
  readonly document: string;
  readonly variables: Readonly<Record<string, unknown>>;
  /** What it will probably cost. Portals count requests, there it does not matter. */
  readonly points: number;
  readonly workClass: WorkClass;
  readonly signal: AbortSignal;
}

export interface Graphql {
  readonly mode: GraphqlMode;
  readonly token: () => string;
  /** A query should not cost more than this: dearer ones could wait for ever for their points. */
  mostPoints(): number;
  /** @throws MirrorError ERR_UPSTREAM_DENIED (token, permission), ERR_UPSTREAM_UNAVAILABLE, ERR_UPSTREAM_MALFORMED */
  ask(request: GraphqlRequest): Promise<GraphqlAnswer>;
}

const attempts = 3;
const firstBackoffMs = 250;
const headersTimeoutMs = 30_000;
const bodyTimeoutMs = 30_000;
/** Of a whole exchange, however steadily an answer drips in. */
const exchangeMs = 120_000;
/** Whatever class asks: so much of our share is there for it when a window begins. */
const grantable = 0.5;

/** What a budget is asked for before a request is sent, and told of it afterwards. */
interface Charge {
  readonly budget: Budget;
  readonly amount: number;
  allowances: Allowances;
}

export function createGraphql(options: GraphqlOptions): Graphql {
  const { url, mode, dispatcher, token } = options;
  /** Whether points are counted: by a portal, once an answer of it has said so. */
  let hasPoints = mode === 'graphql';
  let limit: number = mode === 'graphql' ? documented.graphql.limits.user : documented.graphql.limits.organization;
  /** What earlier queries cost beyond what was asked for them; negative: less. */
  let debt = 0;

  function mostPoints(): number {
    return hasPoints ? Math.max(1, Math.floor(limit * options.share * grantable)) : Number.POSITIVE_INFINITY;
  }

  /** What counts points comes last; each has been granted when this resolves. */
  async function charge(request: GraphqlRequest, points: number): Promise<Charge[]> {
    const { signal, workClass } = request;
    const charges: Charge[] = mode === 'portal' ? [{ budget: options.budget, amount: 1, allowances: {} }] : [];
    if (hasPoints) {
      const budget = mode === 'portal' ? options.points : options.budget;
      charges.push({ budget, amount: points, allowances: {} });
    }
    const granted: Charge[] = [];
    try {
      for (const each of charges) {
        await each.budget.spend({ signal, workClass, points: each.amount });
        granted.push(each);
      }
      return granted;
    } catch (thrown) {
      for (const { budget, amount } of granted) budget.settle({}, amount);
      throw thrown;
    }
  }

  /** @returns null when the limit is reached: to be sent again when the budget says so */
  async function once(request: GraphqlRequest): Promise<GraphqlAnswer | null> {
    let owed = debt;
    debt = 0;
    const points = Math.max(1, Math.min(Math.ceil(request.points + owed), mostPoints()));
    const charges = await charge(request, points).catch((thrown: unknown) => {
      debt += owed;
      throw thrown;
    });
    let settled = false;
    const settle = (): void => {
      if (settled) return;
      settled = true;
      debt += owed;
      for (const { budget, amount, allowances } of charges) budget.settle(allowances, amount);
    };
    const sentAt = performance.now();
    try {
      const answer = await send(request);
      const { statusCode: status, headers } = answer;
      const actual = Number(headers['ratelimit-complexity-actual'] ?? Number.NaN);
      options.onAnswer?.({ status, cost: mode === 'portal' ? 1 : status === 429 ? 0 : actual || points });
      const reply = status === 429 ? await readReply(answer).catch(() => null) : undefined;
      hear(answer, charges, reply);
      if (status === 429) return null;
      if (status < 400 && hasPoints && Number.isFinite(actual)) owed += actual - points;
      settle();
      if (status !== 200) {
        await answer.body.dump();
        throw refused(mode, status);
      }
      return { ...parseReply(await readReply(answer), mode), ageMs: performance.now() - sentAt };
    } finally {
      settle();
    }
  }

  /** Notes what the answer says of the budget that it speaks of. @param reply of a refusal for the limit, its body */
  function hear({ statusCode, headers }: Dispatcher.ResponseData, charges: Charge[], reply: unknown): void {
    // A portal that uses up points states those, and says nothing of its own limit.
    const ofPoints = mode === 'graphql' || headers['ratelimit-scope'] === 'graphql';
    if (ofPoints && !hasPoints) charges.push({ budget: options.points, amount: 0, allowances: {} });
    hasPoints ||= ofPoints;
    const told = charges.at(ofPoints ? -1 : 0);
    if (told === undefined) return;
    const stated = parseAllowances(headers);
    if (statusCode === 429) {
      const known = ofPoints ? limit : documented.portal.limits.organization;
      told.allowances = limitedBy(mode, { stated, reply, limit: known });
    } else if (statusCode < 400) {
      told.allowances = { user: unlimited, organization: unlimited, ...stated };
      if (ofPoints) limit = Math.min(...Object.values(told.allowances).map((each) => each.limit));
    } else {
      told.allowances = stated;
    }
  }

  function send({ document, variables, signal }: GraphqlRequest): Promise<Dispatcher.ResponseData> {
    return dispatcher.request({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method: 'POST',
      headers: {
        authorization: `Bearer ${token()}`,
        accept: 'application/json',
        'content-type': 'application/json',
        'user-agent': 'kitemirror',
      },
      body: JSON.stringify(mode === 'portal' ? variables : { query: document, variables }),
      headersTimeout: headersTimeoutMs,
      bodyTimeout: bodyTimeoutMs,
      signal: AbortSignal.any([signal, AbortSignal.timeout(exchangeMs)]),
    });
  }

  return {
    mode,
    token,
    mostPoints,
    ask: async (request) => {
      for (let attempt = 1; ; ) {
        try {
          const answer = await once(request);
          if (answer !== null) return answer;
        } catch (thrown) {
          if (request.signal.aborted) throw thrown;
          const error = thrown instanceof MirrorError ? thrown : unreachable(mode, thrown);
          if (error.code !== 'ERR_UPSTREAM_UNAVAILABLE' || attempt >= attempts) throw error;
          const pauseMs = firstBackoffMs * 2 ** (attempt - 1) * (0.5 + Math.random());
          await sleep(pauseMs, undefined, { signal: request.signal });
          attempt += 1;
        }
      }
    },
  };
}

function unreachable(api: GraphqlMode, cause: unknown): MirrorError {
  return new MirrorError('ERR_UPSTREAM_UNAVAILABLE', `${nameOf(api)} cannot be reached`, { api }, cause);
}

function refused(api: GraphqlMode, status: number): MirrorError {
  const details = { api, status };
  if (status === 401 || status === 403 || (status === 404 && api === 'portal')) return denied(api, details);
  if (status >= 500 || status === 408) {
    return new MirrorError('ERR_UPSTREAM_UNAVAILABLE', `${nameOf(api)} answered ${status}`, details);
  }
  const text = `${nameOf(api)} answered ${status}, which nothing here expects`;
  return new MirrorError('ERR_UPSTREAM_MALFORMED', text, details);
}

function nameOf(api: GraphqlMode): string {
  return api === 'portal' ? 'The portal' : "Buildkite's GraphQL API";
}
