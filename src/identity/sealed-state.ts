/** What a browser carries for us through a login, signed so that it comes back as it went. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import type { SealKey } from './seals.ts';

const LoginState = z.object({
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  /** Where to go afterwards: a path of ours. */
  to: z.string(),
  /** Seconds since 1970. */
  expires: z.number(),
});
export type LoginState = z.infer<typeof LoginState>;

const longestText = 3500;

export function sealState(key: SealKey, state: LoginState): string {
  const text = Buffer.from(JSON.stringify(state)).toString('base64url');
  return `${key.id}.${text}.${macOf(key, text)}`;
}

/** @returns null for what is not ours, or not any more */
export function openState(keys: readonly SealKey[], sealed: string, nowSeconds: number): LoginState | null {
  const [found, id, text = '', mac = ''] = /^([a-z0-9]{1,16})\.([\w-]+)\.([0-9a-f]{64})$/.exec(sealed) ?? [];
  const key = keys.find((each) => each.id === id);
  if (found === undefined || key === undefined || sealed.length > longestText) return null;
  if (!timingSafeEqual(Buffer.from(macOf(key, text)), Buffer.from(mac))) return null;
  const state = LoginState.parse(JSON.parse(Buffer.from(text, 'base64url').toString()));
  return state.expires > nowSeconds ? state : null;
}

/** Exactly one leading slash, and nothing that a browser could read as another host. */
export function returnPath(asked: unknown): string {
  if (typeof asked !== 'string' || asked.length > 2000) return '/';
  return /^\/(?![/\\])[^\\\p{Cc}]*$/u.test(asked) && !/^\/-\/auth(?![^/?#])/.test(asked) ? asked : '/';
}

function macOf(key: SealKey, text: string): string {
  return createHmac('sha256', key.secret).update(`login\n${text}`).digest('hex');
}
