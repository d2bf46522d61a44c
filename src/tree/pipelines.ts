/**
 * Which folder is whose: a pipeline is its uuid. A slug that another pipeline has taken moves the older builds to
 * `<slug>~<8 of the uuid>`; a pipeline that was renamed takes its builds along and leaves a pointer.
 * A move is written down before it begins and struck out when all has followed: after a crash the next claim ends it.
 */
import { mkdirSync, rmdirSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { errnoOf, MirrorError } from '../errors.ts';
import { unlinkFile } from './blobs.ts';
import { moveFolder } from './move.ts';
import type { DataPaths, Place } from './paths.ts';
import {
  isStateDamaged,
  mendState,
  type PipelineState,
  readOwner,
  readState,
  writeOwner,
  writeState,
} from './pipeline-state.ts';
import { leavePointer, removePointer, retargetPointers } from './pointers.ts';

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

/** Told of every move, maybe more than once, so that what is derived from the folders' names is made again. */
export type OnMove = (move: Move) => Promise<void>;

/** Told of a pipeline's state that could not be read and was written anew. */
export type OnMend = () => void;

/** The folder that holds this pipeline's builds from now on. */
export async function claimFolder(
  paths: DataPaths,
  lock: Lock,
  claim: Claim,
  onMove: OnMove,
  onMend: OnMend = () => undefined,
): Promise<string> {
  const { organization, slug, pipelineId } = claim;
  if (await mendLocked(paths, lock, claim)) onMend();
  const known = await readState(paths, pipelineId);
  if (known?.folder === slug && known.moving_from === null) return slug;
  // One at a time in an organization: two pipelines may be after the same two folders.
  return lock(`pipelines/${organization}`, async () => {
    const mine = await settle(paths, await readState(paths, pipelineId), onMove);
    const owner = await readOwner(paths, organization, slug);
    if (owner !== null && owner !== pipelineId) await makeRoom(paths, claim, owner, onMove);
    const from = mine === null || mine.folder === slug ? null : mine.folder;
    const state = { id: pipelineId, organization, slug, folder: slug, moving_from: from };
    // The state is written last: with it, no later claim looks at the rest again.
    await writeOwner(paths, organization, slug, pipelineId);
    removePointer(paths, organization, slug);
    await writeState(paths, state);
    await settle(paths, state, onMove);
    return slug;
  });
}

async function mendLocked(paths: DataPaths, lock: Lock, { organization, pipelineId }: Claim): Promise<boolean> {
  if (!(await isStateDamaged(paths, pipelineId))) return false;
  return lock(`pipelines/${organization}`, () => mendState(paths, pipelineId));
}

/** The slug that upstream's addresses of this pipeline had when it was last heard of; null: it never was. */
export async function slugOf(paths: DataPaths, pipelineId: string): Promise<string | null> {
  return (await readState(paths, pipelineId))?.slug ?? null;
}

/** Whose folder this is, where that was forgotten and nobody else has it: from a record in it. */
export async function adoptFolder(paths: DataPaths, claim: Claim & { readonly folder: string }): Promise<void> {
  const { organization, folder, slug, pipelineId } = claim;
  if ((await readState(paths, pipelineId)) !== null) return;
  const owner = await readOwner(paths, organization, folder);
  if (owner !== null && owner !== pipelineId) return;
  await writeOwner(paths, organization, folder, pipelineId);
  await writeState(paths, { id: pipelineId, organization, slug, folder, moving_from: null });
}

/** @throws MirrorError ERR_TREE_MOVED for a pipeline that was never claimed, or that is being moved */
export async function placeOf(paths: DataPaths, pipelineId: string, number: number): Promise<Place> {
  const state = await readState(paths, pipelineId);
  if (state === null) throw new MirrorError('ERR_TREE_MOVED', 'the pipeline has no folder yet', { pipelineId });
  if (state.moving_from !== null)
    throw new MirrorError('ERR_TREE_MOVED', 'the pipeline is being moved', { pipelineId });
  return { organization: state.organization, folder: state.folder, number };
}

/**
 * Makes a folder below a build's, and makes sure that the build's place is still its own: a pipeline that was moved
 * while we created it must not be continued in the folder of its successor.
 */
export async function openFolder(paths: DataPaths, pipelineId: string, place: Place, folder: string): Promise<void> {
  const first = mkdirSync(folder, { recursive: true });
  try {
    const now = await placeOf(paths, pipelineId, place.number);
    if (now.folder === place.folder && now.organization === place.organization) return;
    throw new MirrorError('ERR_TREE_MOVED', 'the build was moved', { folder: place.folder });
  } catch (thrown) {
    if (first !== undefined) removeEmpty(folder, first);
    throw thrown;
  }
}

/** Folders that were made for nothing, from the innermost up to `first`; one that is in use meanwhile stays. */
function removeEmpty(folder: string, first: string): void {
  for (let each = folder; !relative(first, each).startsWith('..'); each = dirname(each)) {
    try {
      rmdirSync(each);
    } catch (thrown) {
      const errno = errnoOf(thrown);
      if (errno === 'ENOTEMPTY' || errno === 'EEXIST') return;
      if (errno !== 'ENOENT') throw thrown;
    }
  }
}

/** Another pipeline has the slug now: the older one's builds go aside. */
async function makeRoom(paths: DataPaths, { organization, slug }: Claim, owner: string, onMove: OnMove): Promise<void> {
  const unknown = { id: owner, organization, slug, folder: slug, moving_from: null };
  const state = (await settle(paths, await readState(paths, owner), onMove)) ?? unknown;
  // It may have gone elsewhere by itself, under its new name.
  if (state.folder !== slug) return;
  const short = `${slug}~${owner.slice(0, 8)}`;
  const taken = await readOwner(paths, organization, short);
  // Uuids begin with a time: two pipelines that were made in one minute share these eight.
  const aside = taken === null || taken === owner ? short : `${slug}~${owner}`;
  const moving = { ...state, folder: aside, moving_from: slug };
  await writeState(paths, moving);
  await settle(paths, moving, onMove);
}

/** Ends the move that a pipeline is in, if it is in one. Each step may have been done before. */
async function settle<State extends PipelineState | null>(
  paths: DataPaths,
  state: State,
  onMove: OnMove,
): Promise<State> {
  if (state === null || state.moving_from === null) return state;
  const { id, organization, folder: to, moving_from: from } = state;
  const move = { from, to };
  await moveFolder(paths, organization, move);
  // A folder with `~` in its name is no slug that anybody has a link to; one that goes aside leaves its slug to another.
  if (!from.includes('~') && !to.includes('~')) await leavePointer(paths, organization, move);
  await retargetPointers(paths, organization, move);
  await onMove(move);
  await writeOwner(paths, organization, to, id);
  const settled = { ...state, moving_from: null };
  await writeState(paths, settled);
  // The old name is let go at the very end: until then, whoever wants it ends this move first.
  if ((await readOwner(paths, organization, from)) === id) unlinkFile(paths.folderOwner(organization, from));
  return settled;
}
