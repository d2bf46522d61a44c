/** Records to render: ordinary ones, and ones whose every text is hostile. */
import type { RetentionRule } from '../../src/config/retention.ts';
import type { ArtifactRecord, BuildRecord, BuildSummary, JobRecord, JobSummary, ViewEntry } from '../../src/model.ts';

/** What a build's author may put into any text that reaches the mirror. */
export const hostileTexts = [
  `<script>alert(1)</script>`,
  `"><img src=x onerror=alert(2)>`,
  `' onmouseover='alert(3)`,
  `javascript:alert(4)`,
  `</title></style></textarea></code></pre><svg onload=alert(5)>`,
  `\u202egnp.exe\u2066\u2069\u2069<b>`,
  `\u0000\u0007\u001b[31m\u009b\r\n\t\ud800`,
  '`${alert(6)}` {{7*7}} &lt;script&gt; &#x3c;',
  '../../../etc/passwd?%00#<i>',
  'constructor',
  '__proto__',
  '/',
  '',
];
/** All of them in one name. */
export const hostile = hostileTexts.join(' ');

export function uuid(number: number): string {
  return `0191e0c4-0000-4000-8000-${number.toString(16).padStart(12, '0')}`;
}

export function sampleArtifact(
  job: string,
  number: number,
  path: string,
  changes: Partial<ArtifactRecord> = {},
): ArtifactRecord {
  return {
    id: uuid(1000 + number),
    path,
    url: `jobs/${job}/artifacts/${path.toWellFormed().split('/').map(encodeURIComponent).join('/')}`,
    size: 1000 + number,
    sha1: '0'.repeat(40),
    sha256: number.toString(16).padStart(64, 'a'),
    mime_type: 'text/plain',
    state: 'present',
    upstream_state: 'finished',
    reason: null,
    merged: true,
    ...changes,
  };
}

export function sampleJob(number: number, changes: Partial<JobRecord> = {}): JobRecord {
  const id = changes.id ?? uuid(number);
  return {
    version: 1,
    id,
    type: 'script',
    name: `Job ${number}`,
    step_key: `step-${number}`,
    group_key: null,
    state: 'passed',
    exit_status: 0,
    soft_failed: false,
    retried: false,
    retried_in_job_id: null,
    retries_count: null,
    parallel_group_index: null,
    parallel_group_total: null,
    matrix: null,
    agent: 'agent-7',
    web_url: `https://buildkite.com/acme/web/builds/42#${id}`,
    created_at: '2026-11-20T09:00:00.000Z',
    started_at: '2026-11-20T09:00:05.000Z',
    finished_at: '2026-11-20T09:03:17.000Z',
    build_id: uuid(1),
    expected: 1,
    present: 1,
    settled: true,
    complete: true,
    log: {
      url: `jobs/${id}/log.txt`,
      size: 1403,
      sha256: 'b'.repeat(64),
      state: 'present',
      reason: null,
      fetched_at: '2026-11-20T09:03:20.000Z',
    },
    artifacts: [],
    listed_at: '2026-11-20T09:03:19.000Z',
    mirrored_at: '2026-11-20T09:03:21.000Z',
    ...changes,
  };
}

export function summaryOfJob(job: JobRecord): JobSummary {
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
    expected: job.expected,
    present: job.present,
    bytes: job.artifacts.reduce((sum, { size }) => sum + size, job.log?.size ?? 0),
    log_state: job.log?.state ?? null,
    settled: job.settled,
    url: `jobs/${job.id}/job.json`,
  };
}

export function sampleBuild(jobs: readonly JobRecord[], changes: Partial<BuildRecord> = {}): BuildRecord {
  const summaries = jobs.map(summaryOfJob);
  const total = (pick: (job: JobSummary) => number): number => summaries.reduce((sum, job) => sum + pick(job), 0);
  const [expected, present] = [total((job) => job.expected), total((job) => job.present)];
  const settled = summaries.every((job) => job.settled);
  return {
    version: 1,
    organization: 'acme',
    pipeline: 'web',
    pipeline_id: uuid(2),
    pipeline_name: 'Web',
    number: 42,
    id: uuid(1),
    state: 'passed',
    blocked: false,
    branch: 'main',
    tag: null,
    commit: '3f786850e387550fdab836ed7e6dc881de23001b',
    message: 'Keep the cart when a session is renewed\n\nThe cart was keyed by session.',
    author: 'Ada Lovelace',
    source: 'webhook',
    pull_request: null,
    created_at: '2026-11-20T08:59:50.000Z',
    started_at: '2026-11-20T09:00:00.000Z',
    finished_at: '2026-11-20T09:04:00.000Z',
    web_url: 'https://buildkite.com/acme/web/builds/42',
    learned_from: 'webhook',
    mirrored_at: '2026-11-20T09:04:02.000Z',
    expected,
    present,
    bytes: total((job) => job.bytes),
    settled,
    complete: settled && expected === present,
    jobs: summaries,
    ...changes,
  };
}

export function summaryOfBuild(build: BuildRecord): BuildSummary {
  const { jobs: _, ...summary } = build;
  return summary;
}

export function viewOf(jobs: readonly JobRecord[]): ViewEntry[] {
  return jobs.flatMap((job) =>
    job.artifacts.flatMap(({ id, path, sha256, size, mime_type: mimeType, state, merged }) =>
      state === 'present' && merged && sha256 !== null
        ? [{ path, job: job.id, artifact: id, sha256, size, mimeType }]
        : [],
    ),
  );
}

const unlimited = { ageMs: null, count: null };

/** What a mirror without a retention policy says of each build. */
export const keepsAll: RetentionRule = {
  name: 'test',
  pipelines: [],
  branches: [],
  states: null,
  artifacts: unlimited,
  logs: unlimited,
  builds: unlimited,
  keepLatest: 0,
};

/** A build of which every text that upstream decides is hostile. */
export function hostileBuild(text: string = hostile): { build: BuildRecord; jobs: JobRecord[] } {
  const facts = {
    name: text,
    step_key: text,
    group_key: text,
    state: text,
    agent: text,
    web_url: text,
    matrix: { [text]: text },
    soft_failed: true,
  };
  const first = uuid(11);
  const artifacts = [
    sampleArtifact(first, 1, `a/${text.toWellFormed()}`, { mime_type: text, upstream_state: text }),
    sampleArtifact(first, 2, text.toWellFormed(), { mime_type: text, merged: false }),
    sampleArtifact(first, 3, text, { state: 'failed', reason: text, url: null, sha256: null }),
  ];
  const log = { url: null, size: 3, sha256: null, state: 'lost' as const, reason: text, fetched_at: text };
  const jobs = [
    sampleJob(11, { ...facts, artifacts, expected: 4, present: 2, settled: false, complete: false }),
    sampleJob(12, { ...facts, type: text, log: null }),
    sampleJob(13, { ...facts, state: 'failed', log, retried: true, retried_in_job_id: first }),
    sampleJob(14, { ...facts, state: 'finished', exit_status: 1, soft_failed: false }),
  ];
  const build = sampleBuild(jobs, {
    pipeline_name: text,
    state: text,
    blocked: true,
    branch: text,
    tag: text,
    commit: text,
    message: `${text}\n${text}`,
    author: text,
    source: text,
    pull_request: { id: text, base: text, repository: text, fork: false },
    created_at: text,
    web_url: text,
  });
  return { build, jobs };
}
