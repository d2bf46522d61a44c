/** One HTTP request of either server: read, noted, answered, sent. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer } from './answer.ts';
import { type Api, type ApiRequest, answerApi, faultyStatus, htmlAnswer, redirect } from './api.ts';
import type { FaultKind, Faults } from './faults.ts';
import type { Latency, SeenRequest, Side } from './standin.ts';
import { answerStorage } from './storage.ts';
import { compressed, transmit } from './transmit.ts';

export interface Origin {
  readonly api: Api;
  readonly faults: Faults;
  readonly latency: Latency;
  /** Null: not kept. */
  readonly requests: SeenRequest[] | null;
}

export async function exchange(
  origin: Origin,
  at: Side,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const parsed = parseRequest(at, request, origin.faults);
  const seen = seenRequest(at, parsed);
  origin.requests?.push(seen);
  const waitMs = at === 'api' ? origin.latency.apiMs : origin.latency.storageMs;
  if (waitMs > 0) await sleep(waitMs);
  const plain = at === 'api' ? answerApi(origin.api, parsed) : answerDownload(origin.api, parsed);
  const zips = at === 'api' && origin.api.behaviour.gzip && parsed.fault === null;
  const answer = zips ? compressed(request, plain) : plain;
  seen.status = isSilent(parsed.fault) ? 0 : answer.status;
  seen.bytes = await transmit(response, answer, parsed.fault);
}

function answerDownload(api: Api, request: ApiRequest): Answer {
  const { fault } = request;
  if (fault?.kind === 'status') return faultyStatus(fault.status, fault.seconds ?? 1);
  if (fault?.kind === 'redirect') return redirect(fault.to, request);
  if (fault?.kind === 'html') return htmlAnswer;
  return answerStorage(api.upstream, { ...request, now: api.now() });
}

function parseRequest(at: Side, request: IncomingMessage, faults: Faults): ApiRequest {
  const target = request.url ?? '/';
  const cut = target.indexOf('?');
  const path = cut < 0 ? target : target.slice(0, cut);
  const query = cut < 0 ? '' : target.slice(cut + 1);
  const { method = 'GET', headers } = request;
  return { method, path, query, headers, fault: faults.take(at, path) };
}

function seenRequest(at: Side, { method, path, query, headers, fault }: ApiRequest): SeenRequest {
  return {
    at,
    method,
    path: at === 'api' && query !== '' ? `${path}?${query}` : path,
    authorization: headers.authorization !== undefined,
    range: headers.range ?? null,
    fault: fault?.kind ?? null,
    status: 0,
    bytes: 0,
  };
}

function isSilent(fault: FaultKind | null): boolean {
  return (fault?.kind === 'reset' || fault?.kind === 'hang') && fault.afterBytes === undefined;
}
