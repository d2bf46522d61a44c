/**
 * Every metric of the mirror is declared here, once: names and labels are part of the public contract.
 * Label values come from closed sets, never from a build, a branch, a path or a sender.
 */
import type { ServerResponse } from 'node:http';
import { Counter, collectDefaultMetrics, Gauge, Histogram, type Registry } from 'prom-client';
import type { Listen } from './config/values.ts';
import { MirrorError, toMirrorError } from './errors.ts';
import { createHttpServer, type Listening, listen, sendError, sendJson } from './http.ts';
import type { Log } from './log.ts';

/** `none`: refused before it was read, so that nobody knows its event. */
export const deliveryEvents = ['build.finished', 'job.finished', 'ping', 'other', 'none'] as const;
export type DeliveryEvent = (typeof deliveryEvents)[number];
export type DeliveryOutcome =
  | 'accepted'
  | 'ping'
  | 'ignored'
  | 'unverified'
  | 'malformed'
  | 'too_large'
  | 'media_type'
  | 'unavailable'
  | 'aborted'
  | 'failed';

/** Where the global gauges come from. A source that fails or is late takes its series away until it answers again. */
export interface GlobalSources {
  tasks(): Promise<readonly { queue: string; state: string; count: number }[]>;
  budgets(): Promise<readonly { api: string; scope: string; remaining: number }[]>;
  /** `oldestSince`: when the build that has waited longest was noted (ms since 1970); null when none waits. */
  gaps(): Promise<{ unsettled: number; oldestSince: number | null }>;
  totals(): Promise<{ incomplete: number; lost: number; logicalBytes: number; storedBytes: number }>;
  diskFreeBytes(): Promise<number>;
  /** When the last complete comparison with upstream ended (ms since 1970); null: there was none. */
  reconciledAt(): Promise<number | null>;
  /** Whether Buildkite's webhook is as it should be; null: nobody could look. */
  webhookHealthy(): Promise<boolean | null>;
  /** When the gateway last wrote the grants (ms since 1970); null: identity is off, or it never did. */
  grantsWrittenAt(): Promise<number | null>;
  /** Hints that the journal holds now. */
  journalEntries(): number;
}

export interface ReceiverMetrics {
  delivered(event: DeliveryEvent, outcome: DeliveryOutcome, seconds: number): void;
}

/** A scrape ends after 10 s at Prometheus' end; a source that hangs must not take the others with it. */
const sourceTimeoutMs = 3000;

export function receiverMetrics(registry: Registry, sources: GlobalSources, log: Log): ReceiverMetrics {
  const registers = [registry];
  const deliveries = new Counter({
    name: 'kitemirror_deliveries_total',
    help: 'Webhook deliveries by event and by what became of them.',
    labelNames: ['event', 'outcome'],
    registers,
  });
  const seconds = new Histogram({
    name: 'kitemirror_delivery_seconds',
    help: 'Time from the head of a webhook delivery to its answer.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers,
  });
  declareGlobals(registry, sources, log);
  return {
    delivered: (event, outcome, took) => {
      deliveries.inc({ event, outcome });
      seconds.observe(took);
    },
  };
}

function declareGlobals(registry: Registry, sources: GlobalSources, log: Log): void {
  const gauge = sourcedGauges(registry, log);
  const gaps = joined(() => sources.gaps());
  const totals = joined(() => sources.totals());
  gauge('journal_entries', 'Accepted hints that the journal holds.', [], async () => one(sources.journalEntries()));
  gauge('tasks', 'Tasks by queue and state.', ['queue', 'state'], async () =>
    (await sources.tasks()).map(({ count, ...labels }) => ({ labels, value: count })),
  );
  gauge('upstream_budget_remaining', 'Requests that may still be spent upstream now.', ['api', 'scope'], async () =>
    (await sources.budgets()).map(({ remaining, ...labels }) => ({ labels, value: remaining })),
  );
  gauge('builds_unsettled', 'Builds of which something is pending or failed.', [], async () =>
    one((await gaps()).unsettled),
  );
  gauge('oldest_gap_seconds', 'Age of the unsettled build that has waited longest; 0: none waits.', [], async () => {
    const { oldestSince } = await gaps();
    return one(oldestSince === null ? 0 : Math.max(0, (Date.now() - oldestSince) / 1000));
  });
  gauge('builds_incomplete', 'Builds of which something that is expected is absent.', [], async () =>
    one((await totals()).incomplete),
  );
  gauge('artifacts_lost', 'Files that were gone upstream before they were mirrored.', [], async () =>
    one((await totals()).lost),
  );
  gauge(
    'tree_bytes',
    'Bytes of mirrored files: logical as readers see them, stored as disks do.',
    ['kind'],
    async () => {
      const { logicalBytes, storedBytes } = await totals();
      return [
        { labels: { kind: 'logical' }, value: logicalBytes },
        { labels: { kind: 'stored' }, value: storedBytes },
      ];
    },
  );
  gauge('reconcile_age_seconds', 'Time since the last complete comparison with Buildkite.', [], async () => {
    const at = await sources.reconciledAt();
    return at === null ? [] : one(Math.max(0, (Date.now() - at) / 1000));
  });
  gauge('webhook_healthy', '1: the webhook is as it should be at Buildkite; 0: it is not.', [], async () => {
    const healthy = await sources.webhookHealthy();
    return healthy === null ? [] : one(Number(healthy));
  });
  gauge(
    'grants_age_seconds',
    'Time since the gateway wrote who may read what; from 900 on it is refused.',
    [],
    async () => {
      const at = await sources.grantsWrittenAt();
      return at === null ? [] : one(Math.max(0, (Date.now() - at) / 1000));
    },
  );
  gauge('disk_free_bytes', 'Free bytes on the disk of the data folder.', [], async () =>
    one(await sources.diskFreeBytes()),
  );
}

