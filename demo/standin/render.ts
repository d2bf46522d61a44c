/**
 * Builds, pipelines and people in the shapes of Buildkite's REST API: keys and nulls as in recorded answers of
 * 2023 to 2024, with the keys that its documentation of 2026 adds.
 */
import { graphqlId } from './ids.ts';
import type { SampleAnnotation, SampleBuild, SampleOrganization, SamplePerson, SamplePipeline } from './sample.ts';

export type Json = Record<string, unknown>;
/** `2023-08-20T19:37:51.832Z` today, `2018-07-01 20:14:38 UTC` in older payloads. */
export type DateFormat = 'iso' | 'utc';

/** How and for whom: `base` is the API's address without a slash at its end. */
export interface View {
  readonly base: string;
  readonly dates: DateFormat;
  /** Only a token that may write pipelines sees a pipeline's webhook address. */
  readonly webhookUrl: boolean;
}

export const webBase = 'https://buildkite.com';

export function date(time: number | null, format: DateFormat): string | null {
  if (time === null) return null;
  const iso = new Date(time).toISOString();
  return format === 'iso' ? iso : `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`;
}

export function organizationUrl(base: string, organization: string): string {
  return `${base}/v2/organizations/${organization}`;
}

export function buildUrl(base: string, build: SampleBuild): string {
  return `${organizationUrl(base, build.organization.slug)}/pipelines/${build.pipeline.slug}/builds/${build.number}`;
}

export function buildWebUrl(build: SampleBuild): string {
  return `${webBase}/${build.organization.slug}/${build.pipeline.slug}/builds/${build.number}`;
}

export function organizationJson(organization: SampleOrganization, view: View): Json {
  const url = organizationUrl(view.base, organization.slug);
  return {
    id: organization.id,
    graphql_id: graphqlId('Organization', organization.id),
    url,
    web_url: `${webBase}/${organization.slug}`,
    name: organization.name,
    slug: organization.slug,
    agents_url: `${url}/agents`,
    emojis_url: `${url}/emojis`,
    created_at: date(organization.createdAt, view.dates),
    pipelines_url: `${url}/pipelines`,
  };
}

export function personJson(person: SamplePerson | null, view: View): Json | null {
  if (person === null) return null;
  return {
    id: person.id,
    graphql_id: graphqlId('User', person.id),
    name: person.name,
    email: person.email,
    avatar_url: `https://www.gravatar.com/avatar/${person.id.replaceAll('-', '')}`,
    created_at: date(1_411_380_801_477, view.dates),
  };
}

export function pipelineJson(pipeline: SamplePipeline, organization: SampleOrganization, view: View): Json {
  const url = `${organizationUrl(view.base, organization.slug)}/pipelines/${pipeline.slug}`;
  return {
    id: pipeline.id,
    graphql_id: graphqlId('Pipeline', pipeline.id),
    url,
    web_url: `${webBase}/${organization.slug}/${pipeline.slug}`,
    name: pipeline.name,
    description: pipeline.description,
    slug: pipeline.slug,
    repository: pipeline.repository,
    cluster_id: null,
    pipeline_template_uuid: null,
    branch_configuration: null,
    default_branch: pipeline.defaultBranch,
    skip_queued_branch_builds: false,
    skip_queued_branch_builds_filter: null,
    cancel_running_branch_builds: false,
    cancel_running_branch_builds_filter: null,
    allow_rebuilds: true,
    provider: {
      id: 'github',
      settings: {
        build_branches: true,
        build_pull_request_forks: false,
        build_pull_requests: true,
        build_tags: false,
        prefix_pull_request_fork_branch_names: true,
        publish_commit_status: true,
        trigger_mode: 'code',
        repository: `${organization.slug}/${pipeline.slug}`,
      },
      webhook_url: view.webhookUrl ? pipeline.webhookUrl : '',
    },
    builds_url: `${url}/builds`,
    badge_url: `https://badge.buildkite.com/${pipeline.id.replaceAll('-', '')}.svg`,
    created_by: personJson(pipeline.createdBy, view),
    created_at: date(pipeline.createdAt, view.dates),
    archived_at: null,
    env: pipeline.env,
    scheduled_builds_count: 0,
    running_builds_count: 0,
    scheduled_jobs_count: 0,
    running_jobs_count: 0,
    waiting_jobs_count: 0,
    visibility: 'private',
    tags: null,
    emoji: null,
    color: null,
    configuration: pipeline.configuration,
    steps: [{ type: 'script', name: ':pipeline:', command: 'buildkite-agent pipeline upload', env: pipeline.env }],
    cluster_url: null,
  };
}

/** A build without its pipeline and jobs, which not every answer has. */
export function buildJson(build: SampleBuild, view: View): Json {
  const at = (time: number | null): string | null => date(time, view.dates);
  const { author, rebuiltFrom } = build;
  return {
    id: build.id,
    graphql_id: graphqlId('Build', build.id),
    url: buildUrl(view.base, build),
    web_url: buildWebUrl(build),
    number: build.number,
    state: build.state,
    cancel_reason: null,
    blocked: build.blocked,
    blocked_state: build.blocked ? build.state : '',
    message: build.message,
    commit: build.commit,
    branch: build.branch,
    tag: build.tag,
    env: build.env,
    source: build.source,
    author: author && { name: author.name, email: author.email },
    creator: personJson(build.creator, view),
    created_at: at(build.createdAt),
    scheduled_at: at(build.createdAt),
    started_at: at(build.startedAt),
    failing_at: null,
    finished_at: at(build.finishedAt),
    meta_data: build.metaData,
    pull_request: build.pullRequest,
    merge_queue: null,
    rebuilt_from: rebuiltFrom && {
      ...rebuiltFrom,
      url: buildUrl(view.base, { ...build, number: rebuiltFrom.number }),
    },
    cluster_id: null,
    cluster_url: null,
  };
}

export function annotationJson(annotation: SampleAnnotation, view: View, omitBody: boolean): Json {
  return {
    id: annotation.id,
    context: annotation.context,
    style: annotation.style,
    scope: annotation.jobId === null ? 'build' : 'job',
    job_id: annotation.jobId,
    priority: annotation.priority,
    ...(omitBody ? {} : { body_html: annotation.bodyHtml }),
    created_at: date(annotation.createdAt, view.dates),
    updated_at: date(annotation.createdAt, view.dates),
  };
}
