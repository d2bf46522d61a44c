/**
 * Buildkite's APIs as tasks are given them: REST for each class of work, links in bulk by a portal or by GraphQL, and
 * the one budget of each, shared with all other workers.
 */
import { Agent } from 'undici';
import { type BudgetStore, createBudget, documented, type WorkClass } from '../src/buildkite/budget.ts';
import { createLinks, goodMs, type Links } from '../src/buildkite/bulk-links.ts';
import type { BulkSource } from '../src/buildkite/bulk-sources.ts';
import { createUpstream, type Upstream } from '../src/buildkite/client.ts';
import { createGraphql } from '../src/buildkite/graphql.ts';
import { createShelf, type ShelfStore } from '../src/buildkite/link-shelf.ts';
import { createRest, type Rest } from '../src/buildkite/rest.ts';
import type { Config, Secrets } from '../src/config.ts';
import { MirrorError } from '../src/errors.ts';
import type { Log } from '../src/log.ts';
import type { WorkerMetrics } from '../src/metrics/worker.ts';

export interface Apis {
  rest(workClass: WorkClass): Rest;
  upstream(workClass: WorkClass): Upstream;
  links(workClass: WorkClass): Links;
}

export interface ApisOptions {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly store: BudgetStore;
  readonly shelf: ShelfStore;
  readonly metrics: WorkerMetrics;
  readonly log: Log;
}

type Api = keyof typeof documented;

/** @throws MirrorError ERR_CONFIG without an API token */
export function createApis({ config, secrets, store, shelf, metrics, log }: ApisOptions): Apis {
  const token = secrets.apiToken;
  if (token === null) throw new MirrorError('ERR_CONFIG', 'BUILDKITE_API_TOKEN is required');
  const budgetOf = (api: Api) =>
    createBudget({
      store,
      api,
      share: config.apiShare,
      ...documented[api],
      onWait: (ms, workClass) => metrics.upstreamWaitSeconds.observe({ api, class: workClass }, ms / 1000),
    });
  const answered = (api: Api, purpose: string, status: number, points: number): void => {
    metrics.upstreamRequests.inc({ api, purpose, status: String(status) });
    metrics.upstreamSpent.inc({ api, purpose }, points);
  };

  // As many connections as tasks want: those of work that nobody waits for must not stand in the way of others.
  const dispatcher = new Agent({ connect: { timeout: 10_000 } });
  const rest = { dispatcher, budget: budgetOf('rest') };
  const points = budgetOf('graphql');
  const bulk = { dispatcher, share: config.apiShare, points };
  const sources: BulkSource[] = [];
  const { portalToken } = secrets;
  if (config.portalUrl !== null && portalToken !== null) {
    const api = createGraphql({
      ...bulk,
      mode: 'portal',
      url: config.portalUrl,
      token: () => portalToken.reveal(),
      budget: budgetOf('portal'),
      onAnswer: ({ status, cost }) => answered('portal', 'links', status, cost),
    });
    sources.push({ api, wanted: true });
  }
  if (config.graphql !== 'off') {
    const api = createGraphql({
      ...bulk,
      mode: 'graphql',
      url: config.graphqlUrl,
      token: () => token.reveal(),
      budget: points,
      onAnswer: ({ status, cost }) => answered('graphql', 'links', status, cost),
    });
    sources.push({ api, wanted: config.graphql === 'on' });
  }
  const restFor = (workClass: WorkClass): Rest =>
    createRest({
      ...rest,
      apiUrl: config.apiUrl,
      token: () => token.reveal(),
      workClass,
      onAnswer: (purpose, status) => answered('rest', purpose, status, 1),
    });
  return {
    rest: restFor,
    links: createLinks({
      sources,
      log,
      shelf: createShelf(shelf, () => token.reveal(), goodMs),
      onOutcome: (api, outcome) => metrics.linkQueries.inc({ api, outcome }),
    }),
    upstream: (workClass) => createUpstream(restFor(workClass), { isForgetful: workClass === 'person' }),
  };
}
