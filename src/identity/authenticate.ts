/** Who asks, by what a request holds and by nothing that the front says. The gate's own is lighttpd/identity.lua. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Access } from './decide.ts';
import { type GrantTable, staleAfterSeconds } from './grants.ts';
import { openSeal, type Seal, type SealKind } from './seals.ts';

export interface Credentials {
  /** The header's value. */
  readonly authorization: string | undefined;
  /** The header's value. */
  readonly cookie: string | undefined;
  readonly address: string;
}

export type CallerKind = 'user' | 'ci' | 'token' | 'anonymous';

export interface Caller {
  readonly kind: CallerKind;
  /** null: nobody in particular. */
  readonly subject: string | null;
  readonly name: string;
  readonly issuer: string;
  /** Of the session or the exchange; null where there is none. */
  readonly session: string | null;
  /** What they showed, a named token too: whatever is given out for it stands and falls with it. null: nothing. */
  readonly shown: Seal | null;
  readonly access: Access;
}

/** Why what was shown does not count: for the log, never for who asks. */
export type Refusal = 'malformed' | 'invalid' | 'revoked' | 'unknown' | 'stale';

/** Behind https the name's prefix has browsers keep it to this very host, and take it from no other. */
export function sessionCookie(isSecure: boolean): string {
  return isSecure ? '__Host-kitemirror' : 'kitemirror';
}

/**
 * A bearer token is looked at alone where there is one, else the cookie.
 * @returns a refusal where something was shown that does not hold
 */
export function authenticate(
  table: GrantTable,
  { authorization, cookie, address }: Credentials,
  cookieName: string,
  nowSeconds: number,
): Caller | Refusal {
  const bearer = authorization === undefined ? null : /^bearer +(.*)$/i.exec(authorization)?.[1];
  if (typeof bearer === 'string') {
    if (bearer.startsWith('kmt_')) return named(table, bearer, address, nowSeconds);
    return sealed(table, 'bearer', bearer, address, nowSeconds);
  }
  const tokens = cookiesCalled(cookieName, cookie ?? '');
  if (tokens.length > 1) return 'malformed';
  const [token] = tokens;
  return token === undefined ? anonymous(table, address) : sealed(table, 'session', token, address, nowSeconds);
}

export function anonymous({ everyone }: GrantTable, address: string): Caller {
  return {
    kind: 'anonymous',
    subject: null,
    name: '-',
    issuer: '-',
    session: null,
    shown: null,
    access: { grants: everyone, address },
  };
}

/**
 * Whether what was given out with these facts holds still, and whom it names. That it was given out by us, and has not
 * ended, is looked at before.
 */
export function holderOf(table: GrantTable, shown: Seal, address: string, now: number): Caller | Refusal {
  const { id, subject, issued } = shown;
  if (issued < table.before || table.revoked.has(id)) return 'revoked';
  if (now - table.time > staleAfterSeconds) return 'stale';
  const found = table.subjects.get(subject);
  if (found === undefined) return 'unknown';
  if (issued <= found.since) return 'revoked';
  const { kind, name, issuer, grants } = found;
  const access = { grants: [...grants, ...table.everyone], address };
  return { kind, subject, name, issuer, session: id, shown, access };
}

function sealed(table: GrantTable, kind: SealKind, token: string, address: string, now: number): Caller | Refusal {
  const opened = openSeal(table.keys, kind, token, now);
  return opened === null ? 'invalid' : holderOf(table, opened, address, now);
}

/** `kmt_<id>_<secret>`: random, known to us by its digest alone. */
function named(table: GrantTable, token: string, address: string, now: number): Caller | Refusal {
  const [, id = '', secret = ''] = /^kmt_([0-9a-f]{16})_([\w-]{43})$/.exec(token) ?? [];
  if (id === '') return 'malformed';
  const found = table.tokens.get(id);
  const digest = createHash('sha256').update(secret).digest();
  // Compared in any case, so that no answer comes sooner for an id that does not exist.
  const isRight = timingSafeEqual(digest, Buffer.from(found?.sha256 ?? '0'.repeat(64), 'hex'));
  if (found === undefined || !isRight || found.expires <= now) return 'invalid';
  const { subject, made: issued, expires } = found;
  const holder = holderOf(table, { id, subject, issued, expires }, address, now);
  return typeof holder === 'string' ? holder : { ...holder, session: null };
}

/** More than one of a name is a sign of somebody who plants cookies. */
export function cookiesCalled(name: string, header: string): string[] {
  return header.split(';').flatMap((part) => {
    const cut = part.indexOf('=');
    return cut !== -1 && part.slice(0, cut).trim() === name ? [part.slice(cut + 1).trim()] : [];
  });
}