/** What a worker counts; labels: `task` and `code` from their tables, `api` rest|graphql|portal, the rest as their users declare. */
export interface WorkerMetrics {
  readonly taskSeconds: Histogram<'task' | 'outcome'>;
  readonly taskFailures: Counter<'task' | 'code'>;
  readonly upstreamRequests: Counter<'api' | 'purpose' | 'status'>;
  readonly upstreamSpent: Counter<'api' | 'purpose'>;
  readonly upstreamWaitSeconds: Histogram<'api' | 'class'>;
  readonly bucketReads: Counter<'outcome'>;
  readonly artifacts: Counter<'outcome'>;
  readonly artifactBytes: Counter;
  readonly publishLagSeconds: Histogram;
  readonly reconciled: Counter<'outcome'>;
  readonly removed: Counter<'what' | 'reason'>;
  readonly freedBytes: Counter;
  readonly verifiedBlobs: Counter<'outcome'>;
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

/** prom-client's own process metrics, but for gauges that are called `_total` (Prometheus' linter refuses them). */
export function processMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry });
  for (const kind of ['handles', 'requests', 'resources']) {
    registry.removeSingleMetric(`nodejs_active_${kind}_total`);
  }
}

export interface Readiness {
  readonly ready: boolean;
  /** What was looked at → `ok`, or what is wrong with it. */
  readonly checks: Readonly<Record<string, string>>;
}

/** `GET /metrics` and `GET /readyz` (details as JSON, 200 or 503), for Prometheus and operators; never public. */
export async function serveMetrics(
  registry: Registry,
  at: Listen,
  { readyz }: { readyz: () => Readiness | Promise<Readiness> },
): Promise<Listening> {
  const answer = async (path: string, response: ServerResponse): Promise<void> => {
    if (path === '/metrics') {
      const text = await registry.metrics();
      response.writeHead(200, { 'Content-Type': registry.contentType }).end(text);
    } else if (path === '/readyz') {
      const { ready, checks } = await readyz();
      sendJson(response, ready ? 200 : 503, { status: ready ? 'ready' : 'unready', checks });
    } else {
      throw new MirrorError('ERR_NOT_FOUND', 'nothing here; there are /metrics and /readyz');
    }
  };
  const server = createHttpServer((request, response) => {
    const reads = request.method === 'GET' || request.method === 'HEAD';
    const path = (request.url ?? '').split('?')[0] ?? '';
    answer(reads ? path : '', response).catch((thrown: unknown) => sendError(response, thrown));
  });
  return listen(server, at);
}

interface Sample<Label extends string> {
  readonly labels: Record<Label, string>;
  readonly value: number;
}

function one(value: number): Sample<never>[] {
  return [{ labels: {}, value }];
}

/** Gauges that are read from their source at each scrape, in bounded time; a fault is logged when it begins, not at each scrape. */
function sourcedGauges(registry: Registry, log: Log) {
  const failing = new Set<string>();
  return <Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    read: () => Promise<readonly Sample<Label>[]>,
  ): void => {
    const gauge = new Gauge({
      name: `kitemirror_${name}`,
      help,
      labelNames,
      registers: [registry],
      async collect() {
        const samples = await within(sourceTimeoutMs, read()).catch((reason: unknown) => {
          if (!failing.has(name))
            log.info({ metric: name, error: toMirrorError(reason).message }, 'a metric has no value');
          failing.add(name);
          return null;
        });
        gauge.reset();
        if (samples !== null) failing.delete(name);
        for (const { labels, value } of samples ?? []) gauge.set(labels, value);
        // Without labels a reset leaves a 0, which would be a claim.
        if ((samples ?? []).length === 0 && labelNames.length === 0) gauge.remove();
      },
    });
  };
}

async function within<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no value within ${timeoutMs} ms`)), timeoutMs);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** One call for all who ask while it runs: several gauges of one scrape share a source. */
function joined<T>(read: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | null = null;
  return () =>
    (running ??= read().finally(() => {
      running = null;
    }));
}
