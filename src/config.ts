/**
 * The only reader of the environment: env → {config, secrets}, with every fault named at once.
 * `Config` may be printed and logged; a `Secret` prints as `[secret]`.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { inspect, parseEnv } from 'node:util';
import { MirrorError } from './errors.ts';
import { Slug } from './model.ts';

/** Who asks: each program is given the secrets that it needs and no others. `all` supervises the rest. */
export type Program = 'all' | 'receiver' | 'gateway' | 'worker' | 'lighttpd';

export type Listen = { readonly path: string } | { readonly host: string; readonly port: number };

/** One comma-separated element; the last that matches decides. */
export interface GlobRule {
  readonly pattern: string;
  readonly include: boolean;
}

export interface Config {
  readonly organization: string;
  readonly webhookMode: 'signature' | 'token';
  readonly apiUrl: URL;
  readonly apiShare: number;
  /** `null`: Buildkite's own storage hosts. */
  readonly downloadHosts: readonly string[] | null;
  readonly pipelines: readonly GlobRule[];
  readonly branches: readonly GlobRule[];
  readonly artifacts: readonly GlobRule[];
  readonly logs: boolean;
  readonly maxArtifactBytes: number | null;
  readonly dataRoot: string;
  /** Bytes; `null`: the larger of 5 % of the disk and 10 GiB. */
  readonly minFreeBytes: number | null;
  readonly url: URL;
  readonly contentUrl: string | null;
  readonly listen: { readonly host: string; readonly port: number };
  readonly receiverListen: Listen;
  readonly gatewayListen: Listen;
  readonly metricsListen: Listen | null;
  readonly workers: number;
  readonly workerMetricsListen: Listen | null;
  readonly concurrency: number;
  readonly reconcileSeconds: number;
  readonly http2: 'auto' | 'on' | 'off';
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  /** Folder of sockets and process ids; its name is short enough for any socket in it. */
  readonly runDir: string;
  /** Names that are set, valid, and without effect in this version. */
  readonly withoutEffect: readonly string[];
}

export interface Secrets {
  readonly apiToken: Secret | null;
  /** Comma or newline separated when there are several (rotation). */
  readonly webhookTokens: Secret | null;
  readonly redisUrl: Secret | null;
}

const fileCheckMs = 1000;

/** A value that must not be shown. From a file, it is read again when the file changes (looked at once a second). */
export class Secret {
  readonly #read: () => string;

  constructor(source: string | { readonly file: string }) {
    this.#read = typeof source === 'string' ? () => source : rereading(source.file);
  }

  reveal(): string {
    return this.#read();
  }

