/**
 * What upstream has of several jobs' artifacts, in the fewest requests: in bulk where that is cheaper, else one listing
 * of the build for all jobs, else one of each job. What a listing of the build does not show of a retried attempt is
 * asked for that job (whether it includes them is not documented).
 */
import type { Links } from '../src/buildkite/bulk-links.ts';
import type { Upstream } from '../src/buildkite/client.ts';
import type { UpstreamRef } from '../src/buildkite/sight.ts';
import type { ArtifactFacts, JobFacts } from '../src/model.ts';

export interface ListingSources {
  readonly upstream: Upstream;
  readonly links: Links;
}

export interface Unlisted {
  readonly job: JobFacts;
  /** Nothing of it is in the tree: what is listed is going to be fetched. */
  readonly isNew: boolean;
}

/** By job id. */
export type Listed = ReadonlyMap<string, readonly ArtifactFacts[]>;

/** @returns parts as they come in; every given job is in one of them */
export async function* listArtifacts(
  { upstream, links }: ListingSources,
  ref: UpstreamRef,
  all: readonly Unlisted[],
  jobsInBuild: number,
  signal: AbortSignal,
): AsyncGenerator<Listed> {
  const rest = new Map(all.map(({ job }) => [job.id, job]));
  // A page of a portal is a request, however long. By GraphQL each item is a point, which only its link makes worth it.
  const inBulk = all.filter(({ isNew }) => isNew || links.mode() === 'portal').map(({ job }) => job.id);
  for await (const part of links.list(ref, inBulk, jobsInBuild, signal)) {
    for (const job of part.keys()) rest.delete(job);
    yield part;
  }
  if (rest.size > 0) yield await listByRest(upstream, ref, [...rest.values()], jobsInBuild, signal);
}

async function listByRest(
  upstream: Upstream,
  ref: UpstreamRef,
  jobs: readonly JobFacts[],
  jobsInBuild: number,
  signal: AbortSignal,
): Promise<Listed> {
  const listed = new Map<string, ArtifactFacts[]>(jobs.map((job) => [job.id, []]));
  const one = jobs.length === 1 && jobsInBuild > 1;
  const whole = one ? false : await listBuild(upstream, ref, listed, signal);
  const each = whole ? jobs.filter((job) => job.retried && listed.get(job.id)?.length === 0) : jobs;
  for (const job of each) {
    const artifacts = new Map<string, ArtifactFacts>();
    for await (const { items } of upstream.listArtifacts(ref, job.id, signal)) {
      for (const item of items) artifacts.set(item.id, item);
    }
    listed.set(job.id, [...artifacts.values()]);
  }
  return listed;
}

/** @returns false when the build has more pages than there are jobs to ask for: then ask for each */
async function listBuild(
  upstream: Upstream,
  ref: UpstreamRef,
  listed: Map<string, ArtifactFacts[]>,
  signal: AbortSignal,
): Promise<boolean> {
  // Pages may shift while jobs upload: an artifact seen twice is one.
  const seen = new Set<string>();
  for await (const { items, pages } of upstream.listArtifacts(ref, null, signal)) {
    if (pages > listed.size) return false;
    for (const item of items) {
      if (seen.has(item.id)) continue;
      seen.add(item.id);
      listed.get(item.job_id)?.push(item);
    }
  }
  return true;
}

/** REST states no SHA-256: what was stated before holds for as long as the bytes are said to be the same. */
export function withKnownSum(now: ArtifactFacts, before: ArtifactFacts | undefined): ArtifactFacts {
  const isSame = before !== undefined && now.sha1 !== null && now.sha1 === before.sha1 && now.size === before.size;
  return isSame ? { ...now, sha256: now.sha256 ?? before.sha256 } : now;
}
