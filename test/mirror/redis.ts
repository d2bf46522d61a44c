/** A redis-server of a test's own: on a Unix socket, without a file, to be stopped, flushed and killed at will. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { until } from './until.ts';

export interface RedisServer {
  readonly url: string;
  readonly socket: string;
  /** Of the server that runs now. */
  pid(): number;
  /** To look into it and to change it, past all that is tested. */
  readonly client: Redis;
  /** What SIGKILL leaves of it: nothing, as it has no file. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Alive, but it answers nothing. */
  freeze(): void;
  thaw(): void;
  stop(): Promise<void>;
}

/** @param folder of a short name: it holds the socket · @param options of redis-server, such as `--maxmemory-policy` */
export async function startRedis(folder: string, options: readonly string[] = []): Promise<RedisServer> {
  const socket = join(folder, 'r.sock');
  const settings = ['--port', '0', '--unixsocket', socket, '--save', '', '--dir', folder];
  let server: ChildProcess;
  const start = async (): Promise<void> => {
    rmSync(socket, { force: true });
    server = spawn('redis-server', [...settings, '--maxmemory-policy', 'noeviction', ...options], { stdio: 'ignore' });
    await until(() => existsSync(socket), 'redis-server');
  };
  const kill = async (): Promise<void> => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, 'exit');
    server.kill('SIGKILL');
    await ended;
  };
  await start();
  const client = new Redis({ path: socket, retryStrategy: () => 50, maxRetriesPerRequest: null });
  // Its own comings and goings are what is tested.
  client.on('error', () => undefined);
  return {
    url: `unix://${socket}`,
    socket,
    pid: () => server.pid ?? 0,
    client,
    kill,
    start,
    freeze: () => server.kill('SIGSTOP'),
    thaw: () => server.kill('SIGCONT'),
    stop: async () => {
      client.disconnect();
      await kill();
    },
  };
}
