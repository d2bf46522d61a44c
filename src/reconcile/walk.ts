/**
 * Walks a list of builds from the newest created to the oldest, in pages that overlap: each begins with the build that
 * the one before ended with. Pages are bounded by a time of creation and not counted from the list's start, so that
 * builds which enter or leave the list meanwhile shift nothing, and so that the list never becomes too deep.
 */
import type { BuildList, BuildQuery, BuildsPage, ListedBuild } from '../buildkite/build-list.ts';
import { buildsPerPage } from '../buildkite/build-list.ts';
import { MirrorError } from '../errors.ts';
import type { WalkPlace } from '../tree/reconcile-state.ts';

export const walkStart: WalkPlace = { createdFrom: null, createdTo: null, page: 1, isNumbered: false, last: null };

export interface WalkedPage extends Pick<BuildsPage, 'at' | 'unreadable'> {
  /** Those that no earlier page of this walk had. */
  readonly builds: readonly ListedBuild[];
  /** Where to go on; null: that was the last page. */
  readonly next: WalkPlace | null;
  /** The build that this page should have begun with is not there: it has left the list, and others with it, maybe. */
  readonly hasHole: boolean;
  /** It was found by its number, and overlaps with none: a build that left meanwhile has moved another one past it unseen. */
  readonly isCounted: boolean;
}

/** Upstream's times have milliseconds at the most, and its bounds may be in- or exclusive. */
const overlapMs = 1000;
/** No build that finished since a time was created longer before it. */
const longestBuildMs = 60 * 86_400_000;

/** @param query its bounds of creation are those of the whole walk */
export async function* walkBuilds(
  list: BuildList,
  query: BuildQuery,
  from: WalkPlace,
  signal: AbortSignal,
): AsyncGenerator<WalkedPage> {
  const seen = new Set<string>();
  for (let place: WalkPlace | null = from; place !== null; ) {
    const answer = await list(queryAt(query, place), signal);
    if (answer === 'too deep') {
      place = narrowed(query, place);
      continue;
    }
    if (ignoresBound(place, answer)) {
      // Its first page has been walked, and is what was shown again.
      place = { ...walkStart, page: 2, isNumbered: true };
      continue;
    }
    const builds = answer.builds.filter(({ id }) => !seen.has(id));
    for (const { id } of builds) seen.add(id);
    const { last } = place;
    const hasHole = last !== null && place.page === 1 && !answer.builds.some(({ id }) => id === last);
    const next = placeAfter(query, place, answer);
    yield { builds, at: answer.at, unreadable: answer.unreadable, next, hasHole, isCounted: place.page > 1 };
    place = next;
  }
}

function queryAt(query: BuildQuery, { createdFrom, createdTo, page }: WalkPlace): BuildQuery {
  return {
    ...query,
    ...(createdFrom === null ? {} : { createdFrom }),
    ...(createdTo === null ? {} : { createdTo }),
    page,
  };
}

/** Buildkite documents the bound; a gateway in between may not pass it on. */
function ignoresBound({ createdTo, page }: WalkPlace, { builds: [newest] }: BuildsPage): boolean {
  const at = newest?.created_at;
  return createdTo !== null && page === 1 && at !== undefined && at !== null && at > shifted(createdTo, overlapMs);
}

function placeAfter(
  query: BuildQuery,
  place: WalkPlace,
  { builds, hasNext, unreadable }: BuildsPage,
): WalkPlace | null {
  if (!hasNext && builds.length + unreadable < buildsPerPage) return belowWindow(place);
  const last = builds.at(-1);
  const oldest = last?.created_at;
  const until = oldest === undefined || oldest === null ? null : shifted(oldest, overlapMs);
  const bound = place.createdTo ?? query.createdTo ?? null;
  // More builds of one moment than a page holds: then by number.
  if (place.isNumbered || last === undefined || until === null || (bound !== null && until >= bound))
    return { ...place, page: place.page + 1 };
  return { ...place, createdTo: until, page: 1, last: last.id };
}

/** The list was narrowed from below: what is older comes next. */
function belowWindow({ createdFrom }: WalkPlace): WalkPlace | null {
  if (createdFrom === null) return null;
  return { createdFrom: null, createdTo: shifted(createdFrom, overlapMs), page: 1, isNumbered: false, last: null };
}

/** Half of the time that the list spans, the newer half first. @throws MirrorError when there is nothing left to halve */
function narrowed(query: BuildQuery, place: WalkPlace): WalkPlace {
  const to = Date.parse(place.createdTo ?? query.createdTo ?? new Date().toISOString());
  const floor =
    query.createdFrom ?? (query.finishedFrom === undefined ? null : shifted(query.finishedFrom, -longestBuildMs));
  const from = Date.parse(place.createdFrom ?? floor ?? new Date(to - longestBuildMs).toISOString());
  if (to - from < 4 * overlapMs) {
    throw new MirrorError('ERR_UPSTREAM_MALFORMED', 'Buildkite does not list all builds of one second', {});
  }
  return { ...place, createdFrom: new Date((from + to) / 2).toISOString(), page: 1, isNumbered: false, last: null };
}

function shifted(iso: string, ms: number): string {
  return new Date(Date.parse(iso) + ms).toISOString();
}
