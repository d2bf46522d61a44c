/**
 * What commands work with, opened in one place when it is first needed and closed when the command ends, however it
 * ends: the data folder, the catalog, the queue with its Redis, Buildkite.
 */
import { join } from 'node:path';
import { pino } from 'pino';
import { Agent } from 'undici';
import { type Budget, createBudget, documented, type WorkClass } from '../buildkite/budget.ts';
import { createRest, type Rest } from '../buildkite/rest.ts';
import { MirrorError, toMirrorError } from '../errors.ts';
import type { Log } from '../log.ts';
import { budgetStore } from '../queue/budgets.ts';
import { queueOn, type TaskQueue } from '../queue/queue.ts';
import { connectRedis, type RedisRole } from '../queue/redis.ts';
import { type Catalog, openCatalog } from '../search/catalog.ts';
import { holdsMirror } from '../tree/data.ts';
import { type DataPaths, dataPaths } from '../tree/paths.ts';
import type { CommandContext } from './command.ts';

type Context = Pick<CommandContext, 'settings' | 'onEnd'>;
type Redis = ReturnType<typeof connectRedis>;

/** A Redis that does not answer within this is away: a command says so rather than wait. */
const connectMs = 5000;

/** For parts that log: a command prints its findings itself, and what it throws is printed by its message. */
export const silent: Log = pino({ level: 'silent' });

export function openPaths({ settings }: Pick<Context, 'settings'>): DataPaths {
  return dataPaths(settings().config.dataRoot);
}

/**
 * The data folder, where a mirror is in it: what is looked for in the wrong place is not to be called well.
 * @throws MirrorError ERR_CONFIG
 */
export function openMirror(context: Pick<Context, 'settings'>): DataPaths {
  const paths = openPaths(context);
  if (holdsMirror(paths)) return paths;
  throw new MirrorError('ERR_CONFIG', `${paths.root} holds no mirror: is KITEMIRROR_DATA right, and did a worker run?`);
}

/** Where the queue lives: `REDIS_URL`, or the private Redis of `kitemirror start` on this machine. */
export function redisUrl({ settings }: Pick<Context, 'settings'>): string {
  const { config, secrets } = settings();
  return secrets.redisUrl?.reveal() ?? `unix://${join(config.runDir, 'redis.sock')}`;
}

/** @throws MirrorError ERR_QUEUE_UNAVAILABLE with what to do, at the first refusal or within a few seconds */
export async function openRedis(context: Context, role: RedisRole): Promise<Redis> {
  const redis = connectRedis(() => redisUrl(context), role, silent);
  context.onEnd(() => redis.disconnect());
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${connectMs} ms`)), connectMs);
      redis.once('ready', resolve).once('error', reject);
    });
  } catch (cause) {
    const why = toMirrorError(cause).message;
    const message = `Redis cannot be reached (${why}): is \`kitemirror start\` running, or is REDIS_URL right?`;
    throw new MirrorError('ERR_QUEUE_UNAVAILABLE', message, {}, cause);
  } finally {
    clearTimeout(timer);
  }
  return redis;
}

/** @throws MirrorError ERR_QUEUE_UNAVAILABLE, as above */
export async function openTasks(context: Context): Promise<TaskQueue> {
  const queue = queueOn(await openRedis(context, 'producer'), silent);
  context.onEnd(() => queue.close());
  return queue;
}

/** Read-only. @throws MirrorError ERR_TREE_UNREADABLE where no build was ever mirrored */
export function openBuilds(context: Context): Catalog {
  const catalog = openCatalogOrNone(context);
  if (catalog !== null) return catalog;
  const { catalog: file } = openPaths(context);
  throw new MirrorError('ERR_TREE_UNREADABLE', `there is no catalog at ${file}: has a worker run here?`);
}

const cannotOpen = 14; // SQLITE_CANTOPEN

/** Read-only; null where no build was ever mirrored. */
export function openCatalogOrNone(context: Context): Catalog | null {
  try {
    const catalog = openCatalog(openPaths(context).catalog, { readOnly: true });
    context.onEnd(() => catalog.close());
    return catalog;
  } catch (thrown) {
    if (thrown instanceof Error && 'errcode' in thrown && thrown.errcode === cannotOpen) return null;
    throw thrown;
  }
}

/**
 * Buildkite's REST API, at the same budget as the workers'.
 * @throws MirrorError ERR_CONFIG without a token
 */
export function openRest(context: Context, redis: Redis, workClass: WorkClass): Rest {
  const { apiShare } = context.settings().config;
  const budget = createBudget({ store: budgetStore(redis), api: 'rest', share: apiShare, ...documented.rest });
  return restOn(context, budget, workClass);
}

/** For a few requests that must not wait for Redis, which may be what is wrong. @throws MirrorError ERR_CONFIG */
export function openUncountedRest(context: Context): Rest {
  return restOn(context, { spend: async () => {}, settle: () => {} }, 'person');
}

function restOn(context: Context, budget: Budget, workClass: WorkClass): Rest {
  const { config, secrets } = context.settings();
  const token = secrets.apiToken;
  if (token === null) throw new MirrorError('ERR_CONFIG', 'BUILDKITE_API_TOKEN is required');
  const dispatcher = new Agent({ connections: 8, connect: { timeout: 10_000 } });
  context.onEnd(() => dispatcher.destroy());
  return createRest({ apiUrl: config.apiUrl, token: () => token.reveal(), dispatcher, budget, workClass });
}
