/**
 * Sets a damaged blob aside. The inode's permission to be read goes first, which hides all its names at once; whose names
 * they are is found out afterwards, from the records, and an order on disk says that this is still to be done.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, renameSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { errnoOf } from '../errors.ts';
import { writeAudit } from './audit.ts';
import { copiesOf, unlinkFile } from './blobs.ts';
import { listFolder, readIfPresent, writeAtomic } from './files.ts';
import type { DataPaths } from './paths.ts';
import { throughStaging } from './temporary.ts';
import type { Damage } from './verify.ts';

/** state/damaged/<blob>.json */
const DamageOrder = z.object({
  version: z.literal(1),
  name: z.string(),
  sha256: z.string(),
  size: z.number(),
  found: z.string(),
  found_at: z.string(),
});
export type DamageOrder = z.infer<typeof DamageOrder>;

export async function quarantineBlob(paths: DataPaths, damage: Damage): Promise<void> {
  const { name, size, found } = damage;
  const sha256 = await noteDamage(paths, damage);
  const blob = join(paths.blobs, name.slice(0, 2), name);
  if (!hideFile(blob)) return;
  setAside(paths, blob, name);
  await writeAudit(paths, { action: 'quarantine', sha256, bytes: size, reason: `its bytes are ${found}` });
}

/** Has the records mended by the next repair. @returns the digest */
export async function noteDamage(paths: DataPaths, { name, size, found }: Damage): Promise<string> {
  const [sha256 = name] = name.split('.');
  const order: DamageOrder = { version: 1, name, sha256, size, found, found_at: new Date().toISOString() };
  await writeAtomic(paths.damagedBlob(name), `${JSON.stringify(order)}\n`, throughStaging(paths));
  return sha256;
}

/** Under a name that is nobody's: between two names of one file a rename would do nothing. */
export function setAside(paths: DataPaths, file: string, name: string): void {
  renameSync(file, join(paths.quarantine, `${name}-${Date.now()}-${randomBytes(4).toString('hex')}`));
}

/**
 * Nobody reads the file under any of its names any more. Its time changes too, because Lighttpd looks again only at files
 * whose size or time differ.
 * @returns false where there is no such file
 */
export function hideFile(file: string): boolean {
  try {
    chmodSync(file, 0);
    utimesSync(file, new Date(), new Date());
    return true;
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT') return false;
    throw thrown;
  }
}

/** All copies of a blob, where readers can have none of its names any more. */
export async function hideBlob(paths: DataPaths, sha256: string): Promise<void> {
  for (const copy of await copiesOf(paths, sha256)) hideFile(copy);
}

export function blobSizes(paths: DataPaths, sha256: string): number[] {
  const stat = statSync(paths.blob(sha256), { throwIfNoEntry: false });
  return stat === undefined ? [] : [stat.size];
}

/** What is still to be mended; a file that is no such order is left alone. */
export async function listDamaged(paths: DataPaths): Promise<DamageOrder[]> {
  const orders: DamageOrder[] = [];
  for (const { name } of await listFolder(paths.damaged)) {
    const text = name.endsWith('.json') ? await readIfPresent(join(paths.damaged, name)) : null;
    const order = text === null ? undefined : DamageOrder.safeParse(parseJson(text)).data;
    if (order !== undefined) orders.push(order);
  }
  return orders;
}

export function strikeDamaged(paths: DataPaths, { name }: DamageOrder): void {
  unlinkFile(paths.damagedBlob(name));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
