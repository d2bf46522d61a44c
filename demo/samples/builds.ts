/** Some days of a team's work, as Buildkite would tell it: eleven builds of two pipelines. */
import type { SampleBuild } from '../standin/sample.ts';
import { apiBuilds } from './api-builds.ts';
import { webBuilds } from './web-builds.ts';

/**
 * The same for the same time, to the byte.
 * @param now milliseconds since 1970; the last build ended some twenty minutes before
 * @returns oldest first
 */
export function sampleBuilds({ now }: { readonly now: number }): SampleBuild[] {
  const { passed, failed, released } = apiBuilds(now);
  const builds = [...webBuilds(now, released), passed, failed, released];
  return builds.sort((a, b) => a.createdAt - b.createdAt);
}
