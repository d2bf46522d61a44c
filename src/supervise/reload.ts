/**
 * Has a running Lighttpd read its configuration and certificate again. SIGUSR1 with a fault in them ends it, so they are
 * tried in a Lighttpd of their own before. What no try can see (its environment and its rights are those of its start, and
 * not ours) is rolled back: who runs it starts it again with the certificate that it showed before.
 */
import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { connect } from 'node:tls';
import type { Config } from '../config.ts';
import { MirrorError, toMirrorError } from '../errors.ts';
import { writtenAt } from '../tree/files.ts';
import { beginReload, endReload, keepPair, keptPair, type Pair, readPair } from './last-good.ts';
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
 * @param prepare tests the files
 * @returns when the certificate that is shown now ends; null without TLS
 * @throws MirrorError ERR_CONFIG where the canary does not answer as it should, or runs as somebody else than the running
 * one would: that was not told · ERR_NOT_READY where none runs, or it was told and did not take it
 */
export async function reloadFront(config: Config, prepare: () => Promise<Tested>): Promise<Date | null> {
  const pid = await runningPid(config);
  await refuseOtherUser(pid);
  const pair = config.tls === null ? null : await readPair(config.tls);
  const tested = await prepare();
  const wanted = certificateOf(pair);
  await tryCanary(config, tested, wanted);
  await tell(config, pid, wanted);
  await keepPair(config, pair);
  return wanted?.validToDate ?? null;
}

/** @throws MirrorError ERR_NOT_READY, once it is rolled back or cannot be */
async function tell(config: Config, pid: number, wanted: X509Certificate | null): Promise<void> {
  const toldAt = writtenAt(pidFile(config));
  // It writes its process id again as the last step of its new beginning: before that, the old one would be asked.
  const isBegun = (): boolean => writtenAt(pidFile(config)) !== toldAt;
  const isGone = (): boolean => writtenAt(`/proc/${pid}`) === null;
  await beginReload(config);
  try {
    process.kill(pid, 'SIGUSR1');
    const fault = await untilShown(config, wanted, shownWithinMs, isGone, isBegun);
    if (fault !== null)
      throw new MirrorError(
        'ERR_NOT_READY',
        `Lighttpd was told to reload and ${await afterFault(config, fault, isGone)}`,
      );
  } finally {
    endReload(config);
  }
}

/** @returns what became of it, in words */
async function afterFault(config: Config, fault: string, isGone: () => boolean): Promise<string> {
  const what = isGone() ? 'ended' : fault;
  const left = await untilShown(config, certificateOf(await keptPair(config)), shownWithinMs);
  if (left !== null) return `${what}; it could not be rolled back either: ${left}`;
  const shown = config.tls === null ? 'it answers' : 'the certificate before it is shown';
  return `${what}; rolled back: ${shown}. Is reload run with the settings and rights of the mirror? What settings say, a restart takes`;
}

function certificateOf(pair: Pair | null): X509Certificate | null {
  return pair === null ? null : new X509Certificate(pair);
}

function pidFile({ runDir }: Config): string {
  return join(runDir, 'lighttpd.pid');
}

/** What root may read, the running one may not: the tries would say nothing of what it will find. @throws MirrorError ERR_CONFIG */
async function refuseOtherUser(pid: number): Promise<void> {
  const { uid } = await stat(`/proc/${pid}`);
  const own = process.getuid?.();
  if (uid === own) return;
  throw new MirrorError(
    'ERR_CONFIG',
    `Lighttpd runs as user ${uid} and this as user ${own}, which may read other files; it was not told. Run as that user: runuser -u "$(id -nu ${uid})" -- bin/kitemirror reload`,
  );
}

/** @throws MirrorError ERR_NOT_READY where none runs on this data folder */
async function runningPid(config: Config): Promise<number> {
  const none = new MirrorError('ERR_NOT_READY', `no Lighttpd runs for ${config.dataRoot}`);
  const pid = Number(await readFile(pidFile(config), 'utf8').catch(() => Number.NaN));
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
  isBegun: () => boolean = () => true,
): Promise<string | null> {
  const { listen: at, url, tls } = config;
  const until = performance.now() + withinMs;
  for (;;) {
    const fault = isBegun()
      ? ((await probe({ at, path: '/-/healthz', host: url.host, isTls: tls !== null })) ??
        (await otherThan(wanted, at)))
      : 'did not begin anew';
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
