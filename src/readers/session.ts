/** Sessions of people: begun by a login, kept in one cookie, ended by a logout. */
import type { Request, Response } from 'express';
import { cookiesCalled, sessionCookie } from '../identity/authenticate.ts';
import { type Seal, seal } from '../identity/seals.ts';
import { newId } from '../identity/state.ts';
import type { GuardIdentity } from './guard.ts';

type Identity = Pick<GuardIdentity, 'keeper' | 'isSecure'>;

export const nowSeconds = (): number => Math.floor(Date.now() / 1000);

/** What a login carries from its beginning to its end. */
export function loginCookie(isSecure: boolean): string {
  return `${sessionCookie(isSecure)}-login`;
}

/** A session that the browser had before is never gone on with. @returns its id, and what gives it to the browser */
export function newSession(
  { keeper, isSecure }: Identity,
  subject: string,
  lifeSeconds: number,
): { id: string; give: (response: Response) => void } {
  const issued = nowSeconds();
  const facts: Seal = { id: newId(), subject, issued, expires: issued + lifeSeconds };
  const sealed = seal(keeper.key(), 'session', facts);
  const give = (response: Response): void =>
    setCookie(response, sessionCookie(isSecure), sealed, { isSecure, seconds: lifeSeconds });
  return { id: facts.id, give };
}

export function setCookie(
  response: Response,
  name: string,
  value: string,
  { isSecure, seconds }: { isSecure: boolean; seconds: number },
): void {
  response.append(
    'Set-Cookie',
    `${name}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`,
  );
}

export function clearCookie(response: Response, name: string, isSecure: boolean): void {
  setCookie(response, name, '', { isSecure, seconds: 0 });
}

/** null where there is none, or more than one. */
export function cookieOf(request: Request, name: string): string | null {
  const found = cookiesCalled(name, request.get('cookie') ?? '');
  return found.length === 1 ? (found[0] ?? null) : null;
}
