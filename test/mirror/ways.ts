/** Mirrors that have links by a portal, by GraphQL, or by REST alone, and what they asked for. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { SampleBuild } from '../../demo/standin/sample.ts';
import type { StandIn, StandInOptions } from '../../demo/standin/standin.ts';
import { graphqlToken } from '../../demo/standin/tokens.ts';
import { bulkDocument } from '../../src/buildkite/bulk-query.ts';
import { digestFile, type Mirror, placeOf, startMirror } from './harness.ts';
import { scriptsOf } from './samples.ts';

export const portal = { slug: 'kitemirror', token: `bkpat_${'cd'.repeat(27)}`, document: bulkDocument };
export type Way = 'graphql' | 'portal' | 'both' | 'rest';

export interface WayOptions {
  readonly standIn?: StandInOptions;
  readonly env?: Record<string, string>;
  readonly workers?: number;
}

export function mirrorBy(way: Way, { standIn, env, workers = 1 }: WayOptions = {}): Promise<Mirror> {
  const byPortal = (of: StandIn) => ({
    BUILDKITE_PORTAL_URL: of.portalUrl(portal.slug),
    BUILDKITE_PORTAL_TOKEN: portal.token,
  });
  return startMirror({
    standIn: { portals: [portal], ...standIn },
    workers,
    env: (of) => ({
      BUILDKITE_GRAPHQL_URL: of.address.graphqlUrl,
      BUILDKITE_GRAPHQL: way === 'graphql' || way === 'both' ? 'on' : 'off',
      BUILDKITE_API_TOKEN: graphqlToken.token,
      ...(way === 'portal' || way === 'both' ? byPortal(of) : {}),
      ...env,
    }),
  });
}

/** Ends with its test. */
export async function started(t: TestContext, way: Way, options?: WayOptions): Promise<Mirror> {
  const mirror = await mirrorBy(way, options);
  t.after(() => mirror.stop());
  return mirror;
}

export async function mirrored(mirror: Mirror, build: SampleBuild) {
  mirror.standIn.put(build);
  await mirror.tell(build);
  return mirror.settled(build, 120_000);
}

/** Requests by where they were sent; `links`: by REST, for one artifact each. */
export function asked(mirror: Mirror) {
  const { requests } = mirror.standIn;
  return {
    rest: requests.filter(({ at }) => at === 'api').length,
    links: requests.filter(({ at, path }) => at === 'api' && path.endsWith('/download')).length,
    graphql: requests.filter(({ at }) => at === 'graphql').length,
    portal: requests.filter(({ at }) => at === 'portal').length,
    points: requests.reduce((sum, { points }) => sum + (points ?? 0), 0),
    refused: requests.filter(({ status }) => status === 429).length,
  };
}

/** Every byte of the build is what upstream has, and each record has the SHA-256 of its file. */
export function checkBytes(mirror: Mirror, build: SampleBuild): void {
  for (const job of scriptsOf(build)) {
    for (const { sha256, path, state } of mirror.job(build, job.id).artifacts) {
      assert.equal(state, 'present', path);
      assert.equal(digestFile(mirror.paths.jobFile(placeOf(build), job.id, `artifacts/${path}`)), sha256);
    }
  }
}

/** A task that failed says so. */
export function spentAttempts(mirror: Mirror): string[] {
  return mirror.output.filter((line) => line.includes('not complete yet') || line.includes('task has failed'));
}
