/** People sign in and out. */
import type { Request, Response } from 'express';
import { MirrorError } from '../errors.ts';
import { sessionCookie } from '../identity/authenticate.ts';
import type { SignedIn } from '../identity/people.ts';
import { openState, returnPath, sealState } from '../identity/sealed-state.ts';
import { accountPath } from '../pages/account.ts';
import { type AuthParts, note, refuse } from './auth-parts.ts';
import { callerOf } from './guard.ts';
import { clearCookie, cookieOf, loginCookie, newSession, nowSeconds, setCookie } from './session.ts';

const loginSeconds = 600;

/** To the provider, or in at once for who comes by a proxy. */
export async function login(parts: AuthParts, callback: URL, request: Request, response: Response): Promise<void> {
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

/** Back from the provider. */
export async function finish(
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
  // Signed in by a word that is still good, but as what is known of them: the newest word counts.
  await keeper.admit(person);
  const session = newSession(parts.identity, person.id, sessionSeconds);
  await note(parts, request, {
    action: 'login',
    who: person.email ?? person.user,
    issuer: person.issuer,
    id: session.id,
    claims,
    reason: 'signed in',
  });
  onSignIn(signedIn);
  // Last: who is not on record is given nothing, not even with an error.
  session.give(response);
  response.status(302).set('Location', returnPath(to)).end();
}

/** The session is void from now on, wherever its cookie went. */
export async function logout(parts: AuthParts, request: Request, response: Response): Promise<void> {
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
  // The account page's button is a form: its sender is shown that page again.
  if (request.get('accept')?.includes('text/html') === true) response.status(303).set('Location', accountPath).end();
  else response.status(200).json({ signed_out: true });
}
