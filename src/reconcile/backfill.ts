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
  /** The two times below as they were asked for (`14d`): the same words are the same backfill, an hour later too. */
  readonly asked: readonly (string | null)[];
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

/** Clocks differ a little. */
const overlapMs = 10 * 60_000;

/** The same range is the same backfill: it goes on where it ended. */
function nameOf({ since: _since, until: _until, ...asked }: BackfillRange): string {
  return createHash('sha256').update(JSON.stringify(asked)).digest('hex').slice(0, 16);
}

/**
 * Records gaps as it goes, unless `isDry`. Each page is told when what it lacks is on disk and enqueued. Where an earlier
 * run was broken off, it goes on there with that run's times, and lists then what has been created since.
 */
export async function* backfill(
  parts: Parts,
  range: BackfillRange,
  isDry: boolean,
  signal: AbortSignal,
): AsyncGenerator<BackfillPage> {
  const name = nameOf(range);
  const begun = isDry ? null : await readBackfill(parts.paths, name);
  const { since, until } = begun ?? range;
  const begunAt = begun?.begun_at ?? new Date().toISOString();
  let recorded = begun?.recorded ?? 0;
  const own = queriesOf(parts.organization, { ...range, since, until });
  const later = begun === null || until !== null ? [] : own.map((query) => createdFrom(query, begunAt));
  const queries = [...own, ...later];
  // The later ones are short, and have grown again.
  const first = Math.min(begun?.list ?? 0, own.length);
  for (const [list, query] of queries.entries()) {
    if (list < first) continue;
    const from = list === begun?.list && list < own.length ? begun.place : walkStart;
    for await (const { builds, next, unreadable } of walkBuilds(parts.list, query, from, signal)) {
      const lacking = await lackingOf(parts, { ...range, until }, builds);
      if (!isDry) {
        await record(parts, range, lacking);
        recorded += lacking.length;
        const place = next ?? walkStart;
        await writeBackfill(parts.paths, name, { version: 2, since, until, begun_at: begunAt, list, place, recorded });
      }
      yield { listed: builds.length, lacking, unreadable };
    }
  }
  if (!isDry) await endBackfill(parts.paths, name);
}

function createdFrom(query: BuildQuery, begunAt: string): BuildQuery {
  return { ...query, createdFrom: new Date(Date.parse(begunAt) - overlapMs).toISOString() };
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
