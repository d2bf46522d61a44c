/**
 * What upstream has of several jobs' artifacts, in the fewest requests: one listing of the build serves all jobs unless
 * asking for each job is cheaper. What a listing of the build does not show of a retried attempt is asked for that job
 * (whether it includes them is not documented).
 */
import type { Upstream } from '../src/buildkite/client.ts';
import type { ArtifactFacts, BuildRef, JobFacts } from '../src/model.ts';

/** @returns by job id; every given job has an entry */
export async function listArtifacts(
  upstream: Upstream,
  ref: BuildRef,
  jobs: readonly JobFacts[],
  jobsInBuild: number,
  signal: AbortSignal,
): Promise<Map<string, ArtifactFacts[]>> {
  const listed = new Map<string, ArtifactFacts[]>(jobs.map((job) => [job.id, []]));
  if (jobs.length === 0) return listed;
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
  ref: BuildRef,
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
