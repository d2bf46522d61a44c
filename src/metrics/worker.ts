/**
 * A worker's metrics. Names and labels are part of the public contract; label values come from closed sets, never from a
 * build, a branch, a path or a sender.
 */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** What a worker counts; labels: `task` and `code` from their tables, `api` rest|graphql|portal, the rest as their users declare. */
export interface WorkerMetrics {
  readonly taskSeconds: Histogram<'task' | 'outcome'>;
  readonly taskFailures: Counter<'task' | 'code'>;
  readonly upstreamRequests: Counter<'api' | 'purpose' | 'status'>;
  readonly upstreamSpent: Counter<'api' | 'purpose'>;
  readonly upstreamWaitSeconds: Histogram<'api' | 'class'>;
  readonly linkQueries: Counter<'api' | 'outcome'>;
  readonly bucketReads: Counter<'outcome'>;
  readonly artifacts: Counter<'outcome'>;
  readonly artifactBytes: Counter;
  readonly publishLagSeconds: Histogram;
  readonly reconciled: Counter<'outcome'>;
  readonly removed: Counter<'what' | 'reason'>;
  readonly freedBytes: Counter;
  readonly verifiedBlobs: Counter<'outcome'>;
  readonly damagedRecords: Counter<'record'>;
  readonly verifiedBytes: Counter;
}

export function workerMetrics(registry: Registry): WorkerMetrics {
  const registers = [registry];
  const metrics = declareWork(registers);
  const perArtifact = new Gauge({
    name: 'kitemirror_upstream_requests_per_artifact',
    help: 'Requests to Buildkite of all kinds for each artifact that was mirrored, since this worker began.',
    registers: [],
    async collect() {
      const [requests, artifacts] = await Promise.all([metrics.upstreamRequests.get(), metrics.artifacts.get()]);
      const sum = (values: readonly { value: number }[]): number => values.reduce((all, { value }) => all + value, 0);
      const present = sum(artifacts.values.filter(({ labels }) => labels.outcome === 'present'));
      if (present > 0) this.set(sum(requests.values) / present);
      // Without an artifact there is no such number; a 0 would be a claim.
      else this.remove();
    },
  });
  registry.registerMetric(perArtifact);
  return metrics;
}

function declareWork(registers: Registry[]): WorkerMetrics {
  const slow = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200];
  return {
    taskSeconds: new Histogram({
      name: 'kitemirror_task_seconds',
      help: 'Time that one run of a task took.',
      labelNames: ['task', 'outcome'],
      buckets: slow,
      registers,
    }),
    taskFailures: new Counter({
      name: 'kitemirror_task_failures_total',
      help: 'Runs of tasks that failed, by error code; each attempt counts.',
      labelNames: ['task', 'code'],
      registers,
    }),
    upstreamRequests: new Counter({
      name: 'kitemirror_upstream_requests_total',
      help: 'Requests to Buildkite by API, purpose and status.',
      labelNames: ['api', 'purpose', 'status'],
      registers,
    }),
    upstreamSpent: new Counter({
      name: 'kitemirror_upstream_spent_total',
      help: 'What requests to Buildkite took from its limits: requests, for the API graphql points.',
      labelNames: ['api', 'purpose'],
      registers,
    }),
    upstreamWaitSeconds: new Histogram({
      name: 'kitemirror_upstream_wait_seconds',
      help: 'Time that a request to Buildkite waited for its budget, by the class of its work.',
      labelNames: ['api', 'class'],
      buckets: slow,
      registers,
    }),
    linkQueries: new Counter({
      name: 'kitemirror_link_queries_total',
      help: 'Queries for links in bulk, by what became of them.',
      labelNames: ['api', 'outcome'],
      registers,
    }),
    bucketReads: new Counter({
      name: 'kitemirror_bucket_reads_total',
      help: 'Tries to read an artifact from a private bucket, by what became of them.',
      labelNames: ['outcome'],
      registers,
    }),
    artifacts: new Counter({
      name: 'kitemirror_artifacts_total',
      help: 'Artifacts and logs by what became of them.',
      labelNames: ['outcome'],
      registers,
    }),
    artifactBytes: new Counter({
      name: 'kitemirror_artifact_bytes_total',
      help: 'Bytes fetched and verified.',
      registers,
    }),
    publishLagSeconds: new Histogram({
      name: 'kitemirror_publish_lag_seconds',
      help: 'Time from the end of a job upstream to its files being visible here.',
      buckets: slow,
      registers,
    }),
    reconciled: new Counter({
      name: 'kitemirror_reconciled_total',
      help: 'Builds that a reconciliation looked at, by what it found.',
      labelNames: ['outcome'],
      registers,
    }),
    removed: new Counter({
      name: 'kitemirror_removed_total',
      help: 'Artifacts, logs, builds and blobs that were removed, by why.',
      labelNames: ['what', 'reason'],
      registers,
    }),
    freedBytes: new Counter({
      name: 'kitemirror_freed_bytes_total',
      help: 'Bytes of blobs that were removed from the disk.',
      registers,
    }),
    damagedRecords: new Counter({
      name: 'kitemirror_damaged_records_total',
      help: 'Records that could not be read, were set aside and made again, by their kind.',
      labelNames: ['record'],
      registers,
    }),
    verifiedBlobs: new Counter({
      name: 'kitemirror_verified_blobs_total',
      help: 'Blobs that were read again by the worker and compared with their digest, by what was found.',
      labelNames: ['outcome'],
      registers,
    }),
    verifiedBytes: new Counter({
      name: 'kitemirror_verified_bytes_total',
      help: 'Bytes of blobs that were read again by the worker.',
      registers,
    }),
  };
}
