/**
 * Builds, jobs and artifacts as objects that the GraphQL schema's fields are read from: what costs something to make,
 * or leads on, is a method.
 */
import { downloadUrl, stateOf } from './artifacts.ts';
import { glob, isReplaced } from './builds.ts';
import { sha256Of } from './bytes.ts';
import { type Connection, connect, type GraphqlNode, type PageArgs } from './graphql-connection.ts';
import type { PageSize } from './graphql-cost.ts';
import { type ArtifactFault, disturb } from './graphql-faults.ts';
import { graphqlId } from './ids.ts';
import { buildWebUrl } from './render.ts';
import { isScript, type SampleBuild, type SampleJob, type SampleOrganization, type SamplePipeline } from './sample.ts';
import type { StoredArtifact, StoredBuild, StoredJob, StoredScript, Upstream } from './upstream.ts';

/** What the nodes of one answer share. */
export interface NodeContext {
  readonly upstream: Upstream;
  readonly storageUrl: string;
  readonly now: number;
  readonly linkSeconds: number;
  readonly pageSize: PageSize;
  readonly fault: ArtifactFault | null;
}

export function organizationNode(organization: SampleOrganization): GraphqlNode {
  const { id, name, slug } = organization;
  return { __typename: 'Organization', id: graphqlId('Organization', id), name, slug, uuid: id };
}

function pipelineNode(pipeline: SamplePipeline, organization: SampleOrganization): GraphqlNode {
  const { id, name, slug, defaultBranch } = pipeline;
  const more = { organization: () => organizationNode(organization) };
  return { __typename: 'Pipeline', id: graphqlId('Pipeline', id), name, slug, uuid: id, defaultBranch, ...more };
}

export function buildNode(stored: StoredBuild, context: NodeContext): GraphqlNode {
  const { build } = stored;
  return {
    __typename: 'Build',
    id: graphqlId('Build', build.id),
    uuid: build.id,
    number: build.number,
    branch: build.branch,
    commit: build.commit,
    message: build.message,
    state: (build.blocked ? 'blocked' : build.state).toUpperCase(),
    url: buildWebUrl(build),
    createdAt: time(build.createdAt),
    startedAt: time(build.startedAt),
    finishedAt: time(build.finishedAt),
    organization: () => organizationNode(build.organization),
    pipeline: () => pipelineNode(build.pipeline, build.organization),
    jobs: (args: JobArgs) => jobsOf(stored, args, context),
  };
}

interface JobArgs extends PageArgs {
  readonly passed?: boolean | null;
  readonly state?: readonly string[] | null;
  readonly step?: { readonly key?: readonly string[] | null } | null;
  readonly type?: readonly string[] | null;
}

/** Replaced attempts too, as the schema's `retried` of a job tells; newest first, both orders being alike here. */
function jobsOf(stored: StoredBuild, args: JobArgs, context: NodeContext): Connection {
  const keys = args.step?.key;
  const found = stored.jobs.filter(({ job }) => {
    if (args.type != null && !args.type.includes(jobTypes[job.type].type)) return false;
    if (args.state != null && !args.state.includes(jobState(job))) return false;
    if (args.passed != null && !(isScript(job) && (job.state === 'passed') === args.passed)) return false;
    return keys == null || ('stepKey' in job && job.stepKey !== null && keys.includes(job.stepKey));
  });
  return connect(found.toReversed(), args, context.pageSize, (each) => jobNode(each, context));
}

const jobTypes = {
  script: { type: 'COMMAND', name: 'JobTypeCommand' },
  manual: { type: 'BLOCK', name: 'JobTypeBlock' },
  trigger: { type: 'TRIGGER', name: 'JobTypeTrigger' },
  waiter: { type: 'WAIT', name: 'JobTypeWait' },
} as const;

/** GraphQL has one state for all that came to an end by itself. */
function jobState(job: SampleJob): string {
  const state = 'state' in job ? job.state : 'finished';
  return state === 'passed' || state === 'failed' ? 'FINISHED' : state.toUpperCase();
}

