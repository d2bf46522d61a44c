/**
 * The one query that lists artifacts and hands out their download URLs in bulk: of the jobs of a build, a page of them at a time, or of one job.
 * The same document is sent to the GraphQL API and stored as a portal. It only reads.
 * @see https://buildkite.com/docs/apis/graphql/cookbooks/artifacts
 */
import { z } from 'zod';
import { MirrorError } from '../errors.ts';
import { sumOf } from './schema.ts';

/** Its presence in an answer tells that the stored document is this one. */
export const documentMark = 'kitemirrorLinks1';

/**
 * Jobs are walked from the oldest on, as they are mirrored: the schema lists the newest first, so pages are taken from
 * the end. Replaced attempts are among them. Artifacts have no cursor: both ends of a job's list, or those of a path.
 */
export const bulkDocument = `query KitemirrorLinks(
  $build: ID! = "", $jobs: Int! = 1, $before: String, $job: ID! = "", $alone: Boolean! = false,
  $artifacts: Int! = 100, $path: String, $tail: Boolean! = false
) {
  ${documentMark}: __typename
  build(uuid: $build) @skip(if: $alone) {
    jobs(last: $jobs, before: $before, type: [COMMAND]) {
      pageInfo { hasPreviousPage startCursor }
      edges { node { ...Links } }
    }
  }
  job(uuid: $job) @include(if: $alone) { ...Links }
}

fragment Links on JobTypeCommand {
  uuid
  artifacts(first: $artifacts, path: $path) { count edges { node { ...Link } } }
  tail: artifacts(last: $artifacts, path: $path) @include(if: $tail) { edges { node { ...Link } } }
}

fragment Link on Artifact { uuid path state mimeType size sha1sum sha256sum downloadURL }
`;

/** @see https://buildkite.com/docs/apis/graphql/graphql-resource-limits */
const mostRequested = 50_000;
/** What one connection answers at most. */
export const mostItems = 500;
const fewestItems = 50;

/** Objects around a page of jobs (build, jobs, page info, edges), and around the artifacts of a job (itself, list, edges). */
const aroundJobs = 4;
export const aroundJob = 3;

/** What a query counts as before it is run: all that it could return. */
export function requestedNodes(jobs: number, artifacts: number): number {
  return aroundJobs + jobs * (aroundJob + artifacts);
}

export interface PageSizes {
  readonly jobs: number;
  readonly artifacts: number;
}

/**
 * @param seen what jobs of this build have shown so far; null: nothing yet
 * @param points what a page should cost, more or less
 */
export function choosePage(seen: { mean: number; largest: number } | null, points: number): PageSizes {
  const artifacts = seen === null ? mostItems : clamp(Math.ceil(seen.largest * 1.5), fewestItems, mostItems);
  const allowed = Math.floor((mostRequested - aroundJobs) / (aroundJob + artifacts));
  // A job that nothing is known of counts as a large one: a page too small is soon followed by the next.
  const wanted = Math.floor((points - aroundJobs) / (aroundJob + (seen?.mean ?? 250)));
  return { artifacts, jobs: clamp(wanted, 1, Math.min(allowed, mostItems)) };
}

/** What a page will probably cost. */
export function expectedPoints(page: PageSizes, mean: number): number {
  return Math.ceil(aroundJobs + page.jobs * (aroundJob + Math.min(mean, page.artifacts)));
}

function clamp(value: number, low: number, high: number): number {
  return Math.max(low, Math.min(value, high));
}

const LinkNode = z
  .object({
    uuid: z.string().min(1),
    path: z.string(),
    state: z.string(),
    mimeType: z.string().nullish(),
    size: z.number(),
    sha1sum: z.string().nullish(),
    sha256sum: z.string().nullish(),
    downloadURL: z.string().nullish(),
  })
  .transform(({ uuid, path, state, mimeType, size, sha1sum, sha256sum, downloadURL }) => ({
    id: uuid.toLowerCase(),
    path,
    state: state.toLowerCase(),
    mimeType: mimeType ?? 'application/octet-stream',
    size,
    sha1: sumOf(sha1sum, 40),
    sha256: sumOf(sha256sum, 64),
    url: state.toLowerCase() === 'finished' ? urlOf(downloadURL) : null,
  }));
/** An artifact as the query has it: `url` is null where there is none that could be used. */
export type LinkNode = z.infer<typeof LinkNode>;

/** What is null or does not fit costs that item and no other. */
function edgesOf<T>(item: z.ZodType<T>) {
  const Edge = z.object({ node: item });
  return z
    .array(z.unknown())
    .nullish()
    .transform((edges) => (edges ?? []).flatMap((edge) => Edge.safeParse(edge).data?.node ?? []));
}

/** How many there are, null or not. */
const Listed = z
  .array(z.unknown())
  .nullish()
  .transform((edges) => edges?.length ?? 0);

const links = edgesOf(LinkNode);
const Artifacts = z.object({ count: z.number().nullish(), edges: z.unknown() }).transform(({ count, edges }) => ({
  count: count ?? null,
  listed: Listed.safeParse(edges).data ?? 0,
  links: links.safeParse(edges).data ?? [],
}));
const JobNode = z
  .object({ uuid: z.string().min(1), artifacts: Artifacts.nullish(), tail: Artifacts.nullish() })
  .transform(({ uuid, artifacts, tail }) => {
    const listed = (artifacts?.listed ?? 0) + (tail?.listed ?? 0);
    return {
      id: uuid.toLowerCase(),
      // An answer that does not say how many there are has not listed all of them.
      count: artifacts?.count ?? listed + 1,
      listed,
      links: [...(artifacts?.links ?? []), ...(tail?.links ?? [])],
    };
  });
/** A job: how many artifacts it has, how many of them the answer lists, and those that can be read. */
export type JobNode = z.infer<typeof JobNode>;

const PageInfo = z.object({ hasPreviousPage: z.boolean(), startCursor: z.string().nullish() });
const JobPage = z
  .object({ jobs: z.object({ pageInfo: PageInfo.nullish(), edges: edgesOf(JobNode) }).nullish() })
  .transform(({ jobs }) => ({
    jobs: jobs?.edges ?? [],
    /** Where the next page ends; null: this was the last one. */
    next: jobs?.pageInfo?.hasPreviousPage === true ? (jobs.pageInfo.startCursor ?? null) : null,
  }));
export type JobPage = z.infer<typeof JobPage>;

/** @returns null when there is no such build for this token @throws MirrorError ERR_UPSTREAM_MALFORMED */
export function parsePage(data: Readonly<Record<string, unknown>>): JobPage | null {
  return parsed(data['build'], JobPage);
}

/** @returns null when there is no such job for this token @throws MirrorError ERR_UPSTREAM_MALFORMED */
export function parseJob(data: Readonly<Record<string, unknown>>): JobNode | null {
  return parsed(data['job'], JobNode);
}

function parsed<T>(value: unknown, schema: z.ZodType<T>): T | null {
  if (value === null) return null;
  const { success, data } = schema.safeParse(value);
  if (success) return data;
  throw new MirrorError('ERR_UPSTREAM_MALFORMED', "Buildkite's answer to the query for links has another shape");
}

function urlOf(value: string | null | undefined): URL | null {
  const url = value != null && URL.canParse(value) ? new URL(value) : null;
  return url !== null && /^https?:$/.test(url.protocol) ? url : null;
}
