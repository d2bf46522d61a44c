/** What a purge is to remove, and the look everywhere that none of it is left. */
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { MirrorError } from '../errors.ts';
import { readBytes } from './files.ts';
import type { DataPaths } from './paths.ts';
import { filesUnder, holds, spellings } from './scan.ts';
import { isBlobName } from './sweep.ts';

/**
 * The digest of the file that an address shows.
 * @param word a URL or its path
 * @throws MirrorError ERR_NOT_FOUND
 */
export async function digestAt(paths: DataPaths, word: string): Promise<string> {
  const path = URL.canParse(word) ? new URL(word).pathname : word;
  let parts: string[];
  try {
    parts = path.split('/').filter(Boolean).map(decodeURIComponent);
  } catch (cause) {
    throw new MirrorError('ERR_REQUEST_MALFORMED', `${word} is not a well-formed address`, {}, cause);
  }
  if (parts.at(-1) === 'log' && parts.at(-3) === 'jobs') parts = [...parts.slice(0, -1), 'log.txt'];
  const isInside = parts[2] === 'builds' && parts.every((part) => part !== '.' && part !== '..' && !/[/\0]/.test(part));
  const file = join(paths.tree, ...parts);
  if (!isInside || statSync(file, { throwIfNoEntry: false })?.isFile() !== true) {
    throw new MirrorError(
      'ERR_NOT_FOUND',
      `${word} is no file of the mirror; say /organization/pipeline/builds/…, or --digest`,
    );
  }
  return digestOf(file);
}

async function digestOf(file: string): Promise<string> {
  const sum = createHash('sha256');
  for await (const chunk of readBytes(file)) sum.update(chunk);
  return sum.digest('hex');
}

export interface LookOptions {
  readonly signal: AbortSignal;
  readonly onProgress: (files: number) => void;
}

/** The digests of all blobs that hold a value. */
export async function digestsHolding(
  paths: DataPaths,
  literal: Buffer,
  { signal, onProgress }: LookOptions,
): Promise<string[]> {
  const found = new Set<string>();
  let seen = 0;
  for await (const file of filesUnder(paths.blobs, ({ name }) => isBlobName(name))) {
    signal.throwIfAborted();
    onProgress((seen += 1));
    if (await holds(file, [literal])) found.add(basename(file).slice(0, 64));
  }
  return [...found];
}

export interface Proof {
  readonly looked_at: number;
  /** Below the data folder. */
  readonly left: readonly string[];
}

export interface Sought {
  readonly sha256: readonly string[];
  /** Of files with these digests. */
  readonly sizes: ReadonlySet<number>;
  readonly literal: Buffer | null;
}

/** Looks at every file of the data folder: by name and content for a value, by size and digest for a digest. */
export async function proveGone(paths: DataPaths, sought: Sought, { signal, onProgress }: LookOptions): Promise<Proof> {
  const digests = new Set(sought.sha256);
  const needles = sought.literal === null ? [] : spellings(sought.literal);
  const left: string[] = [];
  let seen = 0;
  for await (const file of filesUnder(paths.root)) {
    signal.throwIfAborted();
    onProgress((seen += 1));
    const stat = statSync(file, { throwIfNoEntry: false });
    if (stat === undefined) continue;
    const below = relative(paths.root, file);
    const isNamed = needles.some((needle) => Buffer.from(below).includes(needle));
    const isSame = sought.sizes.has(stat.size) && digests.has(await digestOf(file));
    if (isNamed || isSame || (needles.length > 0 && (await holds(file, needles)))) left.push(below);
  }
  return { looked_at: seen, left };
}
