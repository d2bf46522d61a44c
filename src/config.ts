/**
 * The only reader of the environment: env → {config, secrets}, with every fault named at once.
 * `Config` may be printed and logged; a `Secret` prints as `[secret]`.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { type BucketRule, parseBuckets } from './config/buckets.ts';
import { EnvReader } from './config/env-reader.ts';
import { type IdentitySettings, openWire, readIdentity } from './config/identity.ts';
import { type ReachSettings, readReach } from './config/reach.ts';
import { type RetentionSettings, readRetention } from './config/retention.ts';
import type { Secret } from './config/secret.ts';
import { readTls, type TlsSettings } from './config/tls.ts';
import {
  type GlobRule,
  type Listen,
  loopbackNames,
  parseBytes,
  parseContentUrl,
  parseGlobs,
  parseHosts,
  parseRate,
  parseRedisUrl,
  parseSlug,
  parseUrl,
} from './config/values.ts';
import { MirrorError, toMirrorError } from './errors.ts';

const ownApi = 'https://api.buildkite.com';

/**
 * Who asks: each program is given the secrets that it needs and no others. `all` supervises the rest; a `command` is
 * given what is there, and asks for what it cannot do without.
 */
export type Program = 'all' | 'receiver' | 'gateway' | 'worker' | 'lighttpd' | 'command';

export interface Config {
  readonly organization: string;
  readonly webhookMode: 'signature' | 'token';
  readonly apiUrl: URL;
  /** Whether links are asked for in bulk by GraphQL; `auto`: where the token may. */
  readonly graphql: 'auto' | 'on' | 'off';
  readonly graphqlUrl: URL;
  /** `null`: there is no portal. */
  readonly portalUrl: URL | null;
  readonly apiShare: number;
  /** `null`: Buildkite's own storage hosts. */
  readonly downloadHosts: readonly string[] | null;
  /** Private buckets that may be read, and where they are: null is AWS. */
  readonly s3Buckets: readonly BucketRule[];
  readonly s3Endpoint: URL | null;
  readonly pipelines: readonly GlobRule[];
  readonly branches: readonly GlobRule[];
  readonly artifacts: readonly GlobRule[];
  readonly logs: boolean;
  readonly maxArtifactBytes: number | null;
  readonly dataRoot: string;
  /** Bytes; `null`: the larger of 5 % of the disk and 10 GiB. */
  readonly minFreeBytes: number | null;
  readonly retention: RetentionSettings;
  /** How often the policy is applied. */
  readonly retentionSeconds: number;
  /** Bytes a second that a worker reads to check what is stored; null: it does not. */
  readonly verifyRate: number | null;
  /** Bytes of the access log and what was rotated from it; null: somebody else sees to it. */
  readonly accessLogBytes: number | null;
  /** Bytes of the audit; null: nothing of it is ever removed. */
  readonly auditBytes: number | null;
  readonly url: URL;
  /** Where reports may run scripts: `https://*.example.com`. `null`: nowhere. */
  readonly contentUrl: string | null;
  /** `null`: whoever reaches the mirror reads everything. */
  readonly identity: IdentitySettings | null;
  /** Absolute paths of PEM files; `null`: Lighttpd speaks plain HTTP. */
  readonly tls: TlsSettings | null;
  readonly listen: { readonly host: string; readonly port: number };
  readonly reach: ReachSettings;
  readonly receiverListen: Listen;
  readonly gatewayListen: Listen;
  readonly metricsListen: Listen | null;
  readonly workers: number;
  readonly workerMetricsListen: Listen | null;
  readonly concurrency: number;
  readonly reconcileSeconds: number;
  /** After so many days of 404 a pipeline and all that is missing of it is taken as gone. */
  readonly unseenDays: number;
  readonly webhookRepair: boolean;
  readonly http2: 'auto' | 'on' | 'off';
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  /** Folder of sockets and process ids; its name is short enough for any socket in it. */
  readonly runDir: string;
}

export interface Secrets {
  readonly apiToken: Secret | null;
  readonly portalToken: Secret | null;
  /** Comma or newline separated when there are several (rotation). */
  readonly webhookTokens: Secret | null;
  readonly redisUrl: Secret | null;
  /** Of the OpenID Connect client; null for one that has none. */
  readonly oidcClientSecret: Secret | null;
}

/**
 * The process's environment over the project's `.env`, when there is one. A supervised program is told all that it may
 * know by its supervisor: the file may hold what is another program's alone.
 * @throws MirrorError ERR_CONFIG for a `.env` that is there and cannot be read
 */
