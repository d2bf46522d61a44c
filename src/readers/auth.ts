/**
 * `/-/auth/…`: people sign in and out and see who they are, CI jobs exchange their agent's token for one of ours, a reader
 * makes a link to one file. Why something was refused is in the audit log, never in the answer.
 */
import { json, type NextFunction, type Request, type Response, Router } from 'express';
import { returnPath } from '../identity/sealed-state.ts';
import { accountPath, renderAccount } from '../pages/account.ts';
import { sendPage } from './answers.ts';
import { type AuthParts, malformed } from './auth-parts.ts';
import { exchange } from './exchange.ts';
import { callerOf } from './guard.ts';
import { finish, login, logout } from './login.ts';
import { makeLink } from './make-link.ts';

export function authRouter(parts: AuthParts): Router {
  const router = Router({ caseSensitive: true });
  /** States that a login was finished with: a code is good once, whatever the provider thinks. */
  const finished = new Map<string, number>();
  const callback = new URL('/-/auth/callback', parts.origin);
  router.use('/-/auth', (_request, response, next) => {
    response.set('Cache-Control', 'no-store');
    next();
  });
  router.get(accountPath, (request, response) => account(parts, request, response));
  router.get('/-/auth/login', (request, response) => login(parts, callback, request, response));
  router.get('/-/auth/callback', (request, response) => finish(parts, callback, finished, request, response));
  router.post('/-/auth/logout', (request, response) => logout(parts, request, response));
  router.get('/-/auth/me', (request, response) => {
    const { kind, name, issuer, session } = callerOf(parts.identity, request);
    response.json({ kind, name, issuer, session });
  });
  router.post('/-/auth/token', (request, response) => exchange(parts, request, response));
  router.use('/-/auth/links', json({ limit: '8kb' }), badJson);
  router.post('/-/auth/links', (request, response) => makeLink(parts, request, response));
  return router;
}

/** Who is signed in, and the way in or out; works without a script. */
function account({ identity, origin }: AuthParts, request: Request, response: Response): void {
  const { kind, name, issuer } = callerOf(identity, request);
  const from = request.get('referer') ?? '';
  const path = from.startsWith(`${origin}/`) ? returnPath(from.slice(origin.length)) : '/';
  // Who is signed in may never be kept.
  sendPage(response, renderAccount({ kind, name, issuer, hasLogin: identity.hasLogin, to: path }), 'no-store');
}

function badJson(thrown: unknown, _request: Request, _response: Response, next: NextFunction): void {
  next(malformed(thrown instanceof Error ? 'the body must be a small JSON object' : 'the body cannot be read'));
}
