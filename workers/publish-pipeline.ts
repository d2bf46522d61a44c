/** publish-pipeline: the pages that span builds — a pipeline's, its first page of builds, and the organization's. */
import { renderBuilds } from '../src/pages/builds.ts';
import { renderHome } from '../src/pages/home.ts';
import { badgeBranch, renderPipeline } from '../src/pages/pipeline.ts';
import type { Outcome } from '../src/queue/run.ts';
import type { Payload } from '../src/queue/tasks.ts';
import { homeBuilds, newestBuilds } from '../src/search/newest.ts';
import { writeDerived } from '../src/tree/files.ts';
import { hasBadge } from '../src/tree/pointers.ts';
import type { WorkerContext } from './context.ts';

/** Builds on a pipeline's page, and on a page of builds; the gateway shows what is before. */
const recentBuilds = 30;
const buildsAPage = 100;
const branchesShown = 50;

/** What it needs of a worker. */
export interface PublishParts extends Pick<WorkerContext, 'paths' | 'catalog' | 'lock'> {
  readonly settings: Pick<WorkerContext['settings'], 'url'>;
}

export async function publishPipeline(worker: PublishParts, task: Payload<'publish-pipeline'>): Promise<Outcome> {
  const { paths, catalog, lock, settings } = worker;
  const { organization, folder } = task;
  const builds = catalog.builds({ organization, folder, limit: buildsAPage });
  const branches = catalog.branches(organization, folder, branchesShown);
  const pipeline = builds[0]?.pipeline ?? folder;
  const common = { organization, pipeline, folder };
  const recent = builds.slice(0, recentBuilds);
  // With identity this page is sent to nobody: the gateway composes each reader's.
  const branch = badgeBranch(branches, (name) => hasBadge(paths, organization, folder, name));
  const badge = branch === null ? {} : { badge: { url: settings.url, branch } };
  await writeDerived(
    paths,
    paths.page(organization, folder),
    renderPipeline({ ...common, builds: recent, branches, ...badge }),
  );
  const nextBefore = builds.length === buildsAPage ? (builds.at(-1)?.number ?? null) : null;
  await writeDerived(
    paths,
    paths.page(organization, folder, 'builds'),
    renderBuilds({ ...common, builds, filter: {}, nextBefore }),
  );
  // Pipelines are published at the same time; who writes the organization's page last must have seen them all.
  await lock('home', async () => {
    const pipelines = catalog.pipelines(organization);
    const newest = newestBuilds(catalog, organization, pipelines, homeBuilds);
    const home = renderHome({ organization, pipelines, newest, totals: catalog.totals() });
    await writeDerived(paths, paths.page(organization), home);
    await writeDerived(paths, paths.page(), home);
  });
  return undefined;
}
