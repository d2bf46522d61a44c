/**
 * Signed tokens: `v1.<kind>.<key>.<id>.<subject>.<issued>.<expires>.<mac>`, times in seconds. They say who, never what
 * may be read. The gate checks the same in lighttpd/identity.lua.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

/** session (a cookie on the mirror's host), bearer (a CI job's), content (a cookie on a report's host), link (to one file). */
export const sealKinds = { session: 's', bearer: 'b', content: 'c', link: 'l' } as const;
export type SealKind = keyof typeof sealKinds;

export interface Seal {
  /** Of the session, the exchange or the link: what may be revoked alone. */
  readonly id: string;
  readonly subject: string;
  /** Seconds since 1970. */
  readonly issued: number;
  readonly expires: number;
}

export interface SealKey {
  /** Lower-case letters and digits. */
  readonly id: string;
  readonly secret: Buffer;
}

/** Seconds; a token that claims more was not made by us. */
export const longestLife: Record<SealKind, number> = {
  session: 30 * 86_400,
  bearer: 3600,
  // It bears the time of what its reader came by: a named token may be as old as this.
  content: 366 * 86_400,
  link: 30 * 86_400,
};
/** Clocks of two machines. */
const skewSeconds = 60;
const form = /^(v1\.([sbcl])\.([a-z0-9]{1,16})\.([\w-]{8,64})\.([\w-]{1,64})\.(\d{1,11})\.(\d{1,11}))\.([0-9a-f]{64})$/;

/** @param bound what the token is good for alone: a link's path, a report's host */
export function seal(key: SealKey, kind: SealKind, { id, subject, issued, expires }: Seal, bound = ''): string {
  const message = `v1.${sealKinds[kind]}.${key.id}.${id}.${subject}.${issued}.${expires}`;
  return `${message}.${macOf(key, message, bound).toString('hex')}`;
}

/** @returns null for whatever is not a token of this kind that holds now: no caller can tell why */
export function openSeal(
  keys: readonly SealKey[],
  kind: SealKind,
  token: string,
  nowSeconds: number,
  bound = '',
): Seal | null {
  const [found, message = '', letter, keyId, id = '', subject = '', issuedText, expiresText, mac = ''] =
    form.exec(token) ?? [];
  const key = keys.find((each) => each.id === keyId);
  if (found === undefined || key === undefined || letter !== sealKinds[kind]) return null;
  if (!timingSafeEqual(macOf(key, message, bound), Buffer.from(mac, 'hex'))) return null;
  const [issued, expires] = [Number(issuedText), Number(expiresText)];
  if (issued > nowSeconds + skewSeconds || expires <= nowSeconds || expires - issued > longestLife[kind]) return null;
  return { id, subject, issued, expires };
}

function macOf(key: SealKey, message: string, bound: string): Buffer {
  return createHmac('sha256', key.secret)
    .update(bound === '' ? message : `${message}\n${bound}`)
    .digest();
}
