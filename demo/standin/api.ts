/** A request to the REST API from its bytes to its answer: token, limits, fault, route, scope. */

import type { IncomingHttpHeaders } from 'node:http';
import { type Answer, json, notFound, refusal } from './answer.ts';
import type { Behaviour, Call } from './call.ts';
import type { FaultKind } from './faults.ts';
import type { PageSize } from './graphql-cost.ts';
import { type Limiter, limitRefusal } from './limits.ts';
import type { PointLimiter } from './points.ts';
import type { Portals } from './portals.ts';
import { findRoute } from './routes.ts';
import type { StandInServices } from './sample.ts';
import { describeToken, findToken, forbidden, type StandInToken, unauthorized } from './tokens.ts';
import type { Upstream } from './upstream.ts';

export interface Api {
  readonly upstream: Upstream;
  readonly services: StandInServices;
  readonly behaviour: Behaviour;
  readonly tokens: readonly StandInToken[];
  readonly limiter: Limiter;
  readonly graphql: Graphql;
  readonly portals: Portals;
  readonly webhookIps: readonly string[];
  readonly apiUrl: string;
  readonly storageUrl: string;
  readonly now: () => number;
}

export interface Graphql {
  /** False: no token has the permission. */
  readonly enabled: boolean;
  readonly pageSize: PageSize;
  readonly points: PointLimiter;
}

/** What is learned of a request when it is answered. */
export interface Notes {
  points: number;
  variables: Readonly<Record<string, unknown>>;
}

export interface ApiRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: IncomingHttpHeaders;
  /** Empty where none is read. */
  readonly body: string;
  readonly fault: FaultKind | null;
  readonly note: (notes: Notes) => void;
}

export function answerApi(api: Api, request: ApiRequest): Answer {
  if (request.path === '/') return json({ message: '🛠', timestamp: Math.floor(api.now() / 1000) });
  if (request.path === '/v2/meta') return json({ webhook_ips: api.webhookIps });
  const token = findToken(api.tokens, request.headers.authorization);
  if (token === undefined) return unauthorized;
  const { headers, refused } = api.limiter.count(token.user);
  const answer = refused ?? answerKnown(api, request, token);
  return { ...answer, headers: { ...answer.headers, ...headers, 'x-oauth-scopes': token.scopes.join(',') } };
}

function answerKnown(api: Api, request: ApiRequest, token: StandInToken): Answer {
  const { fault } = request;
  if (fault?.kind === 'status') return faultyStatus(fault.status, fault.seconds ?? 1);
  if (fault?.kind === 'redirect') return redirect(fault.to, request);
  if (fault?.kind === 'html') return htmlAnswer;
  if (request.path === '/v2/access-token') return describeToken(token);
  const segments = decodeSegments(request.path);
  const route = segments === null ? null : findRoute(request.method, segments);
  if (route === null) return notFound;
  const accepted = { 'x-accepted-oauth-scopes': route.scope };
  const answer = token.scopes.includes(route.scope)
    ? route.handle(callOf(api, request, token, route.parts))
    : forbidden;
  return { ...answer, headers: { ...answer.headers, ...accepted } };
}

function callOf(api: Api, request: ApiRequest, token: StandInToken, parts: Readonly<Record<string, string>>): Call {
  const { behaviour, apiUrl, storageUrl, upstream } = api;
  const { organization = '', pipeline = '', number = '', job = '', artifact = '', service = '' } = parts;
  const view = { base: apiUrl, dates: behaviour.dates, webhookUrl: token.scopes.includes('write_pipelines') };
  const { method, path, headers, fault, body } = request;
  const { services } = api;
  const names = { organization, pipeline, number: Number(number), job, artifact, service };
  const query = new URLSearchParams(request.query);
  return {
    upstream,
    services,
    behaviour,
    method,
    path,
    query,
    body,
    ...names,
    headers,
    view,
    storageUrl,
    fault,
    now: api.now,
  };
}

function decodeSegments(path: string): string[] | null {
  try {
    return path.slice(1).split('/').map(decodeURIComponent);
  } catch (fault) {
    if (fault instanceof URIError) return null;
    throw fault;
  }
}

/** @param seconds of a 429's `reset` */
export function faultyStatus(status: number, seconds: number): Answer {
  if (status === 429) return limitRefusal('rest', 200, 201, seconds);
  return refusal(status, status >= 500 ? 'Something went wrong on our end' : 'Refused');
}

export function redirect(to: string, request: { readonly path: string; readonly query: string }): Answer {
  const location = to === 'self' ? `${request.path}${request.query === '' ? '' : `?${request.query}`}` : to;
  return { ...json({ url: location }, { location, 'cache-control': 'no-cache' }), status: 302 };
}

export const htmlAnswer: Answer = {
  status: 200,
  headers: { 'content-type': 'text/html; charset=utf-8' },
  body: '<!doctype html><title>Just a moment</title><p>Checking your browser before you go on.</p>',
};
