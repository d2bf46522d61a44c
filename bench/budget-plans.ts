/** What the budget bench measures: builds, ways to their links, and the limits they meet, on a clock that runs faster. */
import { generateBuild } from '../demo/samples/generate.ts';
import { documentedLimits, documentedPortalLimits, type Limits, type PortalLimits } from '../demo/standin/limits.ts';
import { documentedPoints, type PointLimits } from '../demo/standin/points.ts';
import type { SampleBuild } from '../demo/standin/sample.ts';
import { type Best, basics, bestTime, linkPoints, linkQueries, linksByRest, type Need } from './budget-arithmetic.ts';
import { pipeline } from './files.ts';

export type Way = 'rest' | 'graphql' | 'portal' | 'portal with points';

export interface Plan {
  /** By which one is chosen: `npm run bench -- budget/<id>`. */
  readonly id: string;
  readonly name: string;
  readonly way: Way;
  readonly jobs: number;
  readonly perJob: number;
  /** How many worker processes, one run each. */
  readonly workers: readonly number[];
  /** How much faster all of upstream's windows pass. */
  readonly faster: number;
  /** How many times the REST API's documented requests there are in a window. */
  readonly more: number;
  /** The most requests of any kind that it may take, where the issue of it is their number. */
  readonly most?: number;
  readonly isTimed: boolean;
}

/** KITEMIRROR_API_SHARE of all runs. */
export const share = 0.8;

const large = { jobs: 40, perJob: 250 } as const;
const artifacts = large.jobs * large.perJob;
const several = [1, 2, 4, 8];

/**
 * REST alone would take hours: there its windows hold more, so many that five are needed and the last one hardly, as in
 * real time, where a window's requests are sent within a small part of it.
 */
export const plans: readonly Plan[] = [
  { id: 'rest', name: 'REST alone', way: 'rest', ...large, workers: several, faster: 4, more: 60.4, isTimed: true },
  { id: 'graphql', name: 'GraphQL', way: 'graphql', ...large, workers: several, faster: 10, more: 1, isTimed: true },
  {
    id: 'portal',
    name: 'portal',
    way: 'portal',
    ...large,
    workers: several,
    faster: 1,
    more: 1,
    most: artifacts / 50,
    isTimed: true,
  },
  {
    id: 'portal-points',
    name: 'portal that uses points',
    way: 'portal with points',
    ...large,
    workers: [1],
    faster: 1,
    more: 1,
    most: artifacts / 50,
    isTimed: true,
  },
  {
    id: 'portal-jobs',
    name: 'portal',
    way: 'portal',
    jobs: 400,
    perJob: 3,
    workers: [1],
    faster: 10,
    more: 4,
    most: 400 + 25,
    isTimed: false,
  },
];

export interface ScaledLimits {
  readonly limits: Limits;
  readonly points: PointLimits;
  readonly portalLimits: PortalLimits;
}

/** Resets are told in tenths of a second: whole seconds would say little of windows this short. */
export function scaledLimits({ faster, more }: Plan): ScaledLimits {
  const resetDigits = 1;
  const scaled = (limit: number | null): number | null => (limit === null ? null : Math.round(limit * more));
  return {
    limits: {
      organization: scaled(documentedLimits.organization),
      user: scaled(documentedLimits.user),
      windowMs: documentedLimits.windowMs / faster,
      resetDigits,
    },
    points: { ...documentedPoints, windowMs: documentedPoints.windowMs / faster, resetDigits },
    portalLimits: { ...documentedPortalLimits, windowMs: documentedPortalLimits.windowMs / faster, resetDigits },
  };
}

export function bestOf(plan: Plan): Best {
  const { way, jobs, perJob } = plan;
  const { limits, points, portalLimits } = scaledLimits(plan);
  const total = jobs * perJob;
  const rest = { limit: limits.user ?? 0, seconds: limits.windowMs / 1000 };
  const needs: Need[] = [
    { api: 'REST requests', amount: basics(jobs) + (way === 'rest' ? linksByRest(total) : 0), window: rest },
  ];
  if (way === 'graphql' || way === 'portal with points') {
    const limit = (way === 'graphql' ? points.user : points.organization) ?? 0;
    const window = { limit, seconds: points.windowMs / 1000 };
    needs.push({ api: 'GraphQL points', amount: linkPoints(jobs, total), window });
  }
  if (way !== 'rest' && way !== 'graphql') {
    const window = { limit: portalLimits.requests, seconds: portalLimits.windowMs / 1000 };
    needs.push({ api: 'portal requests', amount: linkQueries(jobs, total), window });
  }
  return bestTime(needs, share);
}

/** The same in all processes. */
export function buildOf({ jobs, perJob }: Pick<Plan, 'jobs' | 'perJob'>): SampleBuild {
  return generateBuild({ pipeline: pipeline.slug, jobs, artifactsPerJob: perJob });
}
