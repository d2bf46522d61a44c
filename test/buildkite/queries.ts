/** Clients of the stand-in's GraphQL API and of its portals, with budgets that note what was asked of them. */
import type { TestContext } from 'node:test';
import { pino } from 'pino';
import { Agent } from 'undici';
import type { StandIn } from '../../demo/standin/standin.ts';
import { graphqlToken } from '../../demo/standin/tokens.ts';
import type { Allowances, Budget } from '../../src/buildkite/budget.ts';
import { bulkDocument } from '../../src/buildkite/bulk-query.ts';
import { createGraphql, type Graphql } from '../../src/buildkite/graphql.ts';
import type { GraphqlMode } from '../../src/buildkite/graphql-reply.ts';
import type { Log } from '../../src/log.ts';

export const portal = { slug: 'links', token: `bkpat_${'ab'.repeat(27)}`, document: bulkDocument };

export interface NotedBudget extends Budget {
  readonly spent: number[];
  readonly settled: Allowances[];
}

/** Grants everything at once. */
export function notedBudget(): NotedBudget {
  const spent: number[] = [];
  const settled: Allowances[] = [];
  return {
    spent,
    settled,
    spend: ({ signal, points = 1 }) => {
      signal.throwIfAborted();
      spent.push(points);
      return Promise.resolve();
    },
    settle: (allowances) => {
      settled.push(allowances);
    },
  };
}

export interface ClientOptions {
  readonly mode?: GraphqlMode;
  readonly budget?: Budget;
  readonly points?: Budget;
  readonly token?: string;
  readonly share?: number;
}

export function client(t: TestContext, standIn: StandIn, options: ClientOptions = {}): Graphql {
  const { mode = 'graphql', budget = notedBudget(), points = notedBudget(), share = 0.8 } = options;
  const dispatcher = new Agent();
  t.after(() => dispatcher.destroy());
  const url = new URL(mode === 'portal' ? standIn.portalUrl(portal.slug) : standIn.address.graphqlUrl);
  const token = options.token ?? (mode === 'portal' ? portal.token : graphqlToken.token);
  return createGraphql({ mode, url, token: () => token, dispatcher, budget, points, share });
}

/** A log, and its lines. */
export function notedLog(): { readonly log: Log; readonly lines: string[] } {
  const lines: string[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => lines.push(line) });
  return { log, lines };
}
