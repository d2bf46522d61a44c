/**
 * The nouns: builds, jobs, artifacts as Buildkite means them, and the two records that the mirror keeps of them.
 * No I/O. The records' shapes are the public contract (version 1; fields may be added, none may change).
 */
import { z } from 'zod';

/** As upstream may write it; what is kept is `Uuid`. */
export const UuidText = z
  .string()
  .regex(/^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/);
/** Lower-cased, so that one build never has two names. */
export const Uuid = UuidText.transform((value) => value.toLowerCase());
/** An organization's or a pipeline's slug: one safe path component, by Buildkite's own rule. */
export const Slug = z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/);
export const BuildNumber = z.int().min(1).max(Number.MAX_SAFE_INTEGER);

/** Which build: the uuid is its identity, the rest is where upstream has it now. */
export const BuildRef = z.object({
  organization: Slug,
  pipeline: Slug,
  number: BuildNumber,
  build: Uuid,
});
export type BuildRef = z.infer<typeof BuildRef>;

/** What a delivery tells us, and all that is kept of it. `heardAt`, `finishedAt`: milliseconds since 1970. */
export const Hint = z.object({
  event: z.enum(['build.finished', 'job.finished']),
  organization: Slug,
  pipeline: Slug,
  number: BuildNumber,
  build: Uuid,
  job: Uuid.nullable(),
  finishedAt: z.number().nullable(),
  heardAt: z.number(),
});
export type Hint = z.infer<typeof Hint>;

const nullableText = z.string().nullable();
const nullableNumber = z.number().nullable();

/** A job as upstream has it, reduced to what is kept. Instants are ISO 8601. */
export const JobFacts = z.object({
  id: Uuid,
  type: z.string(),
  name: nullableText,
  step_key: nullableText,
  group_key: nullableText,
  state: z.string(),
  exit_status: nullableNumber,
  soft_failed: z.boolean(),
  retried: z.boolean(),
  retried_in_job_id: nullableText,
  retries_count: nullableNumber,
  parallel_group_index: nullableNumber,
  parallel_group_total: nullableNumber,
  matrix: z.record(z.string(), z.string()).nullable(),
  agent: nullableText,
  web_url: nullableText,
  created_at: nullableText,
  started_at: nullableText,
  finished_at: nullableText,
});
export type JobFacts = z.infer<typeof JobFacts>;

/** An artifact as upstream lists it. `size` in bytes; sums in lower-case hex. */
export const ArtifactFacts = z.object({
  id: z.string(),
  job_id: Uuid,
  path: z.string(),
  state: z.string(),
  mime_type: z.string(),
  size: z.number(),
  sha1: nullableText,
  sha256: nullableText,
  /** Its name held a value that an operator had removed: it is none to fetch. */
  purged: z.literal(true).optional(),
});
export type ArtifactFacts = z.infer<typeof ArtifactFacts>;

/**
 * `present` stored · `pending`, `failed` will be tried again · `lost` gone upstream before we had it · `refused` by a
 * rule of ours · `errored` its upload failed · `excluded` by the settings · `superseded` uploaded again under the same
 * path in the same job · `dropped` by our retention · `purged` by an operator.
 */
export const FileState = z.enum([
  'present',
  'pending',
  'failed',
  'lost',
  'refused',
  'errored',
  'excluded',
  'superseded',
  'dropped',
  'purged',
]);
export type FileState = z.infer<typeof FileState>;

const notExpected: ReadonlySet<FileState> = new Set(['errored', 'excluded', 'superseded', 'dropped', 'purged']);
const unsettled: ReadonlySet<FileState> = new Set(['pending', 'failed']);

