/**
 * `/-/auth/…`: people sign in and out, CI jobs exchange their agent's token for one of ours, a reader makes a link to one
 * file. Why something was refused is in the audit log, never in the answer.
 */
import { json, type NextFunction, type Request, type Response, Router } from 'express';
import { MirrorError, toMirrorError } from '../errors.ts';
import type { Caller } from '../identity/authenticate.ts';
import { sessionCookie } from '../identity/authenticate.ts';
import type { VerifiedJob } from '../identity/ci.ts';
import { canRead } from '../identity/decide.ts';
import type { People, SignedIn } from '../identity/people.ts';
import { openState, returnPath, sealState } from '../identity/sealed-state.ts';
import { seal } from '../identity/seals.ts';
import { newId } from '../identity/state.ts';
import { type AuditLine, writeAudit } from '../tree/audit.ts';
import { readLabel } from '../tree/labels.ts';
import type { DataPaths } from '../tree/paths.ts';
import { placeOf } from './address.ts';
import { requestId } from './answers.ts';
import { addressOf, callerOf, type GuardIdentity } from './guard.ts';
import { beginSession, clearCookie, cookieOf, loginCookie, nowSeconds, setCookie } from './session.ts';

export interface AuthIdentity extends GuardIdentity {
  readonly people: People | null;
  readonly sessionSeconds: number;
  readonly verifyJob: (token: string, nowSeconds: number) => Promise<VerifiedJob>;
  /** Hears of who has signed in, to ask the provider about them again. */
  readonly onSignIn: (signedIn: SignedIn) => void;
}

export interface AuthParts {
  readonly paths: DataPaths;
  readonly organization: string;
  /** KITEMIRROR_URL's. */
  readonly origin: string;
  readonly identity: AuthIdentity;
}

const loginSeconds = 600;
const bearerSeconds = 3600;
const linkDays = { usual: 7, most: 30 };
const daySeconds = 86_400;

