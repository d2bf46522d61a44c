/**
 * Gaps whose own record cannot be read: which build it was is known from its stubs, from the catalog, or from the tree.
 * Where nothing tells, the comparison with upstream goes back to before the gap was opened, and finds the build there.
 */
import type { Log } from '../log.ts';
import type { Catalog } from '../search/catalog.ts';
import { writtenAt } from '../tree/files.ts';
import type { DataPaths } from '../tree/paths.ts';
import { damaged, orDamaged } from '../tree/records.ts';
import { type DamagedRecord, keepDamaged } from '../tree/salvaged.ts';
import { damagedGaps, listStubs, openUnsettled, readStub, removeGap, type UnsettledBuild } from '../tree/unsettled.ts';
import { readUpstreamView } from '../tree/upstream-view.ts';
import { walkBuilds } from '../tree/walk.ts';
import { lookBack } from './compare.ts';

export interface MendParts {
  readonly paths: DataPaths;
  readonly catalog: Pick<Catalog, 'find'>;
  readonly log: Log;
  readonly onDamaged: (of: DamagedRecord) => void;
}

/** A gap is opened when its build is heard of, which is when it ends, or some days later. */
const heardWithinMs = 2 * 86_400_000;

/** @returns how many there were */
export async function mendGaps(parts: MendParts): Promise<number> {
  const { paths, onDamaged, log } = parts;
  const builds = await damagedGaps(paths);
  for (const build of builds) {
    const file = paths.unsettledBuildFile(build);
    const openedAt = writtenAt(file) ?? writtenAt(paths.unsettledBuild(build)) ?? Date.now();
    const entry = await whatItWas(parts, build, new Date(openedAt).toISOString());
    const where = entry === null ? { build } : { build, pipeline: entry.pipeline, number: entry.number };
    await keepDamaged(paths, file, { record: 'gap', ...where });
    if (entry === null) {
      const since = new Date(Math.min(openedAt - heardWithinMs, bornAt(build) ?? openedAt)).toISOString();
      // On disk before what it stands for is gone.
      await lookBack(parts, since);
      await removeGap(paths, build);
      log.error({ build, since }, 'nothing tells which build a gap was of: builds are compared again from before it');
    } else await openUnsettled(paths, entry);
    onDamaged({ record: 'gap', ...where });
  }
  return builds.length;
}

async function whatItWas({ paths, catalog }: MendParts, build: string, since: string): Promise<UnsettledBuild | null> {
  const base = { version: 1, build, since, learnedFrom: 'reconcile' } as const;
  for (const job of await listStubs(paths, build)) {
    const stub = (await readStub(paths, build, job))?.stub;
    if (stub === undefined || stub.build !== build) continue;
    const { organization, pipeline, number, pipelineId } = stub;
    return { ...base, organization, pipeline, number, pipelineId };
  }
  const summary = catalog.find(build)?.summary;
  if (summary !== undefined) {
    const { organization, pipeline, number, pipeline_id: pipelineId, learned_from: learnedFrom } = summary;
    return { ...base, organization, pipeline, number, pipelineId, learnedFrom };
  }
  for await (const place of walkBuilds(paths)) {
    const view = await orDamaged(readUpstreamView(paths, place));
    if (view === damaged || view?.build.id !== build) continue;
    const { organization, number } = place;
    return { ...base, organization, pipeline: view.build.pipeline.slug, number, pipelineId: view.build.pipeline.id };
  }
  return null;
}

/** A uuid of version 7 tells when it was made (ms since 1970): no build ends before that. */
function bornAt(uuid: string): number | null {
  return uuid[14] === '7' ? Number.parseInt(uuid.replace('-', '').slice(0, 12), 16) : null;
}
