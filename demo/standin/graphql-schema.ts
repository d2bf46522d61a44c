/**
 * The part of Buildkite's GraphQL schema (as published in August 2026) that reads a build's jobs and artifacts. Names,
 * types and nullability are the published ones.
 * @see https://buildkite.com/docs/apis/graphql-api
 */
import { buildSchema, type DocumentNode, GraphQLError, type GraphQLSchema, parse, validate } from 'graphql';

export const schema: GraphQLSchema = buildSchema(`
  scalar DateTime
  scalar JSInt

  interface Node { id: ID! }

  interface Connection {
    count: Int!
    pageInfo: PageInfo
  }

  type PageInfo {
    endCursor: String
    hasNextPage: Boolean!
    hasPreviousPage: Boolean!
    startCursor: String
  }

  type Query {
    artifact(uuid: ID!): Artifact
    build(slug: ID, uuid: ID): Build
    job(uuid: ID!): Job
    node(id: ID!): Node
    organization(slug: ID, uuid: ID): Organization
    viewer: Viewer
  }

  type Viewer implements Node {
    id: ID!
    user: User
  }

  type User implements Node {
    id: ID!
    email: String!
    name: String!
    uuid: String!
  }

  type Organization implements Node {
    id: ID!
    name: String!
    slug: String!
    uuid: String!
  }

  type Pipeline implements Node {
    id: ID!
    defaultBranch: String
    name: String!
    organization: Organization
    slug: String!
    uuid: String!
  }

  enum BuildStates { BLOCKED CANCELED CANCELING CREATING FAILED FAILING NOT_RUN PASSED RUNNING SCHEDULED SKIPPED }

  type Build implements Node {
    id: ID!
    branch: String!
    commit: String!
    createdAt: DateTime
    finishedAt: DateTime
    jobs(
      after: String, before: String, first: Int, last: Int,
      order: JobOrder = RECENTLY_CREATED, passed: Boolean, state: [JobStates!], step: JobStepSearch, type: [JobTypes!]
    ): JobConnection
    message: String
    number: Int!
    organization: Organization!
    pipeline: Pipeline!
    startedAt: DateTime
    state: BuildStates!
    url: String!
    uuid: String!
  }

  enum JobOrder { RECENTLY_ASSIGNED RECENTLY_CREATED }
  enum JobTypes { BLOCK COMMAND TRIGGER WAIT }
  enum JobRetryTypes { AUTOMATIC MANUAL }
  enum JobStates {
    ACCEPTED ASSIGNED BLOCKED BLOCKED_FAILED BROKEN CANCELED CANCELING EXPIRED FINISHED LIMITED LIMITING PENDING
    PLATFORM_LIMITED PLATFORM_LIMITING RESERVED RUNNING SCHEDULED SKIPPED TIMED_OUT TIMING_OUT UNBLOCKED
    UNBLOCKED_FAILED WAITING WAITING_FAILED
  }
  input JobStepSearch { key: [String!] }

  type JobConnection implements Connection {
    count: Int!
    edges: [JobEdge]
    pageInfo: PageInfo
  }

  type JobEdge {
    cursor: String!
    node: Job
  }

  union Job = JobTypeBlock | JobTypeCommand | JobTypeTrigger | JobTypeWait

  interface JobInterface {
    retried: Boolean!
    retriesCount: Int
    retrySource: Job
    retryType: JobRetryTypes
    uuid: String!
  }

  type JobTypeBlock implements JobInterface & Node {
    id: ID!
    build: Build
    label: String
    retried: Boolean!
    retriesCount: Int
    retrySource: Job
    retryType: JobRetryTypes
    state: JobStates!
    uuid: String!
  }

  type JobTypeTrigger implements JobInterface & Node {
    id: ID!
    build: Build
    label: String
    retried: Boolean!
    retriesCount: Int
    retrySource: Job
    retryType: JobRetryTypes
    state: JobStates!
    uuid: String!
  }

  type JobTypeWait implements JobInterface & Node {
    id: ID!
    build: Build
    label: String
    retried: Boolean!
    retriesCount: Int
    retrySource: Job
    retryType: JobRetryTypes
    state: JobStates!
    uuid: String!
  }

  type JobTypeCommand implements JobInterface & Node {
    id: ID!
    artifacts(first: Int, last: Int, path: String, state: ArtifactStates): ArtifactConnection
    build: Build
    command: String
    createdAt: DateTime
    exitStatus: String
    finishedAt: DateTime
    label: String
    parallelGroupIndex: Int
    parallelGroupTotal: Int
    passed: Boolean!
    pipeline: Pipeline
    retried: Boolean!
    retriesCount: Int
    retrySource: Job
    retryType: JobRetryTypes
    softFailed: Boolean!
    startedAt: DateTime
    state: JobStates!
    step: StepCommand
    url: String!
    uuid: String!
  }

  type StepCommand {
    key: String
    uuid: String!
  }

  enum ArtifactStates { DELETED ERROR EXPIRED FINISHED NEW }

  type ArtifactConnection implements Connection {
    count: Int!
    edges: [ArtifactEdge]
    pageInfo: PageInfo
  }

  type ArtifactEdge {
    cursor: String!
    node: Artifact
  }

  type Artifact implements Node {
    id: ID!
    downloadURL: String!
    expiresAt: DateTime
    job: JobTypeCommand
    mimeType: String!
    path: String!
    sha1sum: String!
    sha256sum: String
    size: JSInt!
    state: String!
    uuid: ID!
  }
`);

/** @returns the first thing that is wrong with it, where something is */
export function parseDocument(text: string): DocumentNode | GraphQLError {
  try {
    const document = parse(text);
    return validate(schema, document)[0] ?? document;
  } catch (error) {
    if (error instanceof GraphQLError) return error;
    throw error;
  }
}
