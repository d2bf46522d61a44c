/** The catalog as the reader of the moment may see it: what they may not read is not there. */
import type { BuildSummary } from '../model.ts';
import type { Catalog } from '../search/catalog.ts';
import type { BuildFilter, PipelineSummary } from '../search/catalog-lists.ts';
import type { Totals } from '../search/catalog-sums.ts';
import { type LabelFacts, labelFacts, labelOf } from '../tree/labels.ts';
import { branchesGranted, mayRead, readsAll } from './caller.ts';

/** Of one pipeline. */
type ScopedFilter = BuildFilter & { readonly folder: string };

/** What readers may ask of a catalog; what is not here cannot be asked in their name. */
export type ReadersCatalog = Pick<Catalog, 'branches' | 'neighbours' | 'pipelines'> & {
  builds(filter: ScopedFilter): BuildSummary[];
  /** Of the whole mirror; null for who may not read all of it. */
  totals(organization: string): Totals | null;
};

/** All builds of a pipeline, or those of these branches that are no fork's. */
type Scope = 'whole' | readonly string[];

/**
 * On so many branches of a pipeline a pattern with a star is tried, the last built ones that begin as it does: no list may cost
 * what there is.
 */
const mostBranches = 500;

export function scopedCatalog(catalog: Catalog): ReadersCatalog {
  /** By one build of the folder, which stands for all: a folder is of one pipeline. */
  const scopeOf = (organization: string, folder: string, branch?: string): Scope => {
    const [any] = catalog.builds({ organization, folder, limit: 1 });
    return any === undefined ? [] : scopeBy(catalog, folder, any, branch);
  };
  return {
    builds: (filter) => {
      const scope = scopeOf(filter.organization, filter.folder, filter.branch);
      return scope === 'whole' ? catalog.builds(filter) : newestOf(catalog, filter, scope);
    },
    branches: (organization, folder, limit) => {
      const scope = scopeOf(organization, folder);
      if (scope === 'whole') return catalog.branches(organization, folder, limit);
      const latest = scope.flatMap((branch) => catalog.builds({ organization, folder, branch, isOwn: true, limit: 1 }));
      return latest.toSorted(byNumber).slice(0, limit);
    },
    neighbours: (organization, folder, number) => {
      const scope = scopeOf(organization, folder);
      if (scope === 'whole') return catalog.neighbours(organization, folder, number);
      const beside = scope.map((branch) => catalog.neighbours(organization, folder, number, branch));
      const numbers = (key: 'previous' | 'next'): number[] => beside.flatMap((each) => each[key] ?? []);
      const [previous, next] = [Math.max(...numbers('previous')), Math.min(...numbers('next'))];
      return { previous: Number.isFinite(previous) ? previous : null, next: Number.isFinite(next) ? next : null };
    },
    pipelines: (organization) =>
      catalog.pipelines(organization).flatMap((pipeline) => narrowed(catalog, organization, pipeline)),
    totals: (organization) => (readsAll(organization) ? catalog.totals() : null),
  };
}

export function isReadable(build: BuildSummary, folder: string | undefined): boolean {
  return mayRead(labelOf({ organization: build.organization, folder: folder ?? build.pipeline }, labelFacts(build)));
}

/** @param asked only this branch */
function scopeBy(catalog: Catalog, folder: string, any: BuildSummary, asked?: string): Scope {
  const { organization } = any;
  const label = (facts: Partial<LabelFacts>) => labelOf({ organization, folder }, { ...labelFacts(any), ...facts });
  // Only a rule without branches opens a fork's build, and it opens all.
  const anybodys = label({ fork: true });
  if (mayRead(anybodys)) return 'whole';
  const patterns = branchesGranted(anybodys);
  const isNamed = (pattern: string): boolean => !pattern.includes('*');
  const namesOf = (pattern: string): string[] =>
    isNamed(pattern) ? [pattern] : catalog.branchNames(organization, folder, pattern.split('*')[0] ?? '', mostBranches);
  const branches = asked === undefined ? new Set(patterns.flatMap(namesOf)) : [asked];
  return Array.from(branches).filter((branch) => mayRead(label({ branch, fork: false })));
}

/** Of each branch no more is read than can be among the newest: with those of later branches the bound rises. */
function newestOf(catalog: Catalog, filter: ScopedFilter, branches: readonly string[]): BuildSummary[] {
  let newest: BuildSummary[] = [];
  for (const branch of branches) {
    const after = newest.length < filter.limit ? 0 : (newest.at(-1)?.number ?? 0);
    const found = catalog.builds({ ...filter, branch, isOwn: true, after });
    if (found.length > 0) newest = [...newest, ...found].toSorted(byNumber).slice(0, filter.limit);
  }
  return newest;
}

function byNumber(left: BuildSummary, right: BuildSummary): number {
  return right.number - left.number;
}

function narrowed(catalog: Catalog, organization: string, pipeline: PipelineSummary): PipelineSummary[] {
  const { folder } = pipeline;
  const scope = pipeline.latest === null ? [] : scopeBy(catalog, folder, pipeline.latest);
  if (scope === 'whole') return [pipeline];
  const [latest] = newestOf(catalog, { organization, folder, limit: 1 }, scope);
  if (latest === undefined) return [];
  const builds = scope.reduce((sum, branch) => sum + catalog.ownBuilds(organization, folder, branch), 0);
  return [{ ...pipeline, builds, latest }];
}