export function authRouter(parts: AuthParts): Router {
  const router = Router({ caseSensitive: true });
  /** States that a login was finished with: a code is good once, whatever the provider thinks. */
  const finished = new Map<string, number>();
  const callback = new URL('/-/auth/callback', parts.origin);
  router.use('/-/auth', (_request, response, next) => {
    response.set('Cache-Control', 'no-store');
    next();
  });
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

async function login(parts: AuthParts, callback: URL, request: Request, response: Response): Promise<void> {
  const { people, keeper, isSecure } = parts.identity;
  const to = returnPath(request.query['to']);
  if (people === null)
    throw new MirrorError('ERR_NOT_FOUND', 'nobody can sign in here: no identity provider is configured');
  const asserted = await people
    .asserted((name) => request.get(name))
    .catch((thrown: unknown) => refuse(parts, request, 'login', thrown));
  if (asserted !== null) return signIn(parts, request, response, asserted, to);
  const begun = await people.begin(to, callback).catch((thrown: unknown) => {
    throw new MirrorError('ERR_IDENTITY_UNAVAILABLE', 'the identity provider cannot be reached', {}, thrown);
  });
  if (begun === null)
    throw new MirrorError('ERR_SIGN_IN_FAILED', 'nobody has signed in at the proxy in front of the mirror');
  const sealed = sealState(keeper.key(), { ...begun.state, expires: nowSeconds() + loginSeconds });
  setCookie(response, loginCookie(isSecure), sealed, { isSecure, seconds: loginSeconds });
  response.status(302).set('Location', begun.location.href).end();
}

async function finish(
  parts: AuthParts,
  callback: URL,
  finished: Map<string, number>,
  request: Request,
  response: Response,
): Promise<void> {
  const { people, keeper, isSecure } = parts.identity;
  const carried = cookieOf(request, loginCookie(isSecure));
  const state = carried === null ? null : openState(keeper.table().keys, carried, nowSeconds());
  clearCookie(response, loginCookie(isSecure), isSecure);
  if (people === null || state === null)
    return refuse(parts, request, 'login', new Error('no login was begun here, or too long ago'));
  for (const [used, expires] of finished) if (expires <= nowSeconds()) finished.delete(used);
  if (finished.has(state.state)) return refuse(parts, request, 'login', new Error('this login was finished before'));
  finished.set(state.state, state.expires);
  const address = new URL(callback);
  address.search = new URL(request.originalUrl, parts.origin).search;
  const signedIn = await people
    .finish(address, state)
    .catch((thrown: unknown) => refuse(parts, request, 'login', thrown));
  await signIn(parts, request, response, signedIn, state.to);
}

async function signIn(
  parts: AuthParts,
  request: Request,
  response: Response,
  signedIn: SignedIn,
  to: string,
): Promise<void> {
  const { keeper, sessionSeconds, onSignIn } = parts.identity;
  const { person, claims } = signedIn;
  await keeper.admit(person);
  const session = beginSession(response, parts.identity, person.id, sessionSeconds);
  await note(parts, request, {
    action: 'login',
    who: person.email ?? person.user,
    issuer: person.issuer,
    id: session,
    claims,
    reason: 'signed in',
  });
  onSignIn(signedIn);
  response.status(302).set('Location', returnPath(to)).end();
}

async function logout(parts: AuthParts, request: Request, response: Response): Promise<void> {
  const { keeper, isSecure } = parts.identity;
  const caller = callerOf(parts.identity, request);
  if (caller.session !== null) {
    await keeper.revoke({ what: 'id', value: caller.session, at: nowSeconds() });
    await note(parts, request, {
      action: 'logout',
      who: caller.name,
      issuer: caller.issuer,
      id: caller.session,
      reason: 'signed out',
    });
  }
  clearCookie(response, sessionCookie(isSecure), isSecure);
  response.set('Clear-Site-Data', '"cache", "cookies", "storage"');
  response.status(200).json({ signed_out: true });
}

/** A job's agent token → a token of ours of at most an hour. */
async function exchange(parts: AuthParts, request: Request, response: Response): Promise<void> {
  const { verifyJob, keeper } = parts.identity;
  const [, token = ''] = /^bearer +([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(request.get('authorization') ?? '') ?? [];
  const issued = nowSeconds();
  const { subject, claims } = await verifyJob(token, issued).catch((thrown: unknown) =>
    refuse(parts, request, 'exchange', thrown),
  );
  await keeper.admit(subject);
  const facts = { id: newId(), subject: subject.id, issued, expires: issued + bearerSeconds };
  const who = `${String(claims['organization_slug'])}/${String(claims['pipeline_slug'])}`;
  await note(parts, request, {
    action: 'exchange',
    who,
    issuer: subject.issuer,
    id: facts.id,
    claims,
    reason: 'exchanged',
  });
  response.json({
    token: seal(keeper.key(), 'bearer', facts),
    token_type: 'Bearer',
    expires_at: new Date(facts.expires * 1000).toISOString(),
  });
}

/** To a file that its maker may read; whoever has it may read it too, for as long as they may. */
async function makeLink(parts: AuthParts, request: Request, response: Response): Promise<void> {
  const { keeper } = parts.identity;
  const caller: Caller = callerOf(parts.identity, request);
  if (caller.subject === null || caller.kind !== 'user')
    throw new MirrorError('ERR_SIGN_IN_REQUIRED', 'sign in to make a link');
  const { path, days = linkDays.usual } = (request.body ?? {}) as { path?: unknown; days?: unknown };
  const match = typeof path === 'string' ? /^\/([^/]+)\/([^/]+)\/builds\/(\d+)\/[^?#]*[^/?#]$/.exec(path) : null;
  if (match === null || typeof path !== 'string')
    throw malformed('"path" must be the address of a file of a build, without a query');
  if (typeof days !== 'number' || !(days > 0 && days <= linkDays.most))
    throw malformed(`"days" must be at most ${linkDays.most}`);
  const [, organization, folder, number] = match;
  const place = placeOf({ organization, folder, number } as Request['params'], parts.organization);
  if (!canRead(caller.access, await readLabel(parts.paths, place)))
    throw new MirrorError('ERR_NOT_FOUND', 'there is nothing at this address');
  const issued = nowSeconds();
  const facts = { id: newId(), subject: caller.subject, issued, expires: issued + Math.floor(days * daySeconds) };
  const link = new URL(path, parts.origin);
  // What the gate compares with is the path as it decodes it.
  link.searchParams.set('link', seal(keeper.key(), 'link', facts, decodeURIComponent(link.pathname)));
  await note(parts, request, {
    action: 'link',
    who: caller.name,
    issuer: caller.issuer,
    id: facts.id,
    what: path,
    reason: 'made a link',
  });
  response.json({ url: link.href, id: facts.id, expires_at: new Date(facts.expires * 1000).toISOString() });
}

/** The same answer for every reason. @throws MirrorError ERR_SIGN_IN_FAILED */
async function refuse(parts: AuthParts, request: Request, what: string, thrown: unknown): Promise<never> {
  const { message, cause } = toMirrorError(thrown);
  const why = cause instanceof Error && cause.message !== message ? `${message}: ${cause.message}` : message;
  await note(parts, request, { action: 'refusal', what, reason: why.slice(0, 300) });
  throw new MirrorError(
    'ERR_SIGN_IN_FAILED',
    'this was not accepted; the mirror’s audit log has the reason under the id',
  );
}

async function note(parts: AuthParts, request: Request, line: Omit<AuditLine, 'address' | 'request'>): Promise<void> {
  await writeAudit(parts.paths, { ...line, address: addressOf(request), request: requestId(request) });
}

function malformed(message: string): MirrorError {
  return new MirrorError('ERR_REQUEST_MALFORMED', message);
}

function badJson(thrown: unknown, _request: Request, _response: Response, next: NextFunction): void {
  next(malformed(thrown instanceof Error ? 'the body must be a small JSON object' : 'the body cannot be read'));
}
