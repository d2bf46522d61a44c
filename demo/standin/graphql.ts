/**
 * A request to the GraphQL API (`POST https://graphql.buildkite.com/v1`), and one operation from its document to its
 * answer, as portals run theirs too. What is refused is worded as documented.
 * @see https://buildkite.com/docs/apis/graphql-api
 */
import {
  type DocumentNode,
  executeSync,
  type FragmentDefinitionNode,
  getOperationAST,
  getVariableValues,
  Kind,
} from 'graphql';
import { type Answer, notFound, rawJson } from './answer.ts';
import type { Api, ApiRequest } from './api.ts';
import type { FaultKind } from './faults.ts';
import { actualPoints, type Cost, requestedCost } from './graphql-cost.ts';
import { leftOut } from './graphql-faults.ts';
import type { NodeContext } from './graphql-nodes.ts';
import { rootOf } from './graphql-root.ts';
import { parseDocument, schema } from './graphql-schema.ts';
import { errorsAnswer, type PointLimiter, pointRefusal } from './points.ts';
import { findToken, type StandInToken } from './tokens.ts';

/** Of a token with "Enable GraphQL API access". */
const scope = 'graphql';
const help = 'https://buildkite.com/docs/apis/graphql-api#authentication';

export function answerGraphql(api: Api, request: ApiRequest): Answer {
  if (request.method !== 'POST') return notFound;
  const token = findToken(api.tokens, request.headers.authorization);
  if (token === undefined) {
    return errorsAnswer(401, [{ message: `Authentication required. Please supply a valid API Access Token: ${help}` }]);
  }
  const answer = answerKnown(api, request, token);
  return { ...answer, headers: { ...answer.headers, ...api.graphql.points.headers(token.user) } };
}

function answerKnown(api: Api, request: ApiRequest, token: StandInToken): Answer {
  const { points, enabled } = api.graphql;
  if (!enabled || !token.scopes.includes(scope)) {
    return errorsAnswer(403, [{ message: "Your access token doesn't have the graphql scope" }]);
  }
  const refused = points.check(token.user);
  if (refused !== null) return refused;
  const { query, variables, operationName } = jsonObject(request) ?? {};
  if (typeof query !== 'string') return errorsAnswer(400, [{ message: 'No query string was present' }]);
  const document = parseDocument(query);
  if (document instanceof Error) return errorsAnswer(200, [document]);
  return runOperation(api, request, {
    document,
    operationName: typeof operationName === 'string' ? operationName : null,
    variables: typeof variables === 'string' ? parseObject(variables) : (variables ?? {}),
    viewer: token,
    payer: token,
  });
}

export interface Operation {
  /** Fits the schema. */
  readonly document: DocumentNode;
  /** Null: the only one. */
  readonly operationName: string | null;
  readonly variables: unknown;
  readonly viewer: StandInToken | null;
  /** Whose points are used besides the organization's; null: nobody's, and not the organization's either. */
  readonly payer: { readonly user: string | null } | null;
}

export function runOperation(api: Api, request: ApiRequest, operation: Operation): Answer {
  const { pageSize, points } = api.graphql;
  const spoiled = faultAnswer(request.fault, points);
  if (spoiled !== null) return spoiled;
  const { document, operationName, variables, viewer, payer } = operation;
  const chosen = getOperationAST(document, operationName);
  if (chosen == null) return errorsAnswer(200, [{ message: 'An operation name is required' }]);
  if (!isObject(variables)) return errorsAnswer(400, [{ message: 'Variables are invalid JSON' }]);
  const { coerced, errors } = getVariableValues(schema, chosen.variableDefinitions ?? [], variables);
  if (errors !== undefined) return errorsAnswer(200, errors);
  const fragments = fragmentsOf(document);
  const requested = requestedCost({ schema, operation: chosen, fragments, variables: coerced, pageSize });
  const tooMuch = overLimit(requested, points);
  if (tooMuch !== null) return errorsAnswer(200, [{ message: tooMuch }]);
  const rootValue = rootOf(nodeContext(api, request), viewer);
  const result = executeSync({ schema, document, rootValue, variableValues: variables, operationName });
  const actual = actualPoints(result.data);
  if (payer !== null) points.spend(payer.user, actual);
  request.note({ points: actual, variables: coerced });
  const stats = { stats: { requestedComplexity: requested.points, actualComplexity: actual } };
  const wantsStats = request.headers['buildkite-include-query-stats'] === 'true';
  return rawJson(render({ ...result, ...(wantsStats ? stats : {}) }, request.fault), {
    'RateLimit-Complexity-Requested': String(requested.points),
    'RateLimit-Complexity-Actual': String(actual),
  });
}

function nodeContext({ upstream, storageUrl, behaviour, now, graphql }: Api, { fault }: ApiRequest): NodeContext {
  const ofArtifacts = fault?.kind === 'partial' || fault?.kind === 'wrongUrl' ? fault : null;
  const { linkSeconds } = behaviour;
  return { upstream, storageUrl, now: now(), linkSeconds, pageSize: graphql.pageSize, fault: ofArtifacts };
}

/** Looking at each value is slow, with tens of thousands of them. */
function render(result: unknown, fault: FaultKind | null): string {
  if (fault?.kind !== 'partial') return JSON.stringify(result);
  return JSON.stringify(result, (_name, value: unknown) => (value === leftOut ? undefined : value));
}

function faultAnswer(fault: FaultKind | null, { limits }: PointLimiter): Answer | null {
  if (fault?.kind === 'graphqlErrors') {
    return errorsAnswer(200, [{ message: fault.message ?? 'Something went wrong' }], null);
  }
  if (fault?.kind !== 'status') return null;
  if (fault.status === 429) return pointRefusal('organization', limits.organization ?? 20_000, fault.seconds ?? 1);
  return errorsAnswer(fault.status, [{ message: fault.status >= 500 ? 'Something went wrong on our end' : 'Refused' }]);
}

function overLimit({ points, depth }: Cost, { limits }: PointLimiter): string | null {
  if (limits.query !== null && points > limits.query) {
    return `Query has complexity of ${points}, which exceeds max complexity of ${limits.query}`;
  }
  // Not documented: as the library words it that the sentence above comes from (graphql-ruby).
  if (limits.depth !== null && depth > limits.depth) {
    return `Query has depth of ${depth}, which exceeds max depth of ${limits.depth}`;
  }
  return null;
}

function fragmentsOf(document: DocumentNode): Map<string, FragmentDefinitionNode> {
  const fragments = document.definitions.filter((each) => each.kind === Kind.FRAGMENT_DEFINITION);
  return new Map(fragments.map((each) => [each.name.value, each]));
}

/** The body of a request; null where it is not a JSON object, or not called JSON. */
export function jsonObject({ headers, body }: ApiRequest): Record<string, unknown> | null {
  return /^application\/json\b/i.test(headers['content-type'] ?? '') ? parseObject(body) : null;
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
