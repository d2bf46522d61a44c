/**
 * A folder of small JSON files, one for each thing that is kept: made, replaced and removed alone, so that several
 * programs may write without a lock between them. For their owner's eyes only.
 */
import { chmod, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import { MirrorError } from '../errors.ts';
import { isAbsent, listFolder, readIfPresent, writeAtomic } from './files.ts';
import { makeOwnedFolder, ownerBelow } from './owner.ts';

export interface Cards<T> {
  /** Every one that can be read, by name; `onFault` is told of the others, which stay where they are. */
  all(onFault?: (name: string) => void): Promise<Map<string, T>>;
  get(name: string): Promise<T | null>;
  put(name: string, value: T): Promise<void>;
  /** @returns whether there was one */
  remove(name: string): Promise<boolean>;
  /** Changes whenever a card is made, replaced or removed. */
  version(): Promise<string>;
}

/** Digests in base64url among them: they may begin with any of its signs. */
const cardName = /^[\w-][\w.-]{0,127}$/;
const cardFile = /^([\w-][\w.-]*)\.json$/;
const secretFolder = 0o700;
export const secretFile = 0o600;

/** @param root the data folder, whose owner is to own the cards */
export function cardsIn<T>(root: string, folder: string, schema: z.ZodType<T>): Cards<T> {
  const file = (name: string): string => {
    if (!cardName.test(name)) throw new MirrorError('ERR_INTERNAL', `"${name}" cannot be a card's name`);
    return join(folder, `${name}.json`);
  };
  const parse = (text: string): T | null => {
    try {
      return schema.parse(JSON.parse(text));
    } catch {
      // What cannot be read counts as absent; `all` tells of it.
      return null;
    }
  };
  const get = async (name: string): Promise<T | null> => {
    const text = await readIfPresent(file(name));
    return text === null ? null : parse(text);
  };
  return {
    get,
    all: async (onFault) => {
      const found = new Map<string, T>();
      for (const { name } of await listFolder(folder)) {
        const card = cardFile.exec(name)?.[1];
        if (card === undefined) continue;
        const value = await get(card);
        if (value === null) onFault?.(name);
        else found.set(card, value);
      }
      return found;
    },
    put: async (name, value) => {
      await makeSecretFolder(root, folder);
      const text = `${JSON.stringify(value)}\n`;
      await writeAtomic(file(name), text, { mode: secretFile, owner: ownerBelow(root) });
    },
    remove: async (name) => {
      try {
        await rm(file(name));
        return true;
      } catch (thrown) {
        if (isAbsent(thrown)) return false;
        throw thrown;
      }
    },
    version: async () => {
      try {
        const { mtimeNs, ino } = await stat(folder, { bigint: true });
        return `${ino}:${mtimeNs}`;
      } catch (thrown) {
        if (isAbsent(thrown)) return 'absent';
        throw thrown;
      }
    },
  };
}

export async function makeSecretFolder(root: string, folder: string): Promise<void> {
  await makeOwnedFolder(root, folder, secretFolder);
  await chmod(folder, secretFolder);
}