export const ArtifactRecord = z.object({
  id: z.string(),
  /** As the agent would write it; what upstream calls it, not what the disk does. */
  path: z.string(),
  /** Relative to the build's folder, percent-encoded; null where there is nothing to serve. */
  url: z.string().nullable(),
  size: z.number(),
  sha1: z.string().nullable(),
  sha256: z.string().nullable(),
  /** Of the stored bytes, eight hexadecimal digits: what an archive of them needs. Absent in the oldest records. */
  crc32: z.string().nullable().optional(),
  mime_type: z.string(),
  state: FileState,
  upstream_state: z.string(),
  reason: z.string().nullable(),
  /** Whether the build's merged view shows this file under its path. */
  merged: z.boolean(),
  /** Its record was damaged and upstream lists it no more: path and sums are those of the file, the id may be ours. */
  salvaged: z.literal(true).optional(),
});
export type ArtifactRecord = z.infer<typeof ArtifactRecord>;

export const LogRecord = z.object({
  url: z.string().nullable(),
  size: z.number(),
  sha256: z.string().nullable(),
  state: FileState,
  reason: z.string().nullable(),
  /** When the transfer began (ISO 8601). */
  fetched_at: z.string().nullable(),
});
export type LogRecord = z.infer<typeof LogRecord>;

/** jobs/<id>/job.json */
export const JobRecord = JobFacts.extend({
  version: z.literal(1),
  build_id: z.string(),
  expected: z.number(),
  present: z.number(),
  settled: z.boolean(),
  complete: z.boolean(),
  log: LogRecord.nullable(),
  artifacts: z.array(ArtifactRecord),
  /** When upstream was last asked what this job has (ISO 8601). */
  listed_at: z.string(),
  mirrored_at: z.string(),
  /** When it was made again from what was there, because it could not be read (ISO 8601). */
  salvaged_at: z.string().optional(),
});
export type JobRecord = z.infer<typeof JobRecord>;

/** A job's line in build.json. `url` is null where a job has no record (waiters, jobs not yet mirrored). */
export const JobSummary = z.object({
  id: z.string(),
  type: z.string(),
  name: z.string().nullable(),
  step_key: z.string().nullable(),
  state: z.string(),
  exit_status: z.number().nullable(),
  retried: z.boolean(),
  retried_in_job_id: z.string().nullable(),
  started_at: z.string().nullable(),
  finished_at: z.string().nullable(),
  expected: z.number(),
  present: z.number(),
  bytes: z.number(),
  /** The state of its log; null where it has none. Records of earlier versions do not tell. */
  log_state: FileState.nullable().optional(),
  settled: z.boolean(),
  url: z.string().nullable(),
});
export type JobSummary = z.infer<typeof JobSummary>;

export const PullRequest = z.object({
  id: z.string(),
  base: z.string().nullable(),
  repository: z.string().nullable(),
  /** From another repository than the pipeline's own: never counts as its branch. */
  fork: z.boolean(),
});

/** The build as upstream has it, through an allow-list: never env, configuration, webhook URLs, e-mails. */
export const BuildFacts = z.object({
  id: Uuid,
  number: BuildNumber,
  state: z.string(),
  blocked: z.boolean(),
  branch: z.string(),
  tag: nullableText,
  commit: z.string(),
  message: nullableText,
  author: nullableText,
  source: nullableText,
  web_url: nullableText,
  created_at: nullableText,
  scheduled_at: nullableText,
  started_at: nullableText,
  finished_at: nullableText,
  pull_request: PullRequest.nullable(),
  rebuilt_from: z.object({ id: nullableText, number: nullableNumber }).nullable(),
  pipeline: z.object({
    id: Uuid,
    slug: Slug,
    name: nullableText,
    repository: nullableText,
    default_branch: nullableText,
  }),
});
export type BuildFacts = z.infer<typeof BuildFacts>;

export const AnnotationFacts = z.object({
  id: z.string(),
  context: nullableText,
  style: nullableText,
  scope: nullableText,
  job_id: nullableText,
  body_html: nullableText,
  created_at: nullableText,
  updated_at: nullableText,
});
export type AnnotationFacts = z.infer<typeof AnnotationFacts>;

/** upstream.json; `read_at`: upstream's clock. Annotations are null until the build has finished. */
export interface UpstreamView {
  readonly version: 1;
  readonly read_at: string;
  readonly build: BuildFacts;
  readonly jobs: readonly JobFacts[];
  readonly annotations: readonly AnnotationFacts[] | null;
}

