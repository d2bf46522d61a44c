/** Moves a pipeline's builds and their pages from one folder of the organization to another. */
import { mkdir, rename, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';
import { unlinkFile } from './blobs.ts';
import { isAbsent, listFolder, syncFolder } from './files.ts';
import type { DataPaths } from './paths.ts';

/** Can be repeated: what was moved before is where it belongs. What the target has already is joined with what comes. */
export async function moveFolder(
  paths: DataPaths,
  organization: string,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<void> {
  for (const root of [paths.tree, paths.pages]) {
    await mkdir(join(root, organization), { recursive: true });
    await moveInto(join(root, organization, from), join(root, organization, to));
    await syncFolder(join(root, organization));
  }
}

async function moveInto(source: string, target: string): Promise<void> {
  try {
    await rename(source, target);
  } catch (thrown) {
    if (isAbsent(thrown)) return;
    const errno = errnoOf(thrown);
    if (errno !== 'ENOTEMPTY' && errno !== 'EEXIST') throw thrown;
    await merge(source, target);
  }
}

async function merge(source: string, target: string): Promise<void> {
  for (const { name } of await listFolder(source)) {
    await moveInto(join(source, name), join(target, name));
    // Between two links of one file a rename does nothing.
    unlinkFile(join(source, name));
  }
  await rmdir(source);
}
