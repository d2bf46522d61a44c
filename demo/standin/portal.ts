/**
 * A request to a portal. Its body is the operation's variables, as JSON; a document with several operations needs
 * `?operation_name=`. How a portal refuses is documented for its request limit alone; the rest is worded as by the REST
 * API.
 * @see https://buildkite.com/docs/apis/graphql/portals
 */
import { type Answer, notFound, refusal } from './answer.ts';
import { type Api, type ApiRequest, faultyStatus } from './api.ts';
import { jsonObject, runOperation } from './graphql.ts';
import { limitRefusal } from './limits.ts';
import type { StoredPortal } from './portals.ts';
import { unauthorized } from './tokens.ts';

export function answerPortal(api: Api, request: ApiRequest): Answer {
  const portal = api.portals.known.get(request.path);
  if (portal === undefined || request.method !== 'POST') return notFound;
  if (request.headers.authorization !== `Bearer ${portal.token}`) return unauthorized;
  const { headers, refused } = api.portals.limiter.count();
  const answer = refused ?? answerCounted(api, request, portal);
  return { ...answer, headers: { ...headers, ...answer.headers } };
}

function answerCounted(api: Api, request: ApiRequest, portal: StoredPortal): Answer {
  const { fault } = request;
  if (fault?.kind === 'status') {
    return fault.status === 429 ? limitRefusal('portal', 200, 201, fault.seconds ?? 1) : faultyStatus(fault.status, 0);
  }
  const { points } = api.graphql;
  const spent = portal.points === true ? points.check(null) : null;
  if (spent !== null) return { ...spent, headers: { ...spent.headers, ...points.headers(null) } };
  const variables = jsonObject(request);
  if (variables === null) return refusal(400, 'The request body must be a JSON object');
  const operationName = new URLSearchParams(request.query).get('operation_name');
  const payer = portal.points === true ? { user: null } : null;
  return runOperation(api, request, { document: portal.parsed, operationName, variables, viewer: null, payer });
}
