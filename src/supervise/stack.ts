/**
 * The whole mirror on one machine: a private redis-server (unless there is a REDIS_URL), receiver, gateway, workers and
 * Lighttpd as children of this process. `npm start`, the demo and the tests run the same.
 */
import { type Config, parseConfig } from '../config.ts';
import type { MirrorError } from '../errors.ts';
import { findCommand, lighttpdNeed, lighttpdTlsNeed, redisNeed } from '../programs.ts';
import { dataPaths } from '../tree/paths.ts';
import { checkAddresses, takeRunFolder } from './addresses.ts';
import { type Crew, createCrew } from './crew.ts';
import { hiddenValues } from './hidden.ts';
import { ensurePrograms } from './install.ts';
import type { Printer } from './lines.ts';
import { planPrograms, planRedis } from './plan.ts';
import { prepareRedis, redisSocket } from './redis.ts';

export interface StackOptions {
  /** The project's own folder; relative settings start from it. */
  readonly root: string;
  /** All settings and secrets, as the environment and `.env` have them. */
  readonly env: NodeJS.ProcessEnv;
  readonly printer: Printer;
  readonly readyWithinMs?: number;
  /** Ends a start that is under way. */
  readonly signal?: AbortSignal;
}

export interface Stack {
  readonly config: Config;
  /** The processes that run now, by name: `redis`, `receiver`, `gateway`, `worker` (or `worker-0`, …), `lighttpd`. */
  pids(): Record<string, number>;
  /** Resolves when a program can no longer run; the stack is to be stopped then. */
  readonly broken: Promise<MirrorError>;
  /** Ends all in order: no new requests, no new tasks, running tasks done or handed back, Redis last. */
  stop(): Promise<void>;
  /** Kills all at once. */
  kill(): void;
}

const readyWithinMs = 30_000;

/**
 * Resolves once every program is ready; when it rejects, nothing is left running.
 * @throws MirrorError ERR_CONFIG for a fault of the settings or an address that is taken; ERR_PROGRAM_MISSING with the
 * line to run; ERR_NOT_READY naming what is not ready in time, with its last lines
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { root, env, printer } = options;
  const { config, secrets } = parseConfig(env, 'all', root);
  printer.hide(() => hiddenValues(secrets, env));
  const front = config.tls === null ? lighttpdNeed : lighttpdTlsNeed;
  const needs = secrets.redisUrl === null ? [redisNeed, front] : [front];
  const isRoot = process.getuid?.() === 0;
  await ensurePrograms(needs, { root, env, isRoot, say: (line) => printer.say('warn', line) });
  // An installation takes its time: what was free before it may be taken after it.
  await checkAddresses(config);

  const lock = await takeRunFolder(config);
  const crew = createCrew(printer);
  const stop = async (): Promise<void> => {
    await crew.stop();
    await lock.close();
  };
  try {
    const late = AbortSignal.timeout(options.readyWithinMs ?? readyWithinMs);
    const signal = options.signal === undefined ? late : AbortSignal.any([late, options.signal]);
    const told = { ...env, KITEMIRROR_DATA: config.dataRoot };
    const redis = secrets.redisUrl === null ? await startRedis(config, env, printer, crew, signal) : {};
    const [last = [], ...behind] = planPrograms(config, { ...told, ...redis }, root);
    await crew.start(behind, signal);
    // Last, when those behind it answer: Lighttpd takes a back end that once refused for dead, for seconds.
    await crew.start([last], signal);
  } catch (error) {
    await stop();
    throw error;
  }
  return { config, broken: crew.broken, pids: () => crew.pids(), stop, kill: () => crew.kill() };
}

/** @returns what it adds to the environment of the programs */
async function startRedis(
  config: Config,
  env: NodeJS.ProcessEnv,
  printer: Printer,
  crew: Crew,
  signal: AbortSignal,
): Promise<NodeJS.ProcessEnv> {
  const socket = redisSocket(config.runDir);
  const folder = dataPaths(config.dataRoot).redis;
  await prepareRedis(socket, folder, (line) => printer.say('warn', line));
  const path = env.PATH ?? '';
  const command = findCommand(redisNeed.commands, path) ?? redisNeed.name;
  await crew.start([[planRedis(command, socket, folder, findCommand(['setpriv'], path))]], signal);
  return { REDIS_URL: `unix://${socket.split('/').map(encodeURIComponent).join('/')}` };
}
