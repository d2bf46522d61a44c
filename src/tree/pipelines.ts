/**
 * Which folder is whose: a pipeline is its uuid. A slug that another pipeline has taken moves the older builds to
 * `<slug>~<8 of the uuid>`; a pipeline that was renamed takes its builds along and leaves a pointer.
 * Each step can be repeated: after a crash the next claim finishes what was begun.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { MirrorError } from '../errors.ts';
import { isAbsent, readIfPresent, writeAtomic, writeDerived } from './files.ts';
import type { DataPaths, Place } from './paths.ts';

const PipelineState = z.object({ id: z.string(), organization: z.string(), slug: z.string(), folder: z.string() });
type PipelineState = z.infer<typeof PipelineState>;

export interface Claim {
  readonly organization: string;
  readonly slug: string;
  readonly pipelineId: string;
}

/** Runs work that no other process may run under the same name at the same time. */
export type Lock = <T>(name: string, work: () => Promise<T>) => Promise<T>;

/** What moved while a folder was claimed: from and to, folders of the organization. */
export interface Move {
  readonly from: string;
  readonly to: string;
}

/**
 * The folder that holds this pipeline's builds from now on.
 * @param onMove told of every move, so that what is derived from the folders' names is made again
 */
export async function claimFolder(
  paths: DataPaths,
  lock: Lock,
  claim: Claim,
  onMove: (move: Move) => Promise<void>,
): Promise<string> {
  const known = await readState(paths, claim.pipelineId);
  if (known?.slug === claim.slug && known.folder === claim.slug) return known.folder;
  return lock(`pipeline/${claim.organization}/${claim.slug}`, async () => {
    const owner = await readOwner(paths, claim.organization, claim.slug);
    if (owner !== null && owner !== claim.pipelineId) await makeRoom(paths, claim, owner, onMove);
    const mine = await readState(paths, claim.pipelineId);
    if (mine !== null && mine.folder !== claim.slug) await takeAlong(paths, claim, mine, onMove);
    await writeOwner(paths, claim.organization, claim.slug, claim.pipelineId);
    await writeState(paths, { id: claim.pipelineId, ...claim, folder: claim.slug });
    return claim.slug;
  });
}

/** @throws MirrorError ERR_TREE_MOVED for a pipeline that was never claimed */
export async function placeOf(paths: DataPaths, pipelineId: string, number: number): Promise<Place> {
  const state = await readState(paths, pipelineId);
  if (state === null) throw new MirrorError('ERR_TREE_MOVED', 'the pipeline has no folder yet', { pipelineId });
  return { organization: state.organization, folder: state.folder, number };
}

/**
 * Makes a folder below a build's, and makes sure that the build's place is still its own: a pipeline that was moved
 * while we created it must not be continued in the folder of its successor.
 */
export async function openFolder(paths: DataPaths, pipelineId: string, place: Place, folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const now = await placeOf(paths, pipelineId, place.number);
  if (now.folder === place.folder && now.organization === place.organization) return;
  throw new MirrorError('ERR_TREE_MOVED', 'the build was moved', { folder: place.folder });
}

/** Another pipeline has the slug now: the older one's builds go aside. */
async function makeRoom(
  paths: DataPaths,
  { organization, slug }: Claim,
  owner: string,
  onMove: (move: Move) => Promise<void>,
): Promise<void> {
  const aside = `${slug}~${owner.slice(0, 8)}`;
  const state = await readState(paths, owner);
  await writeState(paths, { id: owner, organization, slug: state?.slug ?? slug, folder: aside });
  await move(paths, organization, { from: slug, to: aside });
  await writeOwner(paths, organization, aside, owner);
  await onMove({ from: slug, to: aside });
}

/** The pipeline itself has another slug now, or comes back to one that it had. */
async function takeAlong(
  paths: DataPaths,
  { organization, slug, pipelineId }: Claim,
  mine: PipelineState,
  onMove: (move: Move) => Promise<void>,
): Promise<void> {
  await writeState(paths, { id: pipelineId, organization, slug, folder: slug });
  await move(paths, organization, { from: mine.folder, to: slug });
  if (!mine.folder.includes('~')) await writeDerived(paths.movedPointer(organization, mine.folder), `${slug}\n`);
  await onMove({ from: mine.folder, to: slug });
}

async function move(paths: DataPaths, organization: string, { from, to }: Move): Promise<void> {
  for (const root of [paths.tree, paths.pages]) {
    const [source, target] = [join(root, organization, from), join(root, organization, to)];
    if (existsSync(target)) continue;
    await mkdir(dirname(target), { recursive: true });
    await rename(source, target).catch((thrown: unknown) => {
      if (!isAbsent(thrown)) throw thrown;
    });
  }
}

async function readState(paths: DataPaths, pipelineId: string): Promise<PipelineState | null> {
  const text = await readIfPresent(paths.pipelineState(pipelineId));
  return text === null ? null : PipelineState.parse(JSON.parse(text));
}

async function writeState(paths: DataPaths, { id, organization, slug, folder }: PipelineState): Promise<void> {
  await writeAtomic(paths.pipelineState(id), JSON.stringify({ id, organization, slug, folder }));
}

async function readOwner(paths: DataPaths, organization: string, folder: string): Promise<string | null> {
  return (await readIfPresent(paths.folderOwner(organization, folder)))?.trim() ?? null;
}

async function writeOwner(paths: DataPaths, organization: string, folder: string, pipelineId: string): Promise<void> {
  await writeAtomic(paths.folderOwner(organization, folder), `${pipelineId}\n`);
}
