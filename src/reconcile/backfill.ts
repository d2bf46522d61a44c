/** A backfill: reads a part of Buildkite's list of builds and records what the mirror lacks of it, page by page. */
import { createHash } from 'node:crypto';
import type { BuildQuery, ListedBuild } from '../buildkite/build-list.ts';
import { isFinishedBuild } from '../model.ts';
import { type BackfillState, endBackfill, readBackfill, writeBackfill } from '../tree/backfill-state.ts';
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
  /** When the run was begun that this one goes on with (ISO 8601); null: this one began it. */
  readonly goesOnFrom: string | null;
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
 * run was broken off, it goes on there with that run's times, and lists then what has finished since that run began, and
 * what the range has come to hold by now.
 */
export async function* backfill(
  parts: Parts,
  range: BackfillRange,
  isDry: boolean,
  signal: AbortSignal,
): AsyncGenerator<BackfillPage> {
  const name = nameOf(range);
  const begun = isDry ? null : await readBackfill(parts.paths, name);
  const times = { since: begun?.since ?? range.since, until: begun === null ? range.until : begun.until };
  const begunAt = begun?.begun_at ?? new Date().toISOString();
  let recorded = begun?.recorded ?? 0;
  const lists = [...listsOf(parts, { ...range, ...times }), ...(begun === null ? [] : laterLists(parts, range, begun))];
  const own = queriesOf(parts.organization, range).length;
  // The later ones are short, and have grown again.
  const first = Math.min(begun?.list ?? 0, own);
  for (const [list, { query, until }] of lists.entries()) {
    if (list < first) continue;
    const from = list === begun?.list && list < own ? begun.place : walkStart;
    for await (const { builds, next, unreadable } of walkBuilds(parts.list, query, from, signal)) {
      const lacking = await lackingOf(parts, { ...range, until }, builds);
      if (!isDry) {
        await record(parts, range, lacking);
        recorded += lacking.length;
        const then = next === null ? { list: list + 1, place: walkStart } : { list, place: next };
        await writeBackfill(parts.paths, name, { version: 2, ...times, begun_at: begunAt, ...then, recorded });
      }
      yield { listed: builds.length, lacking, unreadable, goesOnFrom: begun === null ? null : begunAt };
    }
  }
  if (!isDry) await endBackfill(parts.paths, name);
}

interface List {
  readonly query: BuildQuery;
  /** A build that finished after it is none of the list's. */
  readonly until: string | null;
}

function listsOf({ organization }: Parts, range: BackfillRange): List[] {
  return queriesOf(organization, range).map((query) => ({ query, until: range.until }));
}

/** What ran when the earlier run looked, and what its times did not hold that the same words mean today. */
function laterLists(parts: Parts, range: BackfillRange, { begun_at: begunAt, until }: BackfillState): List[] {
  const seenTo = new Date(Date.parse(begunAt) - overlapMs).toISOString();
  const since = until !== null && until < seenTo ? until : seenTo;
  return range.until !== null && range.until <= since ? [] : listsOf(parts, { ...range, since });
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
