/** What upstream said of a build, as far as the mirror itself can tell: where upstream.json is gone, and the build upstream too. */
import { type BuildSummary, JobFacts, type JobRecord, type JobSummary, type UpstreamView } from '../src/model.ts';

/**
 * @param summary from build.json, or from the catalog · @param jobs the lines of build.json
 * @param records of its jobs that can be read: these say more than the lines
 */
export function viewOf(
  summary: BuildSummary,
  jobs: readonly JobSummary[],
  records: readonly JobRecord[],
): UpstreamView {
  const told = new Map<string, JobFacts>(jobs.map((job) => [job.id, factsOf(job)]));
  for (const record of records) told.set(record.id, JobFacts.parse(record));
  const { pipeline, pipeline_id: id, pipeline_name: name, ...rest } = summary;
  const { number, state, blocked, branch, tag, commit, message, author, source, web_url, pull_request } = rest;
  const { created_at, started_at, finished_at } = rest;
  return {
    version: 1,
    read_at: summary.mirrored_at,
    build: {
      ...{ id: summary.id, number, state, blocked, branch, tag, commit, message, author, source, web_url },
      ...{ created_at, scheduled_at: null, started_at, finished_at, pull_request, rebuilt_from: null },
      pipeline: { id, slug: pipeline, name, repository: null, default_branch: null },
    },
    jobs: [...told.values()],
    annotations: null,
  };
}

/** The line does not say all: what it does not is absent. */
export function factsOf(job: JobSummary): JobFacts {
  const { id, type, name, step_key, state, exit_status, retried, retried_in_job_id, started_at, finished_at } = job;
  return {
    ...{ id, type, name, step_key, state, exit_status, retried, retried_in_job_id, started_at, finished_at },
    ...{ group_key: null, soft_failed: false, retries_count: null, parallel_group_index: null },
    ...{ parallel_group_total: null, matrix: null, agent: null, web_url: null, created_at: null },
  };
}
