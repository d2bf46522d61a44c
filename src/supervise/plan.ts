/** Which programs make up the stack: how each is started, how it tells that it is ready, how long it may take to end. */
import { join } from 'node:path';
import type { Listen } from '../config/values.ts';
import type { Config } from '../config.ts';
import { formatListen } from '../http.ts';
import { readIfPresent } from '../tree/files.ts';
import { workerMetrics } from './addresses.ts';
import type { Child, ChildSpec } from './child.ts';
import { environmentOf, type NodeProgram } from './environments.ts';
import { frontIdFile, type Probe, probe } from './ready.ts';
import { probeRedis, redisArguments, translateRedisLine } from './redis.ts';

export interface Part {
  readonly spec: ChildSpec;
  /** null once it is ready, else what it waits for. */
  ready(child: Child): Promise<string | null>;
  /** A line of its own kind as a JSON line. */
  readonly translate?: (line: string) => string;
}

const stopWithinMs: Record<NodeProgram | 'redis', number> = {
  // Downloads that run may end; Lighttpd cuts them itself a little earlier.
  lighttpd: 15_000,
  receiver: 10_000,
  gateway: 10_000,
  // A worker hands a task back that it cannot finish within 20 s.
  worker: 23_000,
  redis: 20_000,
};

/** @param setpriv absolute path of setpriv, which ends Redis with us even when we are killed; null: not on this machine */
export function planRedis(command: string, socket: string, folder: string, setpriv: string | null): Part {
  const own = redisArguments(socket, folder);
  const [first, ...args] = setpriv === null ? [command, ...own] : [setpriv, '--pdeathsig', 'TERM', command, ...own];
  return {
    spec: { name: 'redis', command: first ?? command, args, env: { LC_ALL: 'C' }, stopWithinMs: stopWithinMs.redis },
    ready: () => probeRedis(socket),
    translate: translateRedisLine,
  };
}

/** In the order in which they are to end. @param env with REDIS_URL and KITEMIRROR_DATA as the programs are to see them */
export function planPrograms(config: Config, env: NodeJS.ProcessEnv, root: string): Part[][] {
  const front: Probe = {
    at: config.listen,
    path: '/-/healthz',
    host: config.url.host,
    isTls: config.tls !== null,
    identity: () => readIfPresent(frontIdFile(config)),
  };
  const receiver: Probe = { at: config.receiverListen, path: '/-/readyz' };
  const gateway: Probe = { at: config.gatewayListen, path: '/-/healthz' };
  const workers = Array.from({ length: config.workers }, (_, index) => planWorker(config, env, root, index));
  return [
    [planProgram('lighttpd', env, root, () => probe(front))],
    [
      planProgram('receiver', env, root, () => probe(receiver)),
      planProgram('gateway', env, root, () => probe(gateway)),
    ],
    workers,
  ];
}

function planWorker(config: Config, env: NodeJS.ProcessEnv, root: string, index: number): Part {
  const at: Listen | null = config.workerMetricsListen && workerMetrics(config.workerMetricsListen, index);
  const own = { ...env, KITEMIRROR_WORKER_METRICS_LISTEN: at === null ? 'off' : formatListen(at) };
  const name = config.workers === 1 ? 'worker' : `worker-${index}`;
  // Without its metrics nobody can ask a worker; that it runs and has spoken is all there is to see.
  const spoken = async (child: Child): Promise<string | null> =>
    child.pid() !== undefined && child.lastLines().length > 0 ? null : 'has not said anything yet';
  return planProgram('worker', own, root, at === null ? spoken : () => probe({ at, path: '/readyz' }), name);
}

/**
 * What a worker needs is small, and what it leaves behind is not: pages of lists, bytes on their way to disk. V8 would let
 * four times of what is needed gather before it looks; a small heap is looked through in milliseconds. (A smaller young
 * generation saves as much, and costs small files a sixth of their speed.) bin/kitemirror gives the same.
 */
export const nodeFlags: Partial<Record<NodeProgram, readonly string[]>> = { worker: ['--heap-growing-percent=70'] };

const scripts: Record<NodeProgram, string> = {
  receiver: 'src/receiver.ts',
  gateway: 'src/gateway.ts',
  worker: 'workers/main.ts',
  lighttpd: 'src/lighttpd.ts',
};

function planProgram(
  program: NodeProgram,
  env: NodeJS.ProcessEnv,
  root: string,
  ready: Part['ready'],
  name: string = program,
): Part {
  return {
    spec: {
      name,
      command: process.execPath,
      args: [
        '--disable-warning=ExperimentalWarning',
        ...(nodeFlags[program] ?? []),
        join(root, scripts[program]),
        '--supervised',
      ],
      env: environmentOf(program, env),
      stopWithinMs: stopWithinMs[program],
    },
    ready,
  };
}
