/**
 * One REST request: budget, token, time limits, retries, and the meaning of each status. The token goes to the API's
 * own origin and nowhere else; redirects are never followed here.
 * @see https://buildkite.com/docs/apis/rest-api
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import { type ErrorDetails, MirrorError } from '../errors.ts';
import {
  type Allowance,
  type Allowances,
  type Budget,
  documented,
  parseAllowances,
  type Scope,
  unlimited,
  type WorkClass,
} from './budget.ts';

/** Closed set: the label of a metric. */
export type Purpose =
  | 'pipeline'
  | 'pipelines'
  | 'build'
  | 'builds'
  | 'job'
  | 'artifacts'
  | 'download'
  | 'log'
  | 'annotations'
  | 'services'
  | 'meta'
  | 'token';

export interface RestOptions {
  /** `https://api.buildkite.com`: origin and prefix before `/v2`. */
  readonly apiUrl: URL;
  /** Read for each request, so that a rotated token is used at once. */
  readonly token: () => string;
  readonly dispatcher: Dispatcher;
  readonly budget: Budget;
  readonly workClass: WorkClass;
  readonly onAnswer?: (purpose: Purpose, status: number) => void;
  /** How long an answer may let one wait: for its head, and between two parts of its body. */
  readonly timeouts?: { readonly headersMs: number; readonly bodyMs: number };
}

export interface RestRequest {
  /** After `/v2`, with its query; percent-encoded. */
  readonly path: string;
  readonly purpose: Purpose;
  readonly signal: AbortSignal;
  /** `POST` is sent once: what became of one whose answer is lost is not known. */
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH';
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly accept?: string;
  /** As in a `Range` header. */
  readonly range?: string;
  /** Before other requests of its class that wait for the budget. */
  readonly ahead?: boolean;
  /** Statuses that are an answer and not an error. */
  readonly expect?: readonly number[];
}

export type RestAnswer = Dispatcher.ResponseData;

const attempts = 4;
const firstBackoffMs = 250;
const unexplainedWaitMs = 5000;
const usualTimeouts = { headersMs: 30_000, bodyMs: 60_000 };

export type Rest = (request: RestRequest) => Promise<RestAnswer>;

export function createRest(options: RestOptions): Rest {
  const { dispatcher, budget, apiUrl, token, workClass, timeouts = usualTimeouts } = options;
  const prefix = apiUrl.pathname.replace(/\/$/, '');

  async function once(request: RestRequest): Promise<RestAnswer | 'limited'> {
    await budget.spend({ signal: request.signal, workClass, ahead: request.ahead ?? false });
    let allowances: Allowances = {};
    try {
      const answer = await dispatcher.request({
        origin: apiUrl.origin,
        path: `${prefix}/v2${request.path}`,
        method: request.method ?? 'GET',
        headers: {
          authorization: `Bearer ${token()}`,
          accept: request.accept ?? 'application/json',
          'user-agent': 'kitemirror',
          ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(request.range === undefined ? {} : { range: request.range }),
        },
        ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
        headersTimeout: timeouts.headersMs,
        bodyTimeout: timeouts.bodyMs,
        signal: request.signal,
      });
      options.onAnswer?.(request.purpose, answer.statusCode);
      // Who reads the body is told of its errors; one that nobody reads to its end must not end the process.
      answer.body.on('error', () => undefined);
      const stated = parseAllowances(answer.headers);
      allowances = answer.statusCode < 400 ? { user: unlimited, organization: unlimited, ...stated } : stated;
      if (answer.statusCode !== 429) return answer;
      allowances = orSomeWait({ ...allowances, ...limitedScope(await answer.body.json().catch(() => null)) });
      return 'limited';
    } finally {
      budget.settle(allowances);
    }
  }

  return async (request) => {
    const expected = request.expect ?? [200];
    for (let attempt = 1; ; ) {
      const answer = await once(request).catch((error: unknown) => {
        if (request.signal.aborted) throw error;
        return error instanceof Error ? error : new Error(String(error));
      });
      // A limited request waits for its budget; that is not an attempt.
      if (answer === 'limited') continue;
      if (!(answer instanceof Error) && expected.includes(answer.statusCode)) return answer;
      const error = answer instanceof Error ? unreachable(request, answer) : await refused(request, answer);
      if (error.code !== 'ERR_UPSTREAM_UNAVAILABLE' || attempt >= attempts || request.method === 'POST') throw error;
      await sleep(firstBackoffMs * 2 ** (attempt - 1) * (0.5 + Math.random()), undefined, { signal: request.signal });
      attempt += 1;
    }
  };
}

/** A 429 that does not say what is spent, as of some proxy's in between, must not be answered by asking at once again. */
function orSomeWait(stated: Allowances): Allowances {
  if (Object.values(stated).some((allowance) => allowance.remaining === 0)) return stated;
  const limit = stated.user?.limit ?? documented.rest.limits.user;
  return { ...stated, user: { limit, remaining: 0, resetMs: unexplainedWaitMs } };
}

/** A 429 names the scope that is spent, and how many seconds it lasts; its headers may lag behind. */
function limitedScope(body: unknown): Allowances {
  if (typeof body !== 'object' || body === null) return {};
  const { scope, limit, reset } = body as Record<string, unknown>;
  if (typeof limit !== 'number' || typeof reset !== 'number') return {};
  const spent: Allowance = { limit, remaining: 0, resetMs: Math.max(reset, 1) * 1000 };
  const which: Scope = typeof scope === 'string' && scope.endsWith('_user') ? 'user' : 'organization';
  return { [which]: spent };
}

function detailsOf(request: RestRequest, status?: number): ErrorDetails {
  return { path: request.path.split('?')[0], purpose: request.purpose, ...(status === undefined ? {} : { status }) };
}

function unreachable(request: RestRequest, cause: Error): MirrorError {
  return new MirrorError('ERR_UPSTREAM_UNAVAILABLE', 'Buildkite cannot be reached', detailsOf(request), cause);
}

async function refused(request: RestRequest, answer: RestAnswer): Promise<MirrorError> {
  const status = answer.statusCode;
  await answer.body.dump();
  const details = detailsOf(request, status);
  if (status === 401) return new MirrorError('ERR_UPSTREAM_DENIED', 'Buildkite refuses the API token', details);
  if (status === 403) {
    return new MirrorError(
      'ERR_UPSTREAM_DENIED',
      `The API token may not ${request.body === undefined ? 'read' : 'write'} ${request.purpose} (missing scope?)`,
      details,
    );
  }
  if (status === 404 || status === 410) {
    return new MirrorError('ERR_UPSTREAM_GONE', `Buildkite has no such ${request.purpose}`, details);
  }
  if (status >= 500 || status === 408) {
    return new MirrorError('ERR_UPSTREAM_UNAVAILABLE', `Buildkite answered ${status}`, details);
  }
  return new MirrorError('ERR_UPSTREAM_MALFORMED', `Buildkite answered ${status}, which nothing here expects`, details);
}