/** build.json */
export const BuildRecord = z.object({
  version: z.literal(1),
  organization: z.string(),
  pipeline: z.string(),
  pipeline_id: z.string(),
  pipeline_name: z.string().nullable(),
  number: z.number(),
  id: z.string(),
  state: z.string(),
  blocked: z.boolean(),
  branch: z.string(),
  tag: z.string().nullable(),
  commit: z.string(),
  message: z.string().nullable(),
  author: z.string().nullable(),
  source: z.string().nullable(),
  pull_request: PullRequest.nullable(),
  created_at: z.string().nullable(),
  started_at: z.string().nullable(),
  finished_at: z.string().nullable(),
  web_url: z.string().nullable(),
  learned_from: z.enum(['webhook', 'reconcile', 'backfill', 'reader']),
  mirrored_at: z.string(),
  expected: z.number(),
  present: z.number(),
  bytes: z.number(),
  /** What of `present` and `bytes` is artifacts, what logs: what retention may remove. Absent in records of 0.1.0's first days. */
  stored: z
    .object({ artifacts: z.number(), artifact_bytes: z.number(), logs: z.number(), log_bytes: z.number() })
    .optional(),
  settled: z.boolean(),
  complete: z.boolean(),
  jobs: z.array(JobSummary),
});
export type BuildRecord = z.infer<typeof BuildRecord>;

/** A folder of the merged view or of a step's: path as served → where its bytes are. */
export interface ViewEntry {
  readonly path: string;
  readonly job: string;
  readonly artifact: string;
  readonly sha256: string;
  readonly crc32?: string | null | undefined;
  readonly size: number;
  readonly mimeType: string;
}

export interface Counts {
  expected: number;
  present: number;
  settled: boolean;
  complete: boolean;
}

/** The contract's arithmetic over one job's files. @see PRODUCT "expected" */
export function countFiles(states: Iterable<FileState>): Counts {
  const counts = { expected: 0, present: 0, settled: true, complete: false };
  for (const state of states) {
    if (!notExpected.has(state)) counts.expected += 1;
    if (state === 'present') counts.present += 1;
    if (unsettled.has(state)) counts.settled = false;
  }
  counts.complete = counts.settled && counts.present === counts.expected;
  return counts;
}

export function isUnsettled(state: FileState): boolean {
  return unsettled.has(state);
}

const finishedBuild = new Set(['passed', 'failed', 'canceled', 'skipped', 'not_run', 'blocked']);
const unfinishedJob = new Set([
  'pending',
  'waiting',
  'blocked',
  'unblocked',
  'limiting',
  'limited',
  'scheduled',
  'reserved',
  'assigned',
  'accepted',
  'running',
  'canceling',
  'timing_out',
  'platform_limiting',
  'platform_limited',
]);

/** A build that upstream says will not go on by itself. Unknown states count as running unless it has an end. */
export function isFinishedBuild(state: string, finishedAt: string | null): boolean {
  return finishedBuild.has(state) || (finishedAt !== null && !['running', 'failing', 'canceling'].includes(state));
}

/** A build that `latest` and its kin may lead to. */
export function isEligible({ settled, blocked, state, finished_at }: BuildSummary): boolean {
  return settled && !blocked && isFinishedBuild(state, finished_at);
}

const endedJob = new Set(['passed', 'failed', 'canceled', 'timed_out', 'skipped', 'broken', 'expired', 'finished']);

/** A job whose end has come; an unknown state with an end counts as ended, a canceled job may have no end at all. */
export function isFinishedJob(state: string, finishedAt: string | null): boolean {
  return endedJob.has(state) || (finishedAt !== null && !unfinishedJob.has(state));
}

/** What someone will look at before all others: it did not pass, and nobody said that it need not. */
export function hasFailed({ state, soft_failed }: Pick<JobFacts, 'state' | 'soft_failed'>): boolean {
  return state !== 'passed' && !soft_failed;
}

/** A build as lists show it. */
export type BuildSummary = Omit<BuildRecord, 'jobs'>;
