/** How the gateway answers: pages, redirects, errors. */
import { createHash, randomUUID } from 'node:crypto';
import type { ErrorRequestHandler, Request, Response } from 'express';
import { MirrorError, policyOf, toMirrorError } from '../errors.ts';
import { type Log, logError } from '../log.ts';
import { renderError } from '../pages/error.ts';
import { pageSecurityPolicy } from '../pages/layout.ts';

const decisionHeader = 'X-Kitemirror-Decision';
/** What keeps the gateway busy is done in about so long. */
const busySeconds = '2';
const refusals: ReadonlySet<number> = new Set([401, 403]);

/**
 * Pages may be kept but are asked for again each time.
 * @param cache `no-store` for what may not be kept at all
 * @param tag of the file that the page is from now on; else it is a digest of the very bytes
 */
export function sendPage(
  response: Response,
  page: string,
  cache: 'no-cache' | 'no-store' = 'no-cache',
  tag: string | null = null,
): void {
  response.set({
    'Cache-Control': cache,
    'Content-Security-Policy': pageSecurityPolicy(response.req.get('host')),
    ETag: tag ?? `"${createHash('sha256').update(page).digest('base64url')}"`,
  });
  response.type('html').send(page);
}

/** @param location percent-encoded, beginning with one slash: never leads to another host */
export function sendRedirect(response: Response, location: string): void {
  response.status(302).set({ 'Cache-Control': 'no-store', Location: location }).end();
}

/** The id that the front gave the request and has in its access log; one of our own where it is missing. */
export function requestId(request: Request): string {
  const given = request.get('x-request-id');
  return given !== undefined && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID();
}

/** The one place that turns an error into an answer: JSON, or a page for who asks for HTML. */
/**
 * For the access log: what was decided about a reader, and why. The front takes this header out of the answer
 * (lighttpd/complete.lua).
 */
export function noteDecision(response: Response, decision: 'allowed' | 'refused', reason = ''): void {
  response.set(decisionHeader, `${decision} ${reason}`.trim());
}

export function answerWithError(log: Log): ErrorRequestHandler {
  return (thrown: unknown, request, response, _next) => {
    const error = fromRouting(thrown);
    const id = response.get('X-Request-Id') ?? requestId(request);
    const { status } = policyOf(error.code);
    if (status >= 500) logError(log, error, 'a reader was not answered', { id });
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const message = error.code === 'ERR_INTERNAL' ? 'an error of the mirror’s own; its log has the id' : error.message;
    // Whoever refuses says why; of the rest the code tells it.
    if (refusals.has(status) && response.get(decisionHeader)?.startsWith('refused') !== true)
      noteDecision(response, 'refused', error.code);
    if (error.code === 'ERR_READER_BUSY') response.set('Retry-After', busySeconds);
    response.status(status).set({ 'Cache-Control': 'no-store', Vary: 'Accept' });
    if (request.get('accept')?.includes('text/html') === true) {
      response
        .set('Content-Security-Policy', pageSecurityPolicy(request.get('host')))
        .type('html')
        .send(renderError({ status, message, id }));
    } else {
      response.json({ error: error.code, message, id });
    }
  };
}

/** Express itself finds fault with addresses that are not percent-encoded UTF-8. */
function fromRouting(thrown: unknown): MirrorError {
  if (!(thrown instanceof URIError)) return toMirrorError(thrown);
  return new MirrorError('ERR_REQUEST_MALFORMED', 'the address is not percent-encoded UTF-8', {}, thrown);
}
