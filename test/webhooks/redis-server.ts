/** A redis-server of a test's own, on a Unix socket, that can be hung, killed, emptied and started again. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';

export interface RedisServer {
  readonly url: string;
  /** Starts it (again), with what its file holds. */
  start(): Promise<void>;
  kill(): Promise<void>;
  hang(): void;
  resume(): void;
  flush(): Promise<void>;
  /** The builds of the tasks that are queued. */
  queuedBuilds(): Promise<string[]>;
  /** Ends it and removes its folder. */
  remove(): Promise<void>;
}

/** @param appendOnly whether it keeps its content when it is started again */
export function createRedisServer({ appendOnly }: { appendOnly: boolean }): RedisServer {
  const folder = mkdtempSync(join(tmpdir(), 'kitemirror-redis-'));
  const socket = join(folder, 'redis.sock');
  let server: ChildProcess | null = null;

  async function withClient<T>(ask: (redis: Redis) => Promise<T>): Promise<T> {
    const redis = new Redis({ path: socket, maxRetriesPerRequest: null, retryStrategy: () => 20 });
    // Refused connections while it starts are what the retries are for.
    redis.on('error', () => undefined);
    try {
      return await ask(redis);
    } finally {
      redis.disconnect();
    }
  }

  async function kill(): Promise<void> {
    if (server === null) return;
    const ended = once(server, 'exit');
    server.kill('SIGKILL');
    await ended;
    server = null;
  }

  return {
    url: `unix://${socket}`,
    start: async () => {
      const file = appendOnly ? 'yes' : 'no';
      const args = ['--port', '0', '--unixsocket', socket, '--save', '', '--appendonly', file, '--dir', folder];
      server = spawn('redis-server', args, { stdio: 'ignore' });
      await withClient((redis) => redis.ping());
    },
    kill,
    hang: () => void server?.kill('SIGSTOP'),
    resume: () => void server?.kill('SIGCONT'),
    flush: async () => void (await withClient((redis) => redis.flushall())),
    queuedBuilds: () =>
      withClient(async (redis) => {
        const keys = await redis.keys('bull:*:de:read-build/*');
        return keys.map((key) => key.slice(key.lastIndexOf('/') + 1)).toSorted();
      }),
    remove: async () => {
      await kill();
      rmSync(folder, { recursive: true });
    },
  };
}