  /** The elements of a secret that may hold several. */
  revealAll(): string[] {
    return this.#read()
      .split(/[,\n]/)
      .map((part) => part.trim())
      .filter((part) => part !== '');
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [inspect.custom](): string {
    return '[secret]';
  }
}

function rereading(file: string): () => string {
  let value = readFileSync(file, 'utf8').trim();
  let version = statSync(file).mtimeMs;
  let lookedAt = Date.now();
  return () => {
    const now = Date.now();
    if (now - lookedAt < fileCheckMs) return value;
    lookedAt = now;
    // A secret that is being replaced may be absent for a moment: the last good one stays in force.
    const stat = statSync(file, { throwIfNoEntry: false });
    if (stat === undefined || stat.mtimeMs === version) return value;
    const next = readFileSync(file, 'utf8').trim();
    if (next !== '') [value, version] = [next, stat.mtimeMs];
    return value;
  };
}

/**
 * The process's environment over the project's `.env`, when there is one. A supervised program is told all that it may
 * know by its supervisor: the file may hold what is another program's alone.
 */
export function readEnv(root: string, env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const file = join(root, '.env');
  if (process.argv.includes('--supervised') || !existsSync(file)) return env;
  return { ...parseEnv(readFileSync(file, 'utf8')), ...env };
}

const knownNames = [
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
  'HTTP2',
  'LOG_LEVEL',
].map((name) => `KITEMIRROR_${name}`);

/** In the contract, for what later versions do; refusing them would break a shared `.env`, ignoring them would mislead. */
const withoutEffect = [
  'KITEMIRROR_S3_BUCKETS',
  'KITEMIRROR_RECONCILE_SECONDS',
  'KITEMIRROR_CONTENT_URL',
  'BUILDKITE_GRAPHQL',
  'BUILDKITE_GRAPHQL_URL',
  'BUILDKITE_PORTAL_URL',
  'BUILDKITE_PORTAL_TOKEN',
];

/** Promised for later versions. Who sets them relies on them, so they stop the start instead of being passed over. */
const laterName = /^KITEMIRROR_(RETENTION_|OIDC_|TLS_|POLICY$|TRUSTED_PROXIES$)/;

/** Kubernetes injects these for a service that is called kitemirror. */
const foreignName = /^KITEMIRROR_(SERVICE_|PORT(_|$))/;

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
  const needs = (...programs: Program[]): boolean => programs.includes(program);
  const config: Config = {
    organization: read.parsed('BUILDKITE_ORGANIZATION', null, parseSlug),
    webhookMode: read.choice('BUILDKITE_WEBHOOK_MODE', ['signature', 'token'], 'signature'),
    apiUrl: read.url('BUILDKITE_API_URL', 'https://api.buildkite.com'),
    apiShare: read.number('KITEMIRROR_API_SHARE', 0.8, { min: 0.01, max: 1, what: 'a part, 0.01 to 1' }),
    downloadHosts: read.optional('KITEMIRROR_DOWNLOAD_HOSTS', parseHosts),
    pipelines: read.parsed('KITEMIRROR_PIPELINES', '*', parseGlobs),
    branches: read.parsed('KITEMIRROR_BRANCHES', '*', parseGlobs),
    artifacts: read.parsed('KITEMIRROR_ARTIFACTS', '**', parseGlobs),
    logs: read.choice('KITEMIRROR_LOGS', ['on', 'off'], 'on') === 'on',
    maxArtifactBytes: read.optional('KITEMIRROR_MAX_ARTIFACT_BYTES', parseBytes),
    dataRoot,
    minFreeBytes: read.optional('KITEMIRROR_MIN_FREE', parseBytes),
    url: read.url('KITEMIRROR_URL', 'http://127.0.0.1:8080'),
    contentUrl: read.optional('KITEMIRROR_CONTENT_URL', parseWildcardUrl),
    listen,
    receiverListen: read.listen('KITEMIRROR_RECEIVER_LISTEN', `unix:${join(runDir, 'receiver.sock')}`),
    gatewayListen: read.listen('KITEMIRROR_GATEWAY_LISTEN', `unix:${join(runDir, 'gateway.sock')}`),
    metricsListen: read.listenOrOff('KITEMIRROR_METRICS_LISTEN', '127.0.0.1:9464'),
    workers: read.integer('KITEMIRROR_WORKERS', 1, 1, 64),
    workerMetricsListen: read.listenOrOff('KITEMIRROR_WORKER_METRICS_LISTEN', '127.0.0.1:9465'),
    concurrency: read.integer('KITEMIRROR_CONCURRENCY', defaultConcurrency(), 1, 512),
    reconcileSeconds: read.integer('KITEMIRROR_RECONCILE_SECONDS', 300, 5, 86_400),
    http2: read.choice('KITEMIRROR_HTTP2', ['auto', 'on', 'off'], 'auto'),
    logLevel: read.choice('KITEMIRROR_LOG_LEVEL', ['debug', 'info', 'warn', 'error'], 'info'),
    runDir,
    withoutEffect: withoutEffect.filter((name) => read.has(name)),
  };
  const secrets: Secrets = {
    apiToken: needs('all', 'worker') ? read.secret('BUILDKITE_API_TOKEN') : null,
    webhookTokens: needs('all', 'receiver') ? read.secret('BUILDKITE_WEBHOOK_TOKEN') : null,
    redisUrl:
      needs('all', 'receiver', 'gateway', 'worker') && read.has('REDIS_URL')
        ? read.secret('REDIS_URL', parseRedisUrl)
        : null,
  };
  read.finish();
  return { config, secrets };
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

function parseSlug(value: string): string {
  if (!Slug.safeParse(value).success) throw new Error('is not a Buildkite slug (letters, digits, "-", "_", ".")');
  return value;
}

function parseHosts(value: string): string[] {
  const hosts = elements(value).map((host) => host.toLowerCase());
  if (hosts.length === 0) throw new Error('names no host');
  for (const host of hosts) {
    const name = host.replace(/^\*\./, '').replace(/:(\d{1,5})$/, '');
    const port = Number(/:(\d{1,5})$/.exec(host)?.[1] ?? 1);
    if (port < 1 || port > 65_535) throw new Error(`has "${host}", whose port is not one`);
    if (!/^(\[[0-9a-f:]+\]|[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?)$/.test(name)) {
      throw new Error(`has "${host}", which is neither "host", "host:port" nor "*.domain"`);
    }
  }
  return hosts;
}

function parseGlobs(value: string): GlobRule[] {
  const rules = elements(value).map((element) =>
    element.startsWith('!') ? { pattern: element.slice(1), include: false } : { pattern: element, include: true },
  );
  if (rules.length === 0 || rules.some((rule) => rule.pattern === '')) throw new Error('has an empty pattern');
  // "!x" alone means "all but x": without this it would mean nothing at all.
  return rules[0]?.include === false ? [{ pattern: '**', include: true }, ...rules] : rules;
}

function parseBytes(value: string): number {
  const match = /^(\d+)\s*(?:([KMGT])i?B?)?$/i.exec(value);
  if (match === null) throw new Error('is not a number of bytes (500000, 10GiB, …)');
  const power = ' KMGT'.indexOf((match[2] ?? ' ').toUpperCase());
  const bytes = Number(match[1]) * 1024 ** power;
  if (!Number.isSafeInteger(bytes)) throw new Error('is too large');
  return bytes;
}

function parseWildcardUrl(value: string): string {
  const probe = value.replace('://*.', '://wildcard.');
  if (probe === value || !URL.canParse(probe))
    throw new Error('is not a URL with a wildcard host (https://*.example.com)');
  return value;
}

function parseRedisUrl(value: string): string {
  if (!/^(rediss?:\/\/.+|unix:\/\/\/.+)$/.test(value)) throw new Error('is not redis://, rediss:// or unix:///path');
  return value;
}

function parseListen(value: string): Listen {
  if (value.startsWith('unix:')) {
    const path = value.slice('unix:'.length).replace(/^\/\//, '');
    if (!path.startsWith('/')) throw new Error('needs an absolute path after "unix:"');
    if (Buffer.byteLength(path) > 107) throw new Error('is longer than the 107 bytes a socket path may have');
    return { path };
  }
  return parseHostPort(value);
}

function parseHostPort(value: string): { host: string; port: number } {
  const match = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/.exec(value);
  const port = Number(match?.[2]);
  if (match === null || port < 1 || port > 65_535) throw new Error('is not host:port (127.0.0.1:8080, [::1]:8080)');
  return { host: (match[1] ?? '').replace(/^\[|\]$/g, ''), port };
}

function elements(value: string): string[] {
  return value
    .split(',')
    .map((element) => element.trim())
    .filter((element) => element !== '');
}

/** Collects faults instead of throwing at the first. */
class EnvReader {
  readonly #env: NodeJS.ProcessEnv;
  readonly #faults: string[] = [];

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = env;
  }

  refuseUnknown(): void {
    for (const name of Object.keys(this.#env).toSorted()) {
      if (!name.startsWith('KITEMIRROR_') || knownNames.includes(name) || foreignName.test(name)) continue;
      if (laterName.test(name)) {
        this.#faults.push(`${name} asks for something that this version cannot do yet; unset it`);
        continue;
      }
      const near = knownNames.find((known) => closeTo(name, known));
      this.#faults.push(`${name} is not a setting of this version${near ? `; did you mean ${near}?` : ''}`);
    }
  }

  has(name: string): boolean {
    return this.#get(name) !== undefined || this.#get(`${name}_FILE`) !== undefined;
  }

  text(name: string, fallback: string): string {
    return this.#get(name) ?? fallback;
  }

  parsed<T>(name: string, fallback: string | null, parse: (value: string) => T): T {
    const value = this.#get(name) ?? fallback;
    // A fault ends the start before anyone uses the value, so what stands in for it here is never seen.
    if (value === null) return this.#fault(`${name} is required`) as T;
    return this.#try(name, () => parse(value)) as T;
  }

  optional<T>(name: string, parse: (value: string) => T): T | null {
    const value = this.#get(name);
    return value === undefined ? null : (this.#try(name, () => parse(value)) ?? null);
  }

  choice<const T extends string>(name: string, allowed: readonly T[], fallback: T): T {
    return this.parsed(name, fallback, (value) => {
      const found = allowed.find((each) => each === value);
      if (found === undefined) throw new Error(`is "${value}", not one of ${allowed.join(', ')}`);
      return found;
    });
  }

  number(name: string, fallback: number, rule: { min: number; max: number; what: string }): number {
    return this.parsed(name, String(fallback), (value) => {
      const number = /^\d+(\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
      if (!(number >= rule.min && number <= rule.max)) throw new Error(`is "${value}", not ${rule.what}`);
      return number;
    });
  }

  integer(name: string, fallback: number, min: number, max: number): number {
    return this.parsed(name, String(fallback), (value) => {
      const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
      if (!(number >= min && number <= max)) throw new Error(`is "${value}", not a whole number from ${min} to ${max}`);
      return number;
    });
  }

  url(name: string, fallback: string): URL {
    return this.parsed(name, fallback, (value) => {
      const url = URL.canParse(value) ? new URL(value) : null;
      if (url === null || !/^https?:$/.test(url.protocol)) throw new Error(`is "${value}", not an http(s) URL`);
      if (url.username !== '' || url.search !== '' || url.hash !== '') {
        throw new Error('must hold no user name, query or fragment');
      }
      return url;
    });
  }

  hostPort(name: string, fallback: string): { host: string; port: number } {
    return this.parsed(name, fallback, parseHostPort);
  }

  listen(name: string, fallback: string): Listen {
    return this.parsed(name, fallback, parseListen);
  }

  listenOrOff(name: string, fallback: string): Listen | null {
    return this.parsed(name, fallback, (value) => (value === 'off' ? null : parseListen(value)));
  }

  secret(name: string, check: (value: string) => string = (value) => value): Secret | null {
    const value = this.#get(name);
    const file = this.#get(`${name}_FILE`);
    if (value !== undefined && file !== undefined)
      return this.#fault(`${name} and ${name}_FILE are both set: keep one`);
    if (value === undefined && file === undefined) return this.#fault(`${name} (or ${name}_FILE) is required`);
    return this.#try(file === undefined ? name : `${name}_FILE`, () => {
      const secret = new Secret(file === undefined ? (value ?? '') : { file });
      if (secret.revealAll().length === 0) throw new Error('is empty');
      check(secret.reveal());
      return secret;
    });
  }

  finish(): void {
    if (this.#faults.length === 0) return;
    const count = this.#faults.length === 1 ? '1 fault' : `${this.#faults.length} faults`;
    const list = this.#faults.map((fault) => `  - ${fault}`).join('\n');
    throw new MirrorError('ERR_CONFIG', `${count} in the configuration:\n${list}\nREADME.md lists every setting.`);
  }

  /** An empty value counts as unset: that is how compose files and CI pass absent variables on. */
  #get(name: string): string | undefined {
    const value = this.#env[name]?.trim();
    return value === '' ? undefined : value;
  }

  #try<T>(name: string, parse: () => T): T | null {
    try {
      return parse();
    } catch (fault) {
      const text = fault instanceof Error ? fault.message : String(fault);
      // A system error's own text names the file; ours continue the sentence.
      return this.#fault(/^[A-Z]{3,}/.test(text) ? `${name}: ${text}` : `${name} ${text}`);
    }
  }

  #fault(text: string): null {
    this.#faults.push(text);
    return null;
  }
}

/** Whether two names differ by a slip of the keyboard: the same letters but for two. */
function closeTo(left: string, right: string): boolean {
  if (Math.abs(left.length - right.length) > 2) return false;
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= right.length; j += 1) {
      const change = (row[j - 1] ?? 0) + (left[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return (row[right.length] ?? 9) <= 2;
}
