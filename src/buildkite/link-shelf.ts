/**
 * Where workers leave links for one another: the one that lists a build asks for all of its links, and its jobs are
 * mirrored by others too. Sealed with a key that only who holds the API token can make, so that Redis has nothing that
 * could be followed; gone before the links are.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { deflateRaw, inflateRaw } from 'node:zlib';
import { z } from 'zod';
import type { LinkNode } from './bulk-query.ts';

/** The few things that are needed of Redis. */
export interface ShelfStore {
  set(key: string, value: Buffer, keepMs: number): Promise<void>;
  get(key: string): Promise<Buffer | null>;
}

export interface Shelf {
  /** @param askedAt when upstream was asked, in ms since 1970 */
  put(job: string, links: readonly LinkNode[], askedAt: number): Promise<void>;
  /** @returns null where there are none, or none for this token */
  take(job: string): Promise<{ readonly links: LinkNode[]; readonly askedAt: number } | null>;
}

const Shelved = z.object({
  askedAt: z.number(),
  links: z.array(
    z.object({
      id: z.string(),
      path: z.string(),
      state: z.string(),
      mimeType: z.string(),
      size: z.number(),
      sha1: z.string().nullable(),
      sha256: z.string().nullable(),
      url: z
        .string()
        .transform((url) => new URL(url))
        .nullable(),
    }),
  ),
});

const cipher = 'aes-256-gcm';
const [keyBytes, nonceBytes, tagBytes] = [32, 12, 16];
const [pack, unpack] = [promisify(deflateRaw), promisify(inflateRaw)];

/** @param keepMs for how long links are worth keeping */
export function createShelf(store: ShelfStore, token: () => string, keepMs: number): Shelf {
  const keyOf = (): Buffer => Buffer.from(hkdfSync('sha256', token(), '', 'kitemirror links', keyBytes));
  const nameOf = (job: string): string => `kitemirror:links:${job}`;

  async function seal(job: string, text: string): Promise<Buffer> {
    const nonce = randomBytes(nonceBytes);
    const sealing = createCipheriv(cipher, keyOf(), nonce).setAAD(Buffer.from(job));
    const sealed = [sealing.update(await pack(text, { level: 1 })), sealing.final()];
    return Buffer.concat([nonce, sealing.getAuthTag(), ...sealed]);
  }

  async function open(job: string, sealed: Buffer): Promise<unknown> {
    const opening = createDecipheriv(cipher, keyOf(), sealed.subarray(0, nonceBytes))
      .setAAD(Buffer.from(job))
      .setAuthTag(sealed.subarray(nonceBytes, nonceBytes + tagBytes));
    const packed = Buffer.concat([opening.update(sealed.subarray(nonceBytes + tagBytes)), opening.final()]);
    return JSON.parse(String(await unpack(packed)));
  }

  return {
    put: async (job, links, askedAt) => {
      await store.set(nameOf(job), await seal(job, JSON.stringify({ askedAt, links })), keepMs);
    },
    take: async (job) => {
      const sealed = await store.get(nameOf(job));
      if (sealed === null) return null;
      // Of another token (it was just replaced), or of another version: as if there were none.
      const opened = await open(job, sealed).catch(() => null);
      return Shelved.safeParse(opened).data ?? null;
    },
  };
}
