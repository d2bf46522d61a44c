/** The catalog as the reader of the moment may see it: what they may not read is not there. */
import type { BuildSummary } from '../model.ts';
import type { Catalog } from '../search/catalog.ts';
import type { BuildFilter, PipelineSummary } from '../search/catalog-lists.ts';
import type { Totals } from '../search/catalog-sums.ts';
import { labelFacts, labelOf, slugOfFolder } from '../tree/labels.ts';
import { mayRead, readsAll, readsWhole } from './caller.ts';

/** What readers may ask of a catalog; what is not here cannot be asked in their name. */
export type ReadersCatalog = Pick<Catalog, 'builds' | 'branches' | 'neighbours' | 'pipelines'> & {
  /** Of the whole mirror; null for who may not read all of it. */
  totals(organization: string): Totals | null;
};

/** Rows looked at in one go where some are not the reader's. */
const chunk = 500;

export function scopedCatalog(catalog: Catalog): ReadersCatalog {
  return {
    builds: (filter) => {
      if (filter.folder !== undefined && isWhole(filter.organization, filter.folder)) return catalog.builds(filter);
      return Array.from(readable(catalog, filter));
    },
    branches: (organization, folder, limit) => {
      if (isWhole(organization, folder)) return catalog.branches(organization, folder, limit);
      const all = catalog.branches(organization, folder, Number.MAX_SAFE_INTEGER);
      return all.filter((build) => isReadable(build, folder)).slice(0, limit);
    },
    neighbours: (organization, folder, number) => {
      if (isWhole(organization, folder)) return catalog.neighbours(organization, folder, number);
      const [previous] = readable(catalog, { organization, folder, before: number, limit: 1 });
      return { previous: previous?.number ?? null, next: nextOf(catalog, organization, folder, number) };
    },
    pipelines: (organization) =>
      catalog.pipelines(organization).flatMap((pipeline) => {
        if (isWhole(organization, pipeline.folder)) return [pipeline];
        return narrowed(catalog, organization, pipeline);
      }),
    totals: (organization) => (readsAll(organization) ? catalog.totals() : null),
  };
}

function isWhole(organization: string, folder: string): boolean {
  return readsWhole(organization, slugOfFolder(folder));
}

export function isReadable(build: BuildSummary, folder: string | undefined): boolean {
  return mayRead(labelOf({ organization: build.organization, folder: folder ?? build.pipeline }, labelFacts(build)));
}

function* readable(catalog: Catalog, filter: BuildFilter): Generator<BuildSummary> {
  let left = filter.limit;
  let before = filter.before;
  for (;;) {
    const builds = catalog.builds({ ...filter, limit: chunk, ...(before !== undefined && { before }) });
    for (const build of builds) {
      if (!isReadable(build, filter.folder)) continue;
      yield build;
      left -= 1;
      if (left === 0) return;
    }
    if (builds.length < chunk) return;
    before = builds.at(-1)?.number;
  }
}

function nextOf(catalog: Catalog, organization: string, folder: string, number: number): number | null {
  let at = number;
  for (let looked = 0; looked < chunk; looked += 1) {
    const { next } = catalog.neighbours(organization, folder, at);
    if (next === null) return null;
    const [build] = catalog.builds({ organization, folder, before: next + 1, limit: 1 });
    if (build !== undefined && isReadable(build, folder)) return next;
    at = next;
  }
  return null;
}

function narrowed(catalog: Catalog, organization: string, pipeline: PipelineSummary): PipelineSummary[] {
  const { folder } = pipeline;
  let latest: BuildSummary | null = null;
  let builds = 0;
  for (const build of readable(catalog, { organization, folder, limit: Number.MAX_SAFE_INTEGER })) {
    latest ??= build;
    builds += 1;
  }
  return latest === null ? [] : [{ ...pipeline, builds, latest }];
}
