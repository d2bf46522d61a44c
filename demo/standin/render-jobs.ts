/**
 * Jobs in the shapes of Buildkite's REST API: a script job has all the keys, a manual or trigger job its own few, and a
 * waiter nothing but its id.
 */
import { graphqlId } from './ids.ts';
import { buildUrl, buildWebUrl, date, type Json, organizationUrl, personJson, type View, webBase } from './render.ts';
import type { ManualJob, SampleBuild, SampleJob, ScriptJob, TriggerJob } from './sample.ts';

export function jobJson(job: SampleJob, build: SampleBuild, view: View): Json {
  switch (job.type) {
    case 'script':
      return scriptJson(job, build, view);
    case 'manual':
      return manualJson(job, build, view);
    case 'trigger':
      return triggerJson(job, build, view);
    default:
      return { id: job.id, graphql_id: graphqlId('Job', job.id), type: 'waiter' };
  }
}

function scriptJson(job: ScriptJob, build: SampleBuild, view: View): Json {
  const at = (time: number | null): string | null => date(time, view.dates);
  const url = `${buildUrl(view.base, build)}/jobs/${job.id}`;
  return {
    id: job.id,
    graphql_id: graphqlId('Job', job.id),
    type: 'script',
    name: job.name,
    step_key: job.stepKey,
    ...(job.groupKey === null ? {} : { group_key: job.groupKey }),
    step: { id: job.id, signature: null },
    priority: { number: 0 },
    agent_query_rules: ['queue=default'],
    state: job.state,
    build_url: buildUrl(view.base, build),
    web_url: `${buildWebUrl(build)}#${job.id}`,
    log_url: `${url}/log`,
    raw_log_url: `${url}/log.txt`,
    artifacts_url: `${url}/artifacts`,
    command: job.command,
    soft_failed: job.softFailed,
    exit_status: job.exitStatus,
    signal: null,
    signal_reason: null,
    broken_reason: null,
    artifact_paths: null,
    created_at: at(job.createdAt),
    scheduled_at: at(job.createdAt),
    runnable_at: at(job.createdAt),
    concurrency_wait_time_ms: null,
    started_at: at(job.startedAt),
    finished_at: at(job.finishedAt),
    expired_at: null,
    retried: job.retriedInJobId !== null,
    retried_in_job_id: job.retriedInJobId,
    retries_count: job.retriesCount,
    retry_source: job.retrySource && { job_id: job.retrySource.jobId, retry_type: job.retrySource.retryType },
    retry_type: job.retryType,
    parallel_group_index: job.parallel?.index ?? null,
    parallel_group_total: job.parallel?.total ?? null,
    matrix: job.matrix,
    agent: job.agent === null ? null : agentJson(job.agent, build, view),
    retried_by: null,
    cluster_id: null,
    cluster_url: null,
    cluster_queue_id: null,
    cluster_queue_url: null,
  };
}

function agentJson(host: string, build: SampleBuild, view: View): Json {
  const url = `${organizationUrl(view.base, build.organization.slug)}/agents/${host}`;
  return {
    id: build.organization.id,
    url,
    web_url: `${webBase}/organizations/${build.organization.slug}/agents/${host}`,
    name: `${host}-1`,
    connection_state: 'connected',
    ip_address: '192.0.2.17',
    hostname: host,
    user_agent: 'buildkite-agent/3.98.0 (linux; amd64)',
    version: '3.98.0',
    creator: null,
    priority: 0,
    meta_data: ['queue=default'],
  };
}

function manualJson(job: ManualJob, build: SampleBuild, view: View): Json {
  return {
    id: job.id,
    graphql_id: graphqlId('Job', job.id),
    type: 'manual',
    label: job.label,
    state: job.state,
    step_key: job.stepKey,
    web_url: null,
    unblocked_by: personJson(job.unblockedBy, view),
    unblocked_at: date(job.unblockedAt, view.dates),
    unblockable: job.unblockedAt === null,
    unblock_url: `${buildUrl(view.base, build)}/jobs/${job.id}/unblock`,
  };
}

function triggerJson(job: TriggerJob, build: SampleBuild, view: View): Json {
  const at = (time: number | null): string | null => date(time, view.dates);
  const { triggered } = job;
  const path = triggered && `pipelines/${triggered.pipeline}/builds/${triggered.number}`;
  return {
    id: job.id,
    graphql_id: graphqlId('Job', job.id),
    type: 'trigger',
    name: job.name,
    step_key: job.stepKey,
    state: job.state,
    async: job.async,
    web_url: `${buildWebUrl(build)}#${job.id}`,
    created_at: at(job.createdAt),
    scheduled_at: at(job.createdAt),
    runnable_at: at(job.createdAt),
    started_at: at(job.startedAt),
    finished_at: at(job.finishedAt),
    triggered_build: triggered && {
      id: triggered.id,
      number: triggered.number,
      url: `${organizationUrl(view.base, build.organization.slug)}/${path}`,
      web_url: `${webBase}/${build.organization.slug}/${triggered.pipeline}/builds/${triggered.number}`,
    },
  };
}
