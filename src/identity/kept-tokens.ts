/**
 * state/identity/asking: by which tokens the provider is asked about people who are signed in, so that a restart makes nobody's
 * groups those of their last login. Sealed by a key that is made of the one that seals sessions: the file alone is of no use.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { secretFile } from '../tree/cards.ts';
import { readIfPresent, writeAtomic } from '../tree/files.ts';
import type { DataPaths } from '../tree/paths.ts';
import type { SealKey } from './seals.ts';

export const KeptTokens = z.object({
  /** Of their newest id token, as far as the provider has not told the same at its userinfo address. */
  claims: z.record(z.string(), z.unknown()),
  access_token: z.string(),
  refresh_token: z.string().optional(),
  /** Seconds since 1970: no session or link of theirs holds longer. */
  until: z.number(),
});
export type KeptTokens = z.infer<typeof KeptTokens>;

const AllKept = z.record(z.string(), KeptTokens);
const cipher = 'aes-256-gcm';
const [nonceBytes, tagBytes] = [12, 16];

/** By the subject's id. */
export type AllTokens = ReadonlyMap<string, KeptTokens>;

/** @returns none where the file is not there, was sealed by a key that is gone, or is damaged: `onLost` then hears of it */
export async function readKeptTokens(
  paths: DataPaths,
  keys: readonly SealKey[],
  onLost: (why: string) => void,
): Promise<AllTokens> {
  const sealed = await readIfPresent(fileOf(paths));
  if (sealed === null) return new Map();
  const [id = '', ...parts] = sealed.split('.');
  const [nonce, tag, text] = parts.map((part) => Buffer.from(part, 'base64url'));
  const key = keys.find((each) => each.id === id);
  if (key === undefined) {
    onLost('the key that sealed them is gone');
    return new Map();
  }
  try {
    const opening = createDecipheriv(cipher, keyOf(key), nonce ?? '', { authTagLength: tagBytes })
      .setAAD(Buffer.from(id))
      .setAuthTag(tag ?? Buffer.alloc(0));
    const opened = Buffer.concat([opening.update(text ?? Buffer.alloc(0)), opening.final()]);
    return new Map(Object.entries(AllKept.parse(JSON.parse(opened.toString()))));
  } catch {
    // Without its cause, which may quote what is secret.
    onLost('they cannot be opened');
    return new Map();
  }
}

/** `<key's id>.<nonce>.<tag>.<text>`, each of the last three in base64url. */
export async function writeKeptTokens(paths: DataPaths, key: SealKey, all: AllTokens): Promise<void> {
  const nonce = randomBytes(nonceBytes);
  const sealing = createCipheriv(cipher, keyOf(key), nonce, { authTagLength: tagBytes }).setAAD(Buffer.from(key.id));
  const text = Buffer.concat([sealing.update(JSON.stringify(Object.fromEntries(all))), sealing.final()]);
  const parts = [nonce, sealing.getAuthTag(), text].map((part) => part.toString('base64url'));
  await writeAtomic(fileOf(paths), [key.id, ...parts].join('.'), { mode: secretFile });
}

function keyOf({ secret }: SealKey): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', 'kitemirror asking', 32));
}

function fileOf(paths: DataPaths): string {
  return join(paths.identity, 'asking');
}
