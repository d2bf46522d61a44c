/**
 * Has a running Lighttpd read its configuration and certificate again. SIGUSR1 with a fault in them would end it, so they
 * are tried in a Lighttpd of their own before. There is nothing to roll back: until both tries are well the running one
 * has not been told, and the files are the operator's.
 */
import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { connect } from 'node:tls';
import type { Config } from '../config.ts';
import { MirrorError, toMirrorError } from '../errors.ts';
import { probe, reachable } from './ready.ts';

/** A Lighttpd whose configuration `lighttpd -tt` has taken. */
export interface Tested {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Record<string, string>;
}

const canaryWithinMs = 15_000;
const shownWithinMs = 20_000;

/**
 * @returns when the certificate that is shown now ends; null without TLS
 * @throws MirrorError ERR_CONFIG where the canary does not answer as it should: the running one was not told · ERR_NOT_READY
 */
export async function reloadFront(config: Config, tested: Tested): Promise<Date | null> {
  const pid = await runningPid(config);
  const wanted = config.tls === null ? null : new X509Certificate(await readFile(config.tls.cert));
  await tryCanary(config, tested, wanted);
  process.kill(pid, 'SIGUSR1');
  const fault = await untilShown(config, wanted, shownWithinMs);
  if (fault !== null)
    throw new MirrorError(
      'ERR_NOT_READY',
      `Lighttpd was told to reload and ${fault}; what settings say, a restart takes`,
    );
  return wanted?.validToDate ?? null;
}

/** @throws MirrorError ERR_NOT_READY where none runs on this data folder */
async function runningPid({ runDir, dataRoot }: Config): Promise<number> {
  const none = new MirrorError('ERR_NOT_READY', `no Lighttpd runs for ${dataRoot}`);
  const pid = Number(await readFile(join(runDir, 'lighttpd.pid'), 'utf8').catch(() => Number.NaN));
  if (!Number.isInteger(pid) || pid < 2) throw none;
  // A number that was left behind may be another program's by now.
  const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
  if (name.trim() !== 'lighttpd') throw none;
  return pid;
}

async function tryCanary(
  config: Config,
  { command, args, env }: Tested,
  wanted: X509Certificate | null,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'kitemirror-canary-'));
  const port = await freePort();
  for (const name of ['empty', 'uploads']) await mkdir(join(folder, name));
  const own = {
    SITE_RUN: folder,
    SITE_LOGS: folder,
    SITE_BIND: '127.0.0.1',
    SITE_PORT: String(port),
    SITE_WORKERS: '0',
  };
  const child = spawn(command, args, { env: { ...env, ...own }, detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(child, 'exit');
  const said = text(child.stderr);
  try {
    const at = { ...config, listen: { host: '127.0.0.1', port } };
    const fault = await untilShown(at, wanted, canaryWithinMs, () => child.exitCode !== null);
    if (fault === null) return;
    child.kill('SIGKILL');
    throw new MirrorError(
      'ERR_CONFIG',
      `a Lighttpd started to try it ${fault}; the running one was not told\n${await said}`,
    );
  } finally {
    child.kill('SIGKILL');
    await ended;
    await rm(folder, { recursive: true, force: true });
  }
}

/** @returns null once it answers, and with the certificate that is wanted; else what it does instead */
async function untilShown(
  config: Config,
  wanted: X509Certificate | null,
  withinMs: number,
  isOver: () => boolean = () => false,
): Promise<string | null> {
  const { listen: at, url, tls } = config;
  const until = performance.now() + withinMs;
  for (;;) {
    const fault =
      (await probe({ at, path: '/-/healthz', host: url.host, isTls: tls !== null })) ?? (await otherThan(wanted, at));
    if (fault === null || isOver() || performance.now() > until) return fault;
    await pause(50);
  }
}

async function otherThan(wanted: X509Certificate | null, at: Config['listen']): Promise<string | null> {
  if (wanted === null) return null;
  const socket = connect({ host: reachable(at.host), port: at.port, rejectUnauthorized: false });
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(5000) });
    const shown = socket.getPeerX509Certificate();
    return shown?.fingerprint256 === wanted.fingerprint256 ? null : 'shows another certificate';
  } catch (thrown) {
    return toMirrorError(thrown).message;
  } finally {
    socket.destroy();
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
