/**
 * What readers ask that is not a file: listings, redirects, filtered lists, and pages that the worker has not written
 * yet. GET and HEAD only, but for what asks the workers for something; every path on the disk is built from a record or from a parsed address, never from a URL.
 */
import express, { type Express, type Request, type RequestHandler } from 'express';
import { MirrorError } from '../errors.ts';
import { answerWithError, requestId } from './answers.ts';
import { buildsRouter } from './builds.ts';
import { foldersRouter } from './folders.ts';
import { jobsRouter } from './jobs.ts';
import { ledgerRouter } from './ledger.ts';
import type { ReaderParts } from './parts.ts';
import { upstreamRouter } from './upstream.ts';

const longestPath = 10_000;
const longestQuery = 2_000;

export function createReaders(parts: ReaderParts): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.enable('case sensitive routing');
  app.use(limitRequest);
  app.get('/-/healthz', (_request, response) => {
    response.set('Cache-Control', 'no-store').type('text/plain').send('ok\n');
  });
  app.use(ledgerRouter(parts), upstreamRouter(parts), buildsRouter(parts), jobsRouter(parts), foldersRouter(parts));
  app.use((request: Request) => {
    throw new MirrorError('ERR_NOT_FOUND', 'there is nothing at this address', { method: request.method });
  });
  app.use(answerWithError(parts.log));
  return app;
}

const limitRequest: RequestHandler = (request, response, next) => {
  response.set({ 'X-Content-Type-Options': 'nosniff', 'X-Request-Id': requestId(request) });
  const asks = request.method === 'POST' && request.path.startsWith('/-/ledger/');
  if (request.method !== 'GET' && request.method !== 'HEAD' && !asks) {
    response.set('Allow', 'GET, HEAD');
    throw new MirrorError('ERR_METHOD_NOT_ALLOWED', `${request.method} is not allowed here`);
  }
  const cut = request.originalUrl.indexOf('?');
  const pathLength = cut === -1 ? request.originalUrl.length : cut;
  if (pathLength > longestPath || request.originalUrl.length - pathLength > longestQuery) {
    throw new MirrorError('ERR_REQUEST_MALFORMED', 'the address is too long');
  }
  next();
};
