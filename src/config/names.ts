/** Which names of the environment are settings of this version. */

export const knownNames = [
  'PIPELINES',
  'BRANCHES',
  'ARTIFACTS',
  'LOGS',
  'MAX_ARTIFACT_BYTES',
  'API_SHARE',
  'DOWNLOAD_HOSTS',
  'S3_BUCKETS',
  'DATA',
  'MIN_FREE',
  'RETENTION_ARTIFACTS_AGE',
  'RETENTION_ARTIFACTS_COUNT',
  'RETENTION_LOGS_AGE',
  'RETENTION_BUILDS_AGE',
  'RETENTION_BYTES',
  'RETENTION_KEEP_LATEST',
  'RETENTION_RULES',
  'RETENTION_SECONDS',
  'VERIFY_RATE',
  'ACCESS_LOG_BYTES',
  'URL',
  'CONTENT_URL',
  'LISTEN',
  'RECEIVER_LISTEN',
  'GATEWAY_LISTEN',
  'METRICS_LISTEN',
  'WORKERS',
  'WORKER_METRICS_LISTEN',
  'CONCURRENCY',
  'RECONCILE_SECONDS',
  'WEBHOOK_REPAIR',
  'HTTP2',
  'LOG_LEVEL',
].map((name) => `KITEMIRROR_${name}`);

/** Promised for later versions. Who sets them relies on them, so they stop the start instead of being passed over. */
export const laterName = /^KITEMIRROR_(OIDC_|TLS_|POLICY$|TRUSTED_PROXIES$)/;

/** Kubernetes injects these for a service that is called kitemirror. */
export const foreignName = /^KITEMIRROR_(SERVICE_|PORT(_|$))/;
