/**
 * A build's access label: what the policy judges it by, beside its record in the tree of pages and never sent to anyone.
 * Organization and pipeline are the place's own, so a label moves and is renamed with its folder.
 */
import type { BuildFacts, BuildSummary } from '../model.ts';
import { readIfPresent, writeAtomic, writtenAt } from './files.ts';
import type { DataPaths, Place } from './paths.ts';
import { throughStaging } from './temporary.ts';

export interface Label {
  readonly organization: string;
  /** The slug. */
  readonly pipeline: string;
  readonly pipelineId: string;
  /** null: no rule about branches may match (a fork's build, a branch that is no line of text). */
  readonly branch: string | null;
}

export interface LabelFacts {
  readonly pipelineId: string;
  readonly branch: string;
  readonly fork: boolean;
}

/** Of a build as upstream or its record tells it. */
export function labelFacts(build: BuildFacts | BuildSummary): LabelFacts {
  const pipelineId = 'pipeline_id' in build ? build.pipeline_id : build.pipeline.id;
  return { pipelineId, branch: build.branch, fork: build.pull_request?.fork ?? false };
}

/** A folder is called by the pipeline's slug, or `<slug>~<8 of its uuid>`. */
export function slugOfFolder(folder: string): string {
  return folder.replace(/~[0-9a-f]{8}$/, '');
}

export function labelOf(place: Pick<Place, 'organization' | 'folder'>, facts: LabelFacts): Label {
  return {
    organization: place.organization,
    pipeline: slugOfFolder(place.folder),
    pipelineId: facts.pipelineId,
    branch: facts.fork || !isLine(facts.branch) ? null : facts.branch,
  };
}

/** Before any file of the build can be asked for, and again whenever it is published. */
export async function writeLabel(paths: DataPaths, place: Place, facts: LabelFacts): Promise<void> {
  const { pipelineId, branch } = labelOf(place, facts);
  const line = `1\t${pipelineId}\t${branch === null ? '-' : `=${branch}`}\n`;
  const file = paths.label(place);
  if ((await readIfPresent(file)) === line) return;
  await writeAtomic(file, line, throughStaging(paths));
}

export function hasLabel(paths: DataPaths, place: Place): boolean {
  return writtenAt(paths.label(place)) !== null;
}

/** @returns null where there is none: nobody may read that build */
export async function readLabel(paths: DataPaths, place: Place): Promise<Label | null> {
  const match = /^1\t([^\t\n]+)\t(?:-|=([^\n]*))\n$/.exec((await readIfPresent(paths.label(place))) ?? '');
  const [found, pipelineId = '', branch] = match ?? [];
  if (found === undefined) return null;
  return labelOf(place, { pipelineId, branch: branch ?? '', fork: branch === undefined });
}

function isLine(branch: string): boolean {
  return branch !== '' && branch.isWellFormed() && !/\p{Cc}/u.test(branch);
}
