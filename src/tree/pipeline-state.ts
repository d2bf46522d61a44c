/**
 * Which folder a pipeline has, twice: by the pipeline's uuid (state/pipelines/) and by the folder's name (state/folders/).
 * Where one cannot be read the other tells what it said.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { Uuid } from '../model.ts';
import { unlinkFile } from './blobs.ts';
import { listFolder, readIfPresent, writeAtomic } from './files.ts';
import type { DataPaths } from './paths.ts';
import { keepDamaged } from './salvaged.ts';
import { parseSealed, sealed } from './sealed.ts';
import { throughStaging } from './temporary.ts';

const PipelineState = z.object({
  id: z.string(),
  organization: z.string(),
  slug: z.string(),
  folder: z.string(),
  /** The folder that its builds are being moved from. */
  moving_from: z.string().nullable().default(null),
});
export type PipelineState = z.infer<typeof PipelineState>;

/** @returns null for a pipeline that has no folder yet */
export async function readState(paths: DataPaths, pipelineId: string): Promise<PipelineState | null> {
  const text = await readIfPresent(paths.pipelineState(pipelineId));
  if (text === null) return null;
  return PipelineState.safeParse(parseSealed(text)).data ?? stateByFolders(paths, pipelineId);
}

/** Whether it is not on disk as it was written. */
export async function isStateDamaged(paths: DataPaths, pipelineId: string): Promise<boolean> {
  const text = await readIfPresent(paths.pipelineState(pipelineId));
  return text !== null && !PipelineState.safeParse(parseSealed(text)).success;
}

export async function writeState(paths: DataPaths, state: PipelineState): Promise<void> {
  await writeAtomic(paths.pipelineState(state.id), sealed(state), throughStaging(paths));
}

/** What the names of folders say of a pipeline. One that has two of them is being moved; to which, its next event tells. */
async function stateByFolders(paths: DataPaths, pipelineId: string): Promise<PipelineState | null> {
  for (const { name: organization } of await listFolder(paths.folderOwners)) {
    const folders: string[] = [];
    for (const { name } of await listFolder(join(paths.folderOwners, organization)))
      if ((await readOwner(paths, organization, name)) === pipelineId) folders.push(name);
    const [folder, from = null] = folders.toSorted();
    if (folder !== undefined)
      return { id: pipelineId, organization, slug: folder.replace(/~.*$/, ''), folder, moving_from: from };
  }
  return null;
}

/** The uuid of the pipeline whose builds a folder holds; null: nobody's. */
export async function readOwner(paths: DataPaths, organization: string, folder: string): Promise<string | null> {
  const text = await readIfPresent(paths.folderOwner(organization, folder));
  if (text === null) return null;
  return Uuid.safeParse(text.trim()).data ?? ownerByStates(paths, organization, folder);
}

export async function writeOwner(
  paths: DataPaths,
  organization: string,
  folder: string,
  pipelineId: string,
): Promise<void> {
  await writeAtomic(paths.folderOwner(organization, folder), `${pipelineId}\n`, throughStaging(paths));
}

async function ownerByStates(paths: DataPaths, organization: string, folder: string): Promise<string | null> {
  for (const { name } of await listFolder(paths.pipelineStates)) {
    const text = name.endsWith('.json') ? await readIfPresent(join(paths.pipelineStates, name)) : null;
    const state = text === null ? undefined : PipelineState.safeParse(parseSealed(text)).data;
    if (state?.organization === organization && (state.folder === folder || state.moving_from === folder))
      return state.id;
  }
  return null;
}

/** Sets aside what cannot be read, and writes what is known of it from elsewhere. @returns whether anything was wrong */
export async function mendState(paths: DataPaths, pipelineId: string): Promise<boolean> {
  if (!(await isStateDamaged(paths, pipelineId))) return false;
  const file = paths.pipelineState(pipelineId);
  await keepDamaged(paths, file, { record: 'pipeline' });
  const state = await readState(paths, pipelineId);
  if (state === null) unlinkFile(file);
  else await writeState(paths, state);
  return true;
}
