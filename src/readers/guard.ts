/**
 * The one door of the gateway: who asks is found out from the request alone, and whatever names a build is answered only
 * to who may read it. What names none is answered from a catalog that is cut to its reader, or to who reads everything.
 */
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { MirrorError } from '../errors.ts';
import { anonymous, authenticate, type Caller, sessionCookie } from '../identity/authenticate.ts';
import { isPublicPath } from '../identity/decide.ts';
import type { Keeper } from '../identity/keeper.ts';
import { readLabel } from '../tree/labels.ts';
import type { DataPaths, Place } from '../tree/paths.ts';
import { notFound, placeOf } from './address.ts';
import { noteDecision } from './answers.ts';
import { answerAs, mayRead, readsAll } from './caller.ts';
import { placeNow } from './upstream.ts';

export interface GuardParts {
  readonly paths: DataPaths;
  readonly organization: string;
  readonly identity: GuardIdentity | null;
}

export interface GuardIdentity {
  readonly keeper: Keeper;
  readonly isSecure: boolean;
  /** Whether people can sign in here. */
  readonly hasLogin: boolean;
}

/** What spans builds and shows its reader only theirs; nothing else that names no build does. */
const composed = /^\/(-\/search$|(?!-\/)([^/]+\/?|[^/]+\/[^/]+\/?|[^/]+\/[^/]+\/builds\/?)?$)/;

export function guard({ paths, organization, identity }: GuardParts): RequestHandler {
  if (identity === null) return (_request, _response, next) => answerAs('open', next);
  const door = { paths, organization, identity };
  return async (request, response, next) => {
    const caller = callerOf(identity, request);
    await answerAs(caller, async () => {
      if (await isAllowed(door, request)) {
        noteDecision(response, 'allowed');
        next();
      } else {
        noteDecision(response, 'refused', caller.kind === 'anonymous' ? 'not signed in' : 'policy');
        refuse(identity, caller, request, response, next);
      }
    });
  };
}

/**
 * A cookie that holds no more makes its sender a stranger; a bearer token is a program's, which is to be told.
 * @throws MirrorError ERR_SIGN_IN_REQUIRED, ERR_IDENTITY_UNAVAILABLE
 */
export function callerOf({ keeper, isSecure }: GuardIdentity, request: Request): Caller {
  const credentials = {
    authorization: request.get('authorization'),
    cookie: request.get('cookie'),
    address: addressOf(request),
  };
  const found = authenticate(keeper.table(), credentials, sessionCookie(isSecure), Math.floor(Date.now() / 1000));
  if (typeof found !== 'string') return found;
  if (found === 'stale') throw new MirrorError('ERR_IDENTITY_UNAVAILABLE', 'who may read what cannot be told now');
  if (/^bearer /i.test(credentials.authorization ?? '')) throw signInRequired();
  return anonymous(keeper.table(), credentials.address);
}

/** The reader's, as the gate knows it: what a client says in that header it drops. */
export function addressOf(request: Request): string {
  return request.get('x-kitemirror-address') ?? request.socket.remoteAddress ?? '';
}

async function isAllowed(parts: GuardParts & { identity: GuardIdentity }, request: Request): Promise<boolean> {
  const { paths, organization, identity } = parts;
  const found = await placeIn(parts, request.path);
  if (found === null) return composed.test(request.path) || readsAll(organization);
  const label = await readLabel(paths, found.place);
  if (mayRead(label)) return true;
  return found.rest !== '' && isPublicPath(identity.keeper.table().publics, label, found.rest);
}

/** @returns null where the address names no build @throws MirrorError ERR_NOT_FOUND for one that cannot be */
async function placeIn(parts: GuardParts, path: string): Promise<{ place: Place; rest: string } | null> {
  const own = /^\/([^/]+)\/([^/]+)\/builds\/([^/]+)(?:\/(.*))?$/.exec(path);
  const upstream = /^\/organizations\/([^/]+)\/pipelines\/([^/]+)\/builds\/([^/]+)(?:\/.*)?$/.exec(path);
  const [, organization = '', folder = '', number = '', rest = ''] = upstream ?? own ?? [];
  if (organization === '') return null;
  const [o, f, n] = [organization, folder, number].map(decoded);
  const place = placeOf({ organization: o, folder: f, number: n } as Request['params'], parts.organization);
  if (upstream === null) return { place, rest: decoded(rest) };
  // What is not there has no label, and is refused as what may not be read: its own 404 would tell the two apart.
  return { place: await placeNow(parts, place).catch(() => place), rest: '' };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw notFound();
  }
}

/** Signed in and not allowed is what a missing file is; anybody else is asked who they are. */
function refuse(
  { hasLogin }: GuardIdentity,
  caller: Caller,
  request: Request,
  response: Response,
  next: NextFunction,
): void {
  if (caller.kind !== 'anonymous') return next(notFound());
  if (hasLogin && request.method === 'GET' && request.get('accept')?.includes('text/html') === true) {
    const to = new URLSearchParams({ to: request.originalUrl });
    response
      .status(302)
      .set({ 'Cache-Control': 'no-store', Location: `/-/auth/login?${to.toString()}` })
      .end();
    return;
  }
  response.set('WWW-Authenticate', 'Bearer realm="kitemirror"');
  next(signInRequired());
}

function signInRequired(): MirrorError {
  return new MirrorError('ERR_SIGN_IN_REQUIRED', 'sign in, or send a token that this mirror gave out');
}
