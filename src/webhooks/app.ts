/**
 * Deliveries in: `POST /-/webhooks/buildkite`, and the readiness of this program. Checks run in one fixed order, each
 * with its own answer: method, media type, size, signature, JSON, schema. Nothing is parsed before it is verified, and
 * a delivery is accepted when its hint is in the journal, whatever becomes of the queue.
 */
import { finished } from 'node:stream';
import express, { type ErrorRequestHandler, type Express, type RequestHandler, type Response } from 'express';
import { parseEvent } from '../buildkite/events.ts';
import { type ProofRule, verifiedText } from '../buildkite/signature.ts';
import { MirrorError } from '../errors.ts';
import { sendError, sendJson } from '../http.ts';
import { type Log, logError } from '../log.ts';
import { type DeliveryEvent, deliveryEvents, type ReceiverMetrics } from '../metrics/receiver.ts';
import type { Readiness } from '../metrics/serve.ts';
import type { Hint } from '../model.ts';
import { maxBodyBytes, outcomeOf, refusalOf } from './refusals.ts';

export interface ReceiverAppOptions {
  readonly organization: string;
  /** Asked at each delivery, so that secrets can be exchanged without a restart. */
  readonly proofRule: () => ProofRule;
  /** Resolves when the hint is on disk. @throws MirrorError ERR_JOURNAL_UNAVAILABLE */
  readonly accept: (hint: Hint) => Promise<{ delivery: string }>;
  readonly readiness: () => Promise<Readiness>;
  readonly metrics: ReceiverMetrics;
  readonly log: Log;
  /** ms since 1970 */
  readonly now?: () => number;
}

interface Locals {
  event?: DeliveryEvent;
}
type Answer = Response<unknown, Locals>;

export function createReceiverApp(options: ReceiverAppOptions): Express {
  const app = express();
  app.set('case sensitive routing', true).set('strict routing', true).disable('x-powered-by').disable('etag');
  const raw = express.raw({ limit: maxBodyBytes, type: () => true, inflate: false });
  app.all('/-/webhooks/buildkite', allow('POST'), observe(options.metrics), requireJson, raw, deliver(options));
  app.all('/-/readyz', allow('GET', 'HEAD'), readyz(options.readiness));
  app.use(() => {
    throw new MirrorError('ERR_NOT_FOUND', 'nothing here; webhooks go to POST /-/webhooks/buildkite');
  });
  app.use(answerError(options.log));
  return app;
}

function allow(...methods: string[]): RequestHandler {
  return (request, response, next) => {
    if (methods.includes(request.method)) return next();
    response.setHeader('Allow', methods.join(', '));
    throw new MirrorError('ERR_METHOD_NOT_ALLOWED', `${request.method} is not answered here; ${methods.join(', ')} is`);
  };
}

function observe(metrics: ReceiverMetrics): RequestHandler {
  return (_request, response: Answer, next) => {
    const begunAt = performance.now();
    response.once('close', () => {
      const seconds = (performance.now() - begunAt) / 1000;
      metrics.delivered(response.locals.event ?? 'none', outcomeOf(response), seconds);
    });
    next();
  };
}

const requireJson: RequestHandler = (request, _response, next) => {
  const type = (request.headers['content-type'] ?? '').split(';')[0] ?? '';
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (type.trim().toLowerCase() !== 'application/json') {
    throw new MirrorError('ERR_DELIVERY_MEDIA_TYPE', 'the Content-Type must be application/json');
  }
  if (encoding.toLowerCase() !== 'identity') {
    throw new MirrorError('ERR_DELIVERY_MEDIA_TYPE', 'the body must not be compressed');
  }
  next();
};

function deliver({ organization, proofRule, accept, now = Date.now, log }: ReceiverAppOptions): RequestHandler {
  return async (request, response: Answer) => {
    const body: unknown = request.body;
    const proof = {
      signature: header(request.headers['x-buildkite-signature']),
      token: header(request.headers['x-buildkite-token']),
    };
    const text = await verifiedText(Buffer.isBuffer(body) ? body : Buffer.alloc(0), proof, proofRule(), now());
    const event = parseEvent(parseJson(text), organization, now());
    if (event.kind === 'ping') {
      response.locals.event = 'ping';
      sendJson(response, 200, { event: 'ping' });
    } else if (event.kind === 'ignored') {
      response.locals.event = deliveryEvents.find((name) => name === event.event) ?? 'other';
      response.status(204).end();
    } else {
      response.locals.event = event.hint.event;
      const { delivery } = await accept(event.hint);
      log.debug({ delivery, event: event.hint.event, build: event.hint.build }, 'accepted');
      sendJson(response, 202, { delivery });
    }
  };
}

function header(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Without its cause: the parser's message quotes the body, which may hold secrets.
    throw new MirrorError('ERR_DELIVERY_MALFORMED', 'the body is not JSON');
  }
}

function readyz(readiness: ReceiverAppOptions['readiness']): RequestHandler {
  return async (_request, response) => {
    const { ready, checks } = await readiness();
    if (ready) sendJson(response, 200, { status: 'ready' });
    else sendJson(response, 503, { status: 'unready', checks });
  };
}

/**
 * The one place that turns an error into an answer. Express knows it by its four parameters. What is left of a refused
 * body is read and dropped first: a connection that is closed on a sender who still writes takes the answer with it.
 * The server's limits on slow requests bound how long that goes on.
 */
function answerError(log: Log): ErrorRequestHandler {
  return (thrown: unknown, request, response, _next) => {
    const answer = (): void => {
      const { error, id } = sendError(response, refusalOf(thrown));
      logError(log, error, 'a request was refused', { id, path: request.path });
    };
    if (request.complete || request.destroyed) answer();
    else finished(request.resume(), answer);
  };
}
