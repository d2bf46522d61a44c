/**
 * What readers ask that is not a file: listings, redirects, filtered lists, and pages that the worker has not written
 * yet. GET and HEAD only, but for what asks the workers for something; every path on the disk is built from a record or from a parsed address, never from a URL.
 */
import express, { type Express, type Request, type RequestHandler } from 'express';
import { MirrorError } from '../errors.ts';
import type { Catalog } from '../search/catalog.ts';
import { answerWithError, requestId } from './answers.ts';
import { buildsRouter } from './builds.ts';
import { compareRouter } from './compare.ts';
import { foldersRouter } from './folders.ts';
import { isOpenToAll, type ReaderIdentity, useIdentity } from './identity.ts';
import { jobsRouter } from './jobs.ts';
import { ledgerRouter } from './ledger.ts';
import type { ReaderParts } from './parts.ts';
import { scopedCatalog } from './scoped-catalog.ts';
import { searchRouter } from './search.ts';
import { upstreamRouter } from './upstream.ts';
import { viewsRouter } from './views.ts';

export interface ReaderSources extends Omit<ReaderParts, 'catalog' | 'isOpen'> {
  readonly catalog: () => Catalog | null;
  /** null: identity is off, and everybody reads everything. */
  readonly identity: ReaderIdentity | null;
}

const longestPath = 10_000;
const longestQuery = 2_000;

/** @param parts with the whole catalog: it is cut to the reader of the moment here, and nowhere else */
export function createReaders(whole: ReaderSources): Express {
  const parts: ReaderParts = {
    ...whole,
    catalog: () => {
      const catalog = whole.catalog();
      return catalog === null ? null : scopedCatalog(catalog);
    },
    isOpen: (build, folder) => whole.identity === null || isOpenToAll(whole.identity, build, folder),
  };
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.enable('case sensitive routing');
  app.use(limitRequest);
  app.get('/-/healthz', (_request, response) => {
    response.set('Cache-Control', 'no-store').type('text/plain').send('ok\n');
  });
  useIdentity(app, whole, whole.identity);
  // Of all builds at once: the guard lets in who reads everything.
  app.use(ledgerRouter(whole));
  app.use(readOnly);
  app.use(searchRouter(parts), compareRouter(parts));
  app.use(upstreamRouter(parts), viewsRouter(parts));
  app.use(buildsRouter(parts), jobsRouter(parts), foldersRouter(parts));
  app.use((request: Request) => {
    throw new MirrorError('ERR_NOT_FOUND', 'there is nothing at this address', { method: request.method });
  });
  app.use(answerWithError(parts.log));
  return app;
}

/** What changes something has come before. */
const readOnly: RequestHandler = (request, response, next) => {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.set('Allow', 'GET, HEAD');
    throw new MirrorError('ERR_METHOD_NOT_ALLOWED', `${request.method} is not allowed here`);
  }
  next();
};

const limitRequest: RequestHandler = (request, response, next) => {
  response.set({ 'X-Content-Type-Options': 'nosniff', 'X-Request-Id': requestId(request) });
  const cut = request.originalUrl.indexOf('?');
  const pathLength = cut === -1 ? request.originalUrl.length : cut;
  if (pathLength > longestPath || request.originalUrl.length - pathLength > longestQuery) {
    throw new MirrorError('ERR_REQUEST_MALFORMED', 'the address is too long');
  }
  next();
};
