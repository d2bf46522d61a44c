/** Connections to Redis. A producer must fail at once when Redis is away; a worker waits for it. */
import { unescape } from 'node:querystring';
import { Redis, type RedisOptions } from 'ioredis';
import { MirrorError } from '../errors.ts';
import type { Log } from '../log.ts';

/** How long a producer's command may take before it counts as lost: Buildkite waits about 5 s for an answer. */
export const producerTimeoutMs = 2000;

type Credentials = Pick<RedisOptions, 'username' | 'password'>;

export type RedisRole = 'producer' | 'worker';

/** `redis://`, `rediss://` or `unix:///path`; asked again before each new connection, for the user's name and the password. */
export type RedisUrl = () => string;

export function connectRedis(url: RedisUrl, role: RedisRole, log: Log): Redis {
  const options = {
    connectionName: `kitemirror-${role}`,
    maxRetriesPerRequest: null,
    retryStrategy: (attempt: number) => Math.min(50 * 2 ** Math.min(attempt, 6), 2000) * (0.75 + Math.random() / 2),
    // BullMQ's blocking commands outlive any timeout, and would hold up what shares a pipeline with them.
    ...(role === 'producer'
      ? { enableOfflineQueue: false, commandTimeout: producerTimeoutMs, enableAutoPipelining: true }
      : {}),
  };
  const path = unixPath(url());
  const redis =
    path === null
      ? prepared(new Redis(url(), options), () => credentialsOf(url()))
      : prepared(new Redis({ ...options, path }), () => ({}));
  let downSince: number | null = null;
  redis.on('error', (error: Error) => {
    if (downSince === null) log.warn({ error: error.message }, 'Redis cannot be reached; waiting for it');
    downSince ??= Date.now();
  });
  redis.on('ready', () => {
    if (downSince !== null) log.info({ downMs: Date.now() - downSince }, 'Redis is back');
    downSince = null;
  });
  return redis;
}

/**
 * BullMQ has connections of its own made from ours, for commands that block: what is done here is done for them too.
 *
 * ioredis signs in with what it was made with, for ever; its options are read at each attempt.
 *
 * Where it is told to end while it waits for its next attempt it forgets that attempt, and says to nobody that it has ended
 * (seen in 6.0.0): a worker would wait for that for ever. An attempt that is under way is ended as it should be.
 */
function prepared(redis: Redis, credentials: () => Credentials): Redis {
  redis.on('close', () => Object.assign(redis.options, credentials()));
  const disconnect = redis.disconnect.bind(redis);
  redis.disconnect = (again?: boolean) => {
    if (again !== true && redis.status === 'reconnecting') redis.connect().catch(() => undefined);
    disconnect(again);
  };
  const duplicate = redis.duplicate.bind(redis);
  redis.duplicate = (override?: Partial<RedisOptions>) => prepared(duplicate(override), credentials);
  return redis;
}

/** Nothing of what is no URL: what was used before stays in force. */
function credentialsOf(url: string): Credentials {
  const parsed = URL.parse(url);
  return parsed === null ? {} : { username: unescape(parsed.username), password: unescape(parsed.password) };
}

function unixPath(url: string): string | null {
  return url.startsWith('unix://') ? decodeURIComponent(url.slice('unix://'.length).split('?')[0] ?? '') : null;
}

/**
 * Refuses a Redis that may evict: it would lose queued tasks without an error.
 * @throws MirrorError ERR_QUEUE_UNSAFE
 */
export async function refuseEviction(redis: Redis): Promise<void> {
  const info = await redis.info('memory');
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? 'unknown';
  if (policy === 'noeviction') return;
  throw new MirrorError(
    'ERR_QUEUE_UNSAFE',
    `Redis has maxmemory-policy ${policy} and may drop queued tasks silently; set it to noeviction`,
    { policy },
  );
}

export interface RedisFacts {
  readonly version: string;
  readonly policy: string;
  readonly appendOnly: boolean;
  /** Whether it has ever written a snapshot since it started, or is told to. */
  readonly savedAt: boolean;
  readonly lastWriteFailed: boolean;
}

export async function readRedisFacts(redis: Redis): Promise<RedisFacts> {
  const info = await redis.info();
  const read = (name: string): string => new RegExp(`^${name}:(\\S*)`, 'm').exec(info)?.[1] ?? 'unknown';
  return {
    version: read('redis_version'),
    policy: read('maxmemory_policy'),
    appendOnly: read('aof_enabled') === '1',
    savedAt: Number(read('rdb_saves')) > 0,
    lastWriteFailed: read('aof_last_write_status') === 'err' || read('rdb_last_bgsave_status') === 'err',
  };
}
