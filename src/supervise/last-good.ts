/**
 * What a reload that goes wrong is rolled back to. The operator's files hold the new certificate by then, so the pair that
 * was shown last is kept beside the sockets: in one file, so that certificate and key are never of two pairs.
 */
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { MirrorError } from '../errors.ts';
import { unlinkFile } from '../tree/blobs.ts';
import { secretFile } from '../tree/cards.ts';
import { readIfPresent, writeAtomic, writtenAt } from '../tree/files.ts';

/** PEM, the certificate first. */
export type Pair = string;

/** A reload that was killed leaves its mark behind; a death after so long is no matter of its. */
const reloadWithinMs = 60_000;

/** @throws MirrorError ERR_CONFIG where one of the files is not there */
export async function readPair({ cert, key }: NonNullable<Config['tls']>): Promise<Pair> {
  const read = async (file: string): Promise<string> => {
    const text = await readIfPresent(file);
    if (text === null) throw new MirrorError('ERR_CONFIG', `there is no ${file}`);
    return text;
  };
  return `${await read(cert)}\n${await read(key)}`;
}

/** @param pair null without TLS: a key that nothing shows any more does not stay */
export async function keepPair(config: Config, pair: Pair | null): Promise<void> {
  if (pair === null) unlinkFile(keptFile(config));
  else await writeAtomic(keptFile(config), pair, { durable: false, mode: secretFile });
}

export async function keptPair(config: Config): Promise<Pair | null> {
  return readIfPresent(keptFile(config));
}

/** From here until `endReload`, a Lighttpd that ends by itself did so because of the reload. */
export async function beginReload(config: Config): Promise<void> {
  await writeAtomic(markFile(config), '', { durable: false });
}

export function endReload(config: Config): void {
  unlinkFile(markFile(config));
}

/**
 * For who runs Lighttpd, when it has ended by itself. Once for each reload: a Lighttpd that cannot run with the last good
 * pair either is the supervisor's concern. @returns the file to start it with again; null where no reload was under way
 */
export function takeRollBack(config: Config): string | null {
  const markedAt = writtenAt(markFile(config));
  endReload(config);
  const isUnderWay = markedAt !== null && Date.now() - markedAt < reloadWithinMs;
  return isUnderWay && writtenAt(keptFile(config)) !== null ? keptFile(config) : null;
}

const keptFile = ({ runDir }: Config): string => join(runDir, 'last-good.pem');
const markFile = ({ runDir }: Config): string => join(runDir, 'reloading');
