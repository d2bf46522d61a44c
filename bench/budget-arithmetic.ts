/** How soon a build can be mirrored at best, if upstream's limits were all that takes time. */

export interface Window {
  /** Of a whole window, before our share is taken. */
  readonly limit: number;
  readonly seconds: number;
}

export interface Need {
  readonly api: 'REST requests' | 'GraphQL points' | 'portal requests';
  readonly amount: number;
  readonly window: Window;
}

export interface Best {
  readonly seconds: number;
  /** What it is decided by, with its arithmetic. */
  readonly because: string;
}

const perPage = 100;
/** What one query may request. */
const mostPoints = 50_000;

/** A window's part may be spent at once when it begins: the last of n windows begins after n − 1 of them. */
export function bestTime(needs: readonly Need[], share: number): Best {
  const times = needs.map(({ api, amount, window }) => {
    const ours = Math.floor(window.limit * share);
    const windows = Math.ceil(amount / ours);
    const because = `${amount} ${api} at ${ours} each ${window.seconds} s: ${windows} windows`;
    return { seconds: (windows - 1) * window.seconds, because };
  });
  return times.toSorted((a, b) => b.seconds - a.seconds)[0] ?? { seconds: 0, because: 'nothing is needed' };
}

/** The build, its annotations, and each job's log; these only REST has. */
export function basics(jobs: number): number {
  return 2 + jobs;
}

/** The pages of the list, and a request for each link. */
export function linksByRest(artifacts: number): number {
  return Math.ceil(artifacts / perPage) + artifacts;
}

/** An artifact is a point; a job three (itself, its list, the list's edges), a query three (build, jobs, edges). */
export function linkPoints(jobs: number, artifacts: number): number {
  const below = artifacts + 3 * jobs;
  return below + 3 * Math.ceil(below / (mostPoints - 3));
}

export function linkQueries(jobs: number, artifacts: number): number {
  return Math.ceil((artifacts + 3 * jobs) / (mostPoints - 3));
}
