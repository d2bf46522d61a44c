/** Whose files are: a command that root runs, from cron say, must not leave what the mirror cannot read or write on. */
import { statSync } from 'node:fs';
import { lchown, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Whom to give what root makes below the data folder: its owner. null: we are not root, and what we make is ours. */
export function ownerBelow(root: string): Owner | null {
  if (process.getuid?.() !== 0) return null;
  const { uid, gid } = statSync(root);
  return { uid, gid };
}

/** Makes a folder below the data folder, and those above it, as its owner would. */
export async function makeOwnedFolder(root: string, folder: string, mode?: number): Promise<void> {
  const first = (await mkdir(folder, { recursive: true, ...(mode !== undefined && { mode }) })) ?? folder;
  const owner = ownerBelow(root);
  if (owner === null) return;
  // Not what a link in its place leads to: the mirror's user must be given nothing that is not the mirror's.
  for (let made = folder; made.length >= first.length; made = dirname(made)) await lchown(made, owner.uid, owner.gid);
}
