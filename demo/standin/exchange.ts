/** One HTTP request of either server: read, noted, answered, sent. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer } from './answer.ts';
import { type Api, type ApiRequest, answerApi, faultyStatus, htmlAnswer, type Notes, redirect } from './api.ts';
import type { FaultKind, Faults, Side } from './faults.ts';
import { answerGraphql } from './graphql.ts';
import { answerPortal } from './portal.ts';
import type { Latency, SeenRequest } from './standin.ts';
import { answerStorage } from './storage.ts';
import { compressed, transmit } from './transmit.ts';

export interface Origin {
  readonly api: Api;
  readonly faults: Faults;
  readonly latency: Latency;
  /** Null: not kept. */
  readonly requests: SeenRequest[] | null;
}

/** What an API's request may hold. */
const maxBodyBytes = 1 << 20;

export async function exchange(
  origin: Origin,
  server: 'api' | 'storage',
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const target = request.url ?? '/';
  const cut = target.indexOf('?');
  const path = cut < 0 ? target : target.slice(0, cut);
  const query = cut < 0 ? '' : target.slice(cut + 1);
  const at = server === 'storage' ? server : sideOf(path);
  const fault = origin.faults.take(at, path);
  const { method = 'GET', headers } = request;
  const seen = seenRequest(at, fault, request, at === 'storage' || query === '' ? path : target);
  origin.requests?.push(seen);
  const waitMs = at === 'storage' ? origin.latency.storageMs : origin.latency.apiMs;
  if (waitMs > 0) await sleep(waitMs);
  const body = at === 'storage' || method === 'GET' || method === 'HEAD' ? '' : await readBody(request);
  const note = (notes: Notes): void => void Object.assign(seen, notes);
  const plain = answers[at](origin.api, { method, path, query, headers, body, fault, note });
  const zips = at !== 'storage' && origin.api.behaviour.gzip && fault === null;
  const answer = zips ? compressed(request, plain) : plain;
  response.setHeader('date', new Date(origin.api.now()).toUTCString());
  seen.status = isSilent(fault) ? 0 : answer.status;
  seen.bytes = await transmit(response, answer, fault);
}

const answers: Record<Side, (api: Api, request: ApiRequest) => Answer> = {
  api: answerApi,
  graphql: (api, request) => spoiled(request) ?? answerGraphql(api, request),
  portal: (api, request) => spoiled(request) ?? answerPortal(api, request),
  storage: answerDownload,
};

/** The REST API, GraphQL and the portals have hosts of their own at Buildkite; their paths differ all the same. */
function sideOf(path: string): Side {
  if (path === '/v1') return 'graphql';
  return /^\/organizations\/[^/]+\/portals\/[^/]+$/.test(path) ? 'portal' : 'api';
}

function answerDownload(api: Api, request: ApiRequest): Answer {
  const { fault } = request;
  if (fault?.kind === 'status') return faultyStatus(fault.status, fault.seconds ?? 1);
  return spoiled(request) ?? answerStorage(api.upstream, { ...request, now: api.now() });
}

function spoiled(request: ApiRequest): Answer | null {
  const { fault } = request;
  if (fault?.kind === 'redirect') return redirect(fault.to, request);
  return fault?.kind === 'html' ? htmlAnswer : null;
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= maxBodyBytes) chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function seenRequest(at: Side, fault: FaultKind | null, request: IncomingMessage, path: string): SeenRequest {
  const { method = 'GET', headers } = request;
  return {
    at,
    method,
    path,
    authorization: headers.authorization !== undefined,
    range: headers.range ?? null,
    fault: fault?.kind ?? null,
    status: 0,
    bytes: 0,
    points: null,
    variables: null,
  };
}

function isSilent(fault: FaultKind | null): boolean {
  return (fault?.kind === 'reset' || fault?.kind === 'hang') && fault.afterBytes === undefined;
}
