/** A backfill: reads a part of Buildkite's list of builds and records what the mirror lacks of it, page by page. */
import { createHash } from 'node:crypto';
import type { BuildQuery, ListedBuild } from '../buildkite/build-list.ts';
import { isFinishedBuild } from '../model.ts';
import { endBackfill, readBackfill, writeBackfill } from '../tree/backfill-state.ts';
import { isDropped } from '../tree/dropping.ts';
import { syncGaps } from '../tree/unsettled.ts';
import type { CompareParts } from './compare.ts';
import { endOf, isDifference, judgeBuild } from './judge.ts';
import { recordGaps } from './record-gaps.ts';
import { walkBuilds, walkStart } from './walk.ts';

export interface BackfillRange {
  /** Builds that finished between these (ISO 8601). */
  readonly since: string | null;
  readonly until: string | null;
  /** None: all. */
  readonly pipelines: readonly string[];
  readonly branches: readonly string[];
  readonly states: readonly string[];
  /** Builds that are mirrored as they are, too: their files are compared anew. */
  readonly again: boolean;
}

export interface BackfillPage {
  readonly listed: number;
  readonly lacking: readonly ListedBuild[];
  /** Items of the list that are no builds as far as can be told. */
  readonly unreadable: number;
}

type Parts = Omit<CompareParts, 'log' | 'onOutcome' | 'onPage'>;

/** The same range is the same backfill: it goes on where it ended. */
function nameOf(range: BackfillRange): string {
  return createHash('sha256').update(JSON.stringify(range)).digest('hex').slice(0, 16);
}

/**
 * Records gaps as it goes, unless `isDry`. Each page is told when what it lacks is on disk and enqueued.
 * @returns whether an earlier run was gone on with
 */
export async function* backfill(
  parts: Parts,
  range: BackfillRange,
  isDry: boolean,
  signal: AbortSignal,
): AsyncGenerator<BackfillPage> {
  const name = nameOf(range);
  const begun = isDry ? null : await readBackfill(parts.paths, name);
  let recorded = begun?.recorded ?? 0;
  const queries = queriesOf(parts.organization, range);
  for (let list = begun?.list ?? 0; list < queries.length; list += 1) {
    const query = queries[list];
    if (query === undefined) break;
    const from = begun !== null && list === begun.list ? begun.place : walkStart;
    for await (const { builds, next, unreadable } of walkBuilds(parts.list, query, from, signal)) {
      const lacking = await lackingOf(parts, range, builds);
      if (!isDry) {
        await record(parts, range, lacking);
        recorded += lacking.length;
        await writeBackfill(parts.paths, name, { version: 1, list, place: next ?? walkStart, recorded });
      }
      yield { listed: builds.length, lacking, unreadable };
    }
  }
  if (!isDry) await endBackfill(parts.paths, name);
}

function queriesOf(organization: string, range: BackfillRange): BuildQuery[] {
  const { since, until, branches, states } = range;
  const query: BuildQuery = {
    organization,
    branches,
    states,
    ...(since === null ? {} : { finishedFrom: since }),
    // What was created later did not finish before it.
    ...(until === null ? {} : { createdTo: until }),
  };
  return range.pipelines.length === 0 ? [query] : range.pipelines.map((pipeline) => ({ ...query, pipeline }));
}

async function lackingOf(parts: Parts, range: BackfillRange, builds: readonly ListedBuild[]): Promise<ListedBuild[]> {
  const found: ListedBuild[] = [];
  const known = parts.catalog.known(builds.map(({ id }) => id));
  for (const build of builds) {
    if (!isFinishedBuild(build.state, build.finished_at)) continue;
    if (range.until !== null && (build.finished_at ?? '') > range.until) continue;
    const verdict = judgeBuild(build, known.get(build.id) ?? null, parts.rules);
    const isWanted = isDifference(verdict) || (range.again && verdict === 'unchanged');
    if (isWanted && !(await isDropped(parts.paths, build.id, endOf(build)))) found.push(build);
  }
  return found;
}

async function record(parts: Parts, { again }: BackfillRange, lacking: readonly ListedBuild[]): Promise<void> {
  const since = new Date().toISOString();
  const base = { learnedFrom: 'backfill', since, workClass: 'bulk', again } as const;
  await recordGaps(
    parts,
    lacking.map((build) => ({ ...base, build })),
  );
  await syncGaps(parts.paths);
}