export function jobNode(stored: StoredJob | StoredScript, context: NodeContext): GraphqlNode {
  const { job, home } = stored;
  const common = {
    __typename: jobTypes[job.type].name,
    id: graphqlId('Job', job.id),
    uuid: job.id,
    state: jobState(job),
    label: 'name' in job ? job.name : 'label' in job ? job.label : null,
    retried: isReplaced(job),
    retriesCount: null,
    retrySource: null,
    retryType: null,
    build: () => buildNode(home, context),
  };
  return 'artifacts' in stored ? { ...common, ...commandFields(stored, context) } : common;
}

function commandFields({ job, home, artifacts }: StoredScript, context: NodeContext): GraphqlNode {
  const { build } = home;
  return {
    command: job.command,
    createdAt: time(job.createdAt),
    startedAt: time(job.startedAt),
    finishedAt: time(job.finishedAt),
    exitStatus: job.exitStatus === null ? null : String(job.exitStatus),
    parallelGroupIndex: job.parallel?.index ?? null,
    parallelGroupTotal: job.parallel?.total ?? null,
    passed: job.state === 'passed',
    retriesCount: job.retriesCount,
    retrySource: () => nodeOfJob(job.retrySource?.jobId ?? '', context),
    retryType: job.retryType?.toUpperCase() ?? null,
    softFailed: job.softFailed,
    step: { key: job.stepKey, uuid: job.id },
    url: `${buildWebUrl(build)}#${job.id}`,
    pipeline: () => pipelineNode(build.pipeline, build.organization),
    artifacts: (args: ArtifactArgs) => artifactsOf(artifacts, build, args, context),
  };
}

export function nodeOfJob(id: string, context: NodeContext): GraphqlNode | null {
  const stored = context.upstream.job(id);
  return stored === undefined ? null : jobNode(stored, context);
}

interface ArtifactArgs extends PageArgs {
  readonly path?: string | null;
  readonly state?: string | null;
}

/** The connection has no cursor to go on from: `first` or `last`, a path with `*`, a state. */
function artifactsOf(
  artifacts: readonly StoredArtifact[],
  build: SampleBuild,
  { first, last, path, state }: ArtifactArgs,
  context: NodeContext,
): Connection {
  const pattern = path == null ? null : glob(path);
  const matching = artifacts.filter(
    (stored) =>
      (pattern === null || pattern.test(stored.artifact.path)) &&
      (state == null || stateOf(stored) === state.toLowerCase()),
  );
  const page = { ...(first == null ? {} : { first }), ...(last == null ? {} : { last }) };
  const nodes = connect(matching, page, context.pageSize, (each) => artifactNode(each, context, build));
  return context.fault === null ? nodes : { ...nodes, edges: disturb(nodes.edges, context.fault) };
}

/** @param build whose finish the retention is counted from */
export function artifactNode(
  stored: StoredArtifact,
  context: NodeContext,
  build: SampleBuild = stored.job.home.build,
): GraphqlNode {
  const { artifact, job } = stored;
  const state = stateOf(stored);
  stored.looks += 1;
  return {
    __typename: 'Artifact',
    id: graphqlId('Artifact', artifact.id),
    uuid: artifact.id,
    path: artifact.path,
    size: stored.size,
    mimeType: artifact.mimeType,
    state,
    // The schema has it always there.
    sha1sum: stored.sha1 ?? '',
    sha256sum: () => sha256(stored),
    expiresAt: artifact.location === undefined ? time((build.finishedAt ?? build.createdAt) + retentionMs) : null,
    downloadURL: () => downloadUrl(stored, context.storageUrl, context.now, context.linkSeconds),
    job: () => jobNode(job, context),
  };
}

/** Of hosted artifacts on the Enterprise plan. */
const retentionMs = 90 * 86_400_000;

function sha256({ artifact }: StoredArtifact): string | null {
  const { claims, content } = artifact;
  if (claims?.sha256 !== undefined) return claims.sha256;
  return claims === undefined ? sha256Of(content) : null;
}

function time(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