export function readEnv(root: string, env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const file = join(root, '.env');
  if (process.argv.includes('--supervised') || !existsSync(file)) return env;
  return { ...parseEnv(readSettings(file)), ...env };
}

/** Often another user's than the one that the mirror runs as. */
function readSettings(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (thrown) {
    throw new MirrorError(
      'ERR_CONFIG',
      `the settings in ${file} cannot be read: ${toMirrorError(thrown).message}`,
      {},
      thrown,
    );
  }
}

/**
 * The AWS SDK reads its many settings (`AWS_…`) for itself: what `.env` has of them goes where it looks. A worker's
 * alone, as its credentials are.
 */
export function shareWithSdk(env: NodeJS.ProcessEnv): void {
  for (const [name, value] of Object.entries(env)) {
    if (name.startsWith('AWS_')) process.env[name] ??= value;
  }
}

/**
 * @param base folder that relative paths start from
 * @throws MirrorError ERR_CONFIG whose message lists all faults, one a line
 */
export function parseConfig(
  env: NodeJS.ProcessEnv,
  program: Program,
  base: string,
): { config: Config; secrets: Secrets } {
  const read = new EnvReader(env);
  read.refuseUnknown();

  const listen = read.hostPort('KITEMIRROR_LISTEN', '127.0.0.1:8080');
  const dataRoot = resolve(base, read.text('KITEMIRROR_DATA', './data'));
  const runDir = runFolder(dataRoot);
  const url = read.url('KITEMIRROR_URL', 'http://127.0.0.1:8080');
  const needs = (...programs: Program[]): boolean => programs.includes(program);
  const wants = (name: string, owner: Program): boolean => needs('all', owner) || (needs('command') && read.has(name));
  const config: Config = {
    organization: read.parsed('BUILDKITE_ORGANIZATION', null, parseSlug),
    webhookMode: read.choice('BUILDKITE_WEBHOOK_MODE', ['signature', 'token'], 'signature'),
    apiUrl: read.url('BUILDKITE_API_URL', ownApi),
    graphql: graphqlChoice(read),
    graphqlUrl: read.url('BUILDKITE_GRAPHQL_URL', 'https://graphql.buildkite.com/v1'),
    portalUrl: read.optional('BUILDKITE_PORTAL_URL', parseUrl),
    apiShare: read.number('KITEMIRROR_API_SHARE', 0.8, { min: 0.01, max: 1, what: 'a part, 0.01 to 1' }),
    downloadHosts: read.optional('KITEMIRROR_DOWNLOAD_HOSTS', parseHosts),
    s3Buckets: read.optional('KITEMIRROR_S3_BUCKETS', parseBuckets) ?? [],
    s3Endpoint: read.has('AWS_ENDPOINT_URL_S3') ? read.url('AWS_ENDPOINT_URL_S3', '') : null,
    pipelines: read.parsed('KITEMIRROR_PIPELINES', '*', parseGlobs),
    branches: read.parsed('KITEMIRROR_BRANCHES', '*', parseGlobs),
    artifacts: read.parsed('KITEMIRROR_ARTIFACTS', '**', parseGlobs),
    logs: read.choice('KITEMIRROR_LOGS', ['on', 'off'], 'on') === 'on',
    maxArtifactBytes: read.optional('KITEMIRROR_MAX_ARTIFACT_BYTES', parseBytes),
    dataRoot,
    minFreeBytes: read.optional('KITEMIRROR_MIN_FREE', parseBytes),
    retention: readRetention(read, base, needs('all', 'worker', 'gateway', 'command')),
    retentionSeconds: read.integer('KITEMIRROR_RETENTION_SECONDS', 3600, 10, 86_400 * 7),
    verifyRate: read.parsed('KITEMIRROR_VERIFY_RATE', '4MiB', parseRate),
    accessLogBytes: read.parsed('KITEMIRROR_ACCESS_LOG_BYTES', '1GiB', parseRate),
    auditBytes: read.parsed('KITEMIRROR_AUDIT_BYTES', '1GiB', parseRate),
    url,
    contentUrl: read.parsed('KITEMIRROR_CONTENT_URL', defaultContentUrl(url), (value) => parseContentUrl(value, url)),
    identity: readIdentity(read, url, (text) => resolve(base, text)),
    tls: readTls(read, url, (text) => resolve(base, text)),
    listen,
    reach: readReach(read),
    receiverListen: read.listen('KITEMIRROR_RECEIVER_LISTEN', `unix:${join(runDir, 'receiver.sock')}`),
    gatewayListen: read.listen('KITEMIRROR_GATEWAY_LISTEN', `unix:${join(runDir, 'gateway.sock')}`),
    metricsListen: read.listenOrOff('KITEMIRROR_METRICS_LISTEN', '127.0.0.1:9464'),
    workers: read.integer('KITEMIRROR_WORKERS', 1, 1, 64),
    workerMetricsListen: read.listenOrOff('KITEMIRROR_WORKER_METRICS_LISTEN', '127.0.0.1:9465'),
    concurrency: read.integer('KITEMIRROR_CONCURRENCY', defaultConcurrency(), 1, 512),
    reconcileSeconds: read.integer('KITEMIRROR_RECONCILE_SECONDS', 300, 1, 86_400),
    // As long as Buildkite keeps artifacts at the most.
    unseenDays: read.integer('KITEMIRROR_UNSEEN_DAYS', 90, 1, 3650),
    webhookRepair: read.choice('KITEMIRROR_WEBHOOK_REPAIR', ['on', 'off'], 'off') === 'on',
    http2: read.choice('KITEMIRROR_HTTP2', ['auto', 'on', 'off'], 'auto'),
    logLevel: read.choice('KITEMIRROR_LOG_LEVEL', ['debug', 'info', 'warn', 'error'], 'info'),
    runDir,
  };
  const secrets: Secrets = {
    apiToken: wants('BUILDKITE_API_TOKEN', 'worker') ? read.secret('BUILDKITE_API_TOKEN') : null,
    portalToken:
      needs('all', 'worker', 'command') && read.has('BUILDKITE_PORTAL_TOKEN')
        ? read.secret('BUILDKITE_PORTAL_TOKEN')
        : null,
    webhookTokens: wants('BUILDKITE_WEBHOOK_TOKEN', 'receiver') ? read.secret('BUILDKITE_WEBHOOK_TOKEN') : null,
    redisUrl:
      needs('all', 'receiver', 'gateway', 'worker', 'command') && read.has('REDIS_URL')
        ? read.secret('REDIS_URL', parseRedisUrl)
        : null,
    oidcClientSecret:
      needs('all', 'gateway') && read.has('KITEMIRROR_OIDC_CLIENT_SECRET')
        ? read.secret('KITEMIRROR_OIDC_CLIENT_SECRET')
        : null,
  };
  if (config.http2 === 'on' && config.reach.trustedProxies.length > 0)
    read.refuse(
      'KITEMIRROR_HTTP2 cannot be on beside KITEMIRROR_TRUSTED_PROXIES: readers would be taken for one another',
    );
  const wire = openWire(config);
  if (wire !== null) read.refuse(wire);
  if (needs('all', 'worker', 'command')) read.together('BUILDKITE_PORTAL_URL', 'BUILDKITE_PORTAL_TOKEN');
  read.finish();
  return { config, secrets };
}

