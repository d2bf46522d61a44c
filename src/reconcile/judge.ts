/** One build of upstream's list beside what the mirror knows of it. Pure. */
import type { ListedBuild } from '../buildkite/build-list.ts';
import type { Matcher } from '../globs.ts';
import type { KnownBuild } from '../search/catalog.ts';

/**
 * `unchanged` mirrored as it is · `unknown` never seen · `changed` finished again, or otherwise than when it was
 * mirrored · `unsettled` known, and something is still to be fetched · `excluded` by the settings
 */
export type Verdict = 'unchanged' | 'unknown' | 'changed' | 'unsettled' | 'excluded';

export interface BuildRules {
  readonly includesPipeline: Matcher;
  readonly includesBranch: Matcher;
}

export function judgeBuild(build: ListedBuild, known: KnownBuild | null, rules: BuildRules): Verdict {
  if (!rules.includesPipeline(build.pipeline) || !rules.includesBranch(build.branch)) return 'excluded';
  if (known === null) return 'unknown';
  if (known.finishedAt !== build.finished_at || known.state !== build.state) return 'changed';
  return known.settled ? 'unchanged' : 'unsettled';
}

export function isDifference(verdict: Verdict): boolean {
  return verdict === 'unknown' || verdict === 'changed' || verdict === 'unsettled';
}

/** @returns ms since 1970; null while it runs */
export function endOf({ finished_at: end }: Pick<ListedBuild, 'finished_at'>): number | null {
  return end === null ? null : Date.parse(end);
}
