/** build.json from what upstream says of the build and what the job records hold. Pure. */
import {
  type BuildRecord,
  type BuildSummary,
  isFinishedBuild,
  isFinishedJob,
  type JobFacts,
  type JobRecord,
  type JobSummary,
  type UpstreamView,
} from '../src/model.ts';

export interface BuildInput {
  readonly organization: string;
  readonly view: UpstreamView;
  readonly records: ReadonlyMap<string, JobRecord>;
  readonly learnedFrom: BuildRecord['learned_from'];
  readonly mirroredAt: string;
}

export function buildRecord({ organization, view, records, learnedFrom, mirroredAt }: BuildInput): BuildRecord {
  const { build } = view;
  const listed = new Set(view.jobs.map((job) => job.id));
  // A record whose job upstream no longer lists stays: what is mirrored is only removed by our own rules.
  const gone = [...records.values()].filter((record) => !listed.has(record.id));
  const jobs = [...view.jobs, ...gone].map((job) => summarize(job, records.get(job.id)));
  const total = (pick: (job: JobSummary) => number): number => jobs.reduce((sum, job) => sum + pick(job), 0);
  const [expected, present] = [total((job) => job.expected), total((job) => job.present)];
  const finished = isFinishedBuild(build.state, build.finished_at);
  const settled = finished && jobs.every((job) => job.settled);
  return {
    version: 1,
    organization,
    pipeline: build.pipeline.slug,
    pipeline_id: build.pipeline.id,
    pipeline_name: build.pipeline.name,
    number: build.number,
    id: build.id,
    state: build.state,
    blocked: build.blocked || build.state === 'blocked',
    branch: build.branch,
    tag: build.tag,
    commit: build.commit,
    message: build.message,
    author: build.author,
    source: build.source,
    pull_request: build.pull_request,
    created_at: build.created_at,
    started_at: build.started_at,
    finished_at: build.finished_at,
    web_url: build.web_url,
    learned_from: learnedFrom,
    mirrored_at: mirroredAt,
    expected,
    present,
    bytes: total((job) => job.bytes),
    stored: storedOf(records.values()),
    settled,
    complete: settled && present === expected,
    jobs,
  };
}

function summarize(job: JobFacts, record: JobRecord | undefined): JobSummary {
  const waits = job.type === 'script' && job.started_at !== null;
  return {
    id: job.id,
    type: job.type,
    name: job.name,
    step_key: job.step_key,
    state: job.state,
    exit_status: job.exit_status,
    retried: job.retried,
    retried_in_job_id: job.retried_in_job_id,
    started_at: job.started_at,
    finished_at: job.finished_at,
    expected: record?.expected ?? 0,
    present: record?.present ?? 0,
    bytes: record === undefined ? 0 : bytesOf(record),
    log_state: record?.log?.state ?? null,
    // A job that has ended and has no record yet is a gap; one that never started has nothing to mirror.
    settled: record?.settled ?? !(waits && isFinishedJob(job.state, job.finished_at)),
    url: record === undefined ? null : `jobs/${job.id}/job.json`,
  };
}

function storedOf(records: Iterable<JobRecord>): NonNullable<BuildRecord['stored']> {
  const stored = { artifacts: 0, artifact_bytes: 0, logs: 0, log_bytes: 0 };
  for (const { artifacts, log } of records) {
    for (const { state, size } of artifacts) {
      if (state !== 'present') continue;
      stored.artifacts += 1;
      stored.artifact_bytes += size;
    }
    if (log?.state !== 'present') continue;
    stored.logs += 1;
    stored.log_bytes += log.size;
  }
  return stored;
}

function bytesOf({ artifacts, log }: JobRecord): number {
  const files = [...artifacts, ...(log === null ? [] : [log])];
  return files.reduce((sum, file) => sum + (file.state === 'present' ? file.size : 0), 0);
}

export function summaryOf(record: BuildRecord): BuildSummary {
  const { jobs: _, ...summary } = record;
  return summary;
}