/** Every browser finds `*.localhost` on its own machine, so beside a loopback URL there is nothing to set up. */
function defaultContentUrl(url: URL | null): string {
  if (url === null || !loopbackNames.includes(url.hostname)) return 'off';
  return `${url.protocol}//*.localhost${url.port === '' ? '' : `:${url.port}`}`;
}

/** Who points the mirror at another API than Buildkite's does not mean its token for Buildkite's GraphQL. */
function graphqlChoice(read: EnvReader): Config['graphql'] {
  const choice = read.choice('BUILDKITE_GRAPHQL', ['auto', 'on', 'off'], 'auto');
  const isElsewhere = read.has('BUILDKITE_API_URL') && !read.has('BUILDKITE_GRAPHQL_URL');
  return choice === 'auto' && isElsewhere && read.text('BUILDKITE_API_URL', '') !== ownApi ? 'off' : choice;
}

/** 32 downloads at once kept two cores and a loopback origin busy; more only queued in the kernel (bench small). */
function defaultConcurrency(): number {
  return Math.min(64, 16 * availableParallelism());
}

/** Socket names have at most 107 bytes (sun_path); a deep data folder gets a short one elsewhere. */
function runFolder(dataRoot: string): string {
  const inside = join(dataRoot, 'run');
  const longest = 'receiver.sock';
  if (Buffer.byteLength(join(inside, longest)) <= 107) return inside;
  const short = createHash('sha256').update(dataRoot).digest('hex').slice(0, 12);
  return join(tmpdir(), `kitemirror-${process.getuid?.() ?? 0}-${short}`);
}
