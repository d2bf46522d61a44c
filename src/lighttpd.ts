/**
 * Runs Lighttpd as a child: asks the machine what it needs to know, tests the configuration, hands on what Lighttpd says
 * as our own log, ends it in order.
 * exit 0: ended in order · 78: only an operator can mend it · else: as Lighttpd ended
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { type Config, parseConfig, readEnv } from './config.ts';
import { errnoOf, MirrorError, toMirrorError } from './errors.ts';
import { formatListen } from './http.ts';
import { createLog, type Log, logError, logRefusal } from './log.ts';
import { findCommand, lighttpdNeed } from './programs.ts';
import { type Machine, proxiesFile, proxiesSnippet, siteEnvironment } from './site.ts';
import { keepPair, readPair, takeRollBack } from './supervise/last-good.ts';
import { frontIdFile } from './supervise/ready.ts';
import { reloadFront } from './supervise/reload.ts';
import { trimAudit } from './tree/audit.ts';
import { writeAtomic } from './tree/files.ts';
import { ensureKeys } from './tree/keys.ts';
import { rotateAccessLog } from './tree/log-rotation.ts';
import { type DataPaths, dataPaths } from './tree/paths.ts';
import { readSenders } from './tree/webhook-senders.ts';

export interface PreparedLighttpd {
  readonly command: string;
  readonly args: readonly string[];
  /** All of its environment. */
  readonly env: Record<string, string>;
}

const execute = promisify(execFile);
const root = join(import.meta.dirname, '..');
const configuration = join(root, 'lighttpd.conf');
const installLine = 'apt-get install -y lighttpd lighttpd-modules-lua';
const exitConfig = 78;
/** Downloads that run may end (lighttpd.conf: graceful-shutdown-timeout); both well below what the supervisor grants. */
const forceAfterMs = 10_000;
const killAfterMs = 12_000;
const rotateEveryMs = 10_000;
/** Below it, files that are there cannot be opened at a rate that a few CI jobs reach. */
const wantedOpenFiles = 16_384;

/**
 * Makes its folders, and tests the configuration with `lighttpd -tt`.
 * @param path the value of PATH
 * @throws MirrorError ERR_PROGRAM_MISSING with the line to run; ERR_CONFIG with Lighttpd's own words
 */
export async function prepareLighttpd(config: Config, path: string): Promise<PreparedLighttpd> {
  const command = findCommand(lighttpdNeed.commands, path);
  if (command === null) throw missing('lighttpd is not on this machine');
  const paths = dataPaths(config.dataRoot);
  const env = siteEnvironment(config, paths, root, await askMachine(command));
  await makeFolders(config, paths);
  await writeAtomic(proxiesFile(config), proxiesSnippet(config), { durable: false });
  if (config.contentUrl !== null) ensureKeys(paths.contentKeys);
  await execute(command, ['-tt', '-f', configuration], { env }).catch((thrown: unknown) => {
    const said = thrown instanceof Error && 'stderr' in thrown ? String(thrown.stderr).trim() : String(thrown);
    if (/mod_magnet\.so/.test(said)) throw missing('lighttpd is here, its Lua module (mod_magnet) is not');
    if (/mod_openssl\.so/.test(said))
      throw missing('lighttpd is here, its TLS module (mod_openssl) is not', ' lighttpd-mod-openssl');
    throw new MirrorError('ERR_CONFIG', `lighttpd refuses its configuration:\n${said}`);
  });
  return { command, args: ['-D', '-f', configuration], env };
}

function missing(what: string, more = ''): MirrorError {
  return new MirrorError('ERR_PROGRAM_MISSING', `${what}. Run: ${installLine}${more}`);
}

async function askMachine(command: string): Promise<Machine> {
  const { stdout } = await execute(command, ['-v']);
  const [, major, minor, patch] = /^lighttpd\/(\d+)\.(\d+)\.(\d+)/.exec(stdout) ?? [];
  if (patch === undefined)
    throw new MirrorError('ERR_CONFIG', `${command} -v does not tell a version: ${stdout.trim()}`);
  const version = [Number(major), Number(minor), Number(patch)] as const;
  return { version, cores: availableParallelism(), openFiles: await hardLimit() };
}

