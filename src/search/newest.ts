/** The builds of late over all pipelines. */
import type { BuildSummary } from '../model.ts';
import type { Catalog } from './catalog.ts';
import type { PipelineSummary } from './catalog-lists.ts';

/** How many the home page shows. */
export const homeBuilds = 12;

export interface NewestBuild {
  readonly folder: string;
  readonly summary: BuildSummary;
}

/**
 * At most `limit` builds, the latest first. As many pipelines are looked at, the ones that were built last: what is
 * among the newest is in one of those.
 * @param pipelines all of the organization, as the same catalog tells them
 */
export function newestBuilds(
  catalog: Pick<Catalog, 'builds'>,
  organization: string,
  pipelines: readonly PipelineSummary[],
  limit: number,
): NewestBuild[] {
  const latest = pipelines.toSorted((a, b) => order(timeOf(a.latest), timeOf(b.latest))).slice(0, limit);
  const builds = latest.flatMap(({ folder }) =>
    catalog.builds({ organization, folder, limit }).map((summary) => ({ folder, summary })),
  );
  return builds.toSorted((a, b) => order(timeOf(a.summary), timeOf(b.summary))).slice(0, limit);
}

function timeOf(build: BuildSummary | null): string {
  return build === null ? '' : (build.finished_at ?? build.started_at ?? build.created_at ?? '');
}

/** ISO 8601 in UTC; the later first. */
function order(a: string, b: string): number {
  return a === b ? 0 : a < b ? 1 : -1;
}