/** Our own limit is the child's. Where the system does not tell (only Linux has this file), what is wanted is tried. */
async function hardLimit(): Promise<number> {
  const limits = await readFile('/proc/self/limits', 'utf8').catch((thrown: unknown) => {
    if (errnoOf(thrown) === 'ENOENT') return '';
    throw thrown;
  });
  const hard = /^Max open files +\S+ +(\S+)/m.exec(limits)?.[1];
  if (hard === 'unlimited') return Number.POSITIVE_INFINITY;
  return hard === undefined ? wantedOpenFiles : Number(hard);
}

async function makeFolders(config: Config, paths: DataPaths): Promise<void> {
  const own = [config.runDir, join(config.runDir, 'empty'), join(config.runDir, 'uploads')];
  for (const folder of own) await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const folder of [paths.logs, paths.tree, paths.pages]) await mkdir(folder, { recursive: true });
}

async function run(log: Log, config: Config, path: string): Promise<number> {
  const prepared = await prepareLighttpd(config, path);
  const openFiles = Number(prepared.env.SITE_MAX_FDS);
  if (openFiles < wantedOpenFiles) log.warn({ openFiles, wanted: wantedOpenFiles }, 'the limit of open files is low');
  const { reach } = config;
  if (reach.webhooks?.published === true && (await readSenders(dataPaths(config.dataRoot))) === null)
    log.warn(
      'the addresses of Buildkite’s webhooks are not known yet: until a worker has read them, deliveries are taken from everywhere',
    );
  const id = randomBytes(12).toString('hex');
  await writeAtomic(frontIdFile(config), id, { durable: false });
  prepared.env.SITE_ID = id;
  await keepPair(config, config.tls === null ? null : await readPair(config.tls));
  const setpriv = findCommand(['setpriv'], path);
  const front: Front = { child: launch(prepared, setpriv) };
  const wasAsked = endOnRequest(front, log);
  const rotating = setInterval(() => void rotate(front, config, log), rotateEveryMs);
  const facts = { listen: formatListen(config.listen), url: config.url.origin, http2: prepared.env.SITE_HTTP2 };
  log.info(facts, 'lighttpd starts');
  try {
    for (;;) {
      const code = await untilEnded(front.child, wasAsked, log);
      const kept = wasAsked() ? null : takeRollBack(config);
      if (kept === null) return wasAsked() ? 0 : code;
      log.error('the reload is rolled back: lighttpd starts again with the certificate that it showed before');
      const env = { ...prepared.env, SITE_TLS_CERT: kept, SITE_TLS_KEY: kept };
      front.child = launch({ ...prepared, env }, setpriv);
    }
  } finally {
    clearInterval(rotating);
  }
}

/** The Lighttpd that runs now; a roll back puts another one in its place. */
interface Front {
  child: ChildProcess;
}

/** @returns the exit code for one that ended by itself, never 0 */
async function untilEnded(child: ChildProcess, wasAsked: () => boolean, log: Log): Promise<number> {
  tellLines(child, log);
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  if (!wasAsked()) {
    // Its workers would go on alone, and hold the port.
    signalGroup(child, 'SIGKILL');
    log.error({ code, signal }, 'lighttpd ended by itself');
  }
  // The last of its workers closes it.
  if (child.stderr?.closed === false) await once(child.stderr, 'close');
  return code === null || code === 0 ? 1 : code;
}

/**
 * A group of its own: with workers Lighttpd signals its whole group. So that no Lighttpd outlives us and holds the port,
 * setpriv has the kernel end it when we are killed. @param setpriv null: not on this machine
 */
function launch({ command, args, env }: PreparedLighttpd, setpriv: string | null): ChildProcess {
  const [first, ...rest] = setpriv === null ? [command, ...args] : [setpriv, '--pdeathsig', 'TERM', command, ...args];
  return spawn(first, rest, { env, detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
}

/** `2025-11-23 22:36:00: (server.c.1057) what it says` */
function tellLines(child: ChildProcess, log: Log): void {
  if (child.stderr === null) return;
  createInterface({ input: child.stderr }).on('line', (line) => {
    const said = line.replace(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d: /, '').replace(/^\(([^)]+)\) /, '');
    log[/server started|server stopped|graceful shutdown|logfiles cycled/.test(said) ? 'info' : 'warn'](said);
  });
}

/** SIGTERM, SIGINT and the end of our stdin end it, SIGHUP has it open its log anew. @returns whether it was asked to end */
function endOnRequest(front: Front, log: Log): () => boolean {
  let asked = false;
  const end = (): void => {
    if (asked) return;
    asked = true;
    const { child } = front;
    // To the first process alone, which tells its workers and ends: a second SIGINT would cut the downloads that run.
    child.kill('SIGINT');
    const force = setTimeout(() => signalGroup(child, 'SIGTERM'), forceAfterMs);
    const kill = setTimeout(() => {
      log.warn(`lighttpd did not end within ${killAfterMs / 1000} s and is killed`);
      signalGroup(child, 'SIGKILL');
    }, killAfterMs);
    child.once('close', () => [force, kill].forEach(clearTimeout));
  };
  process.on('SIGTERM', end).on('SIGINT', end);
  // To every process: the first one, which would tell its workers, overhears it now and then.
  process.on('SIGHUP', () => signalGroup(front.child, 'SIGHUP'));
  if (process.argv.includes('--supervised')) process.stdin.on('end', end).on('error', end).resume();
  return () => asked;
}

/** Both logs are kept within bounds here, since this program is there on each machine that has them, and once. */
async function rotate(front: Front, { dataRoot, accessLogBytes, auditBytes }: Config, log: Log): Promise<void> {
  const paths = dataPaths(dataRoot);
  try {
    if (accessLogBytes !== null && rotateAccessLog(paths, accessLogBytes)) signalGroup(front.child, 'SIGHUP');
    await trimAudit(paths, auditBytes);
  } catch (thrown) {
    logError(log, thrown, 'the access log or the audit could not be rotated');
  }
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch (thrown) {
    // All of them have ended already, which is what was wanted.
    if (errnoOf(thrown) !== 'ESRCH') throw thrown;
  }
}

/** `--check`: whether it could start, for `kitemirror doctor`. */
async function check(config: Config, path: string): Promise<number> {
  try {
    const { command, env } = await prepareLighttpd(config, path);
    const { version } = await askMachine(command);
    process.stdout.write(`Lighttpd ${version.join('.')} takes its configuration; HTTP/2: ${env['SITE_HTTP2']}\n`);
    return 0;
  } catch (thrown) {
    process.stderr.write(`${toMirrorError(thrown).message}\n`);
    return exitConfig;
  }
}

/** `--reload`: for `kitemirror reload`; prints when the certificate ends. */
async function reload(config: Config, path: string): Promise<number> {
  try {
    const expires = await reloadFront(config, () => prepareLighttpd(config, path));
    process.stdout.write(`${expires?.toISOString() ?? ''}\n`);
    return 0;
  } catch (thrown) {
    const { code, message } = toMirrorError(thrown);
    process.stderr.write(`${message}\n`);
    return code === 'ERR_CONFIG' || code === 'ERR_PROGRAM_MISSING' ? exitConfig : 1;
  }
}

async function main(): Promise<number> {
  let log = createLog('lighttpd', 'info');
  try {
    const env = readEnv(root);
    const { config } = parseConfig(env, 'lighttpd', root);
    if (process.argv.includes('--check')) return await check(config, env.PATH ?? '');
    if (process.argv.includes('--reload')) return await reload(config, env.PATH ?? '');
    log = createLog('lighttpd', config.logLevel);
    return await run(log, config, env.PATH ?? '');
  } catch (thrown) {
    logRefusal(log, thrown, 'lighttpd cannot start');
    const { code } = toMirrorError(thrown);
    return code === 'ERR_CONFIG' || code === 'ERR_PROGRAM_MISSING' ? exitConfig : 1;
  }
}

if (import.meta.main) process.exit(await main());
