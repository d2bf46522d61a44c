/** Programs that a bench runs. Each is ended by its own process id, in any case. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { findCommand } from '../src/programs.ts';

/** How long a program has between being asked to end and being killed. */
const graceMs = 5000;

/** @throws Error with what it said, unless it ends with 0 */
export async function runToEnd(command: string, args: readonly string[], signal: AbortSignal): Promise<void> {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'], signal });
  const ended = once(child, 'close');
  const said = await text(child.stderr);
  const [code, cause] = (await ended) as [number | null, NodeJS.Signals | null];
  if (code !== 0) throw new Error(`${command} ended with ${code ?? cause}: ${said.trim().slice(-2000)}`);
}

/** A script of this folder in a process of its own; messages go both ways. @param flags Node's own */
export function startScript(name: string, args: readonly string[] = [], flags: readonly string[] = []): ChildProcess {
  const file = join(import.meta.dirname, name);
  return spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...flags, file, ...args], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
}

/** The next message. @throws Error when the process ends instead */
export async function nextMessage<T>(child: ChildProcess, signal: AbortSignal): Promise<T> {
  const settled = new AbortController();
  const until = AbortSignal.any([signal, settled.signal]);
  try {
    const ended = once(child, 'exit', { signal: until }).then(([code]: unknown[]) => {
      throw new Error(`a process of the bench ended early (${String(code)})`);
    });
    const [message] = (await Promise.race([once(child, 'message', { signal: until }), ended])) as [T];
    ended.catch(() => undefined);
    return message;
  } finally {
    settled.abort();
  }
}

export async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), graceMs);
  await ended;
  clearTimeout(force);
}

/** @throws Error naming `what`, when it does not become true in time */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  { signal, timeoutMs = 120_000, everyMs = 2 }: { signal: AbortSignal; timeoutMs?: number; everyMs?: number },
): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited ${timeoutMs / 1000} s in vain for ${what}`);
    await pause(everyMs, undefined, { signal });
  }
}

/** A port of the loopback that nobody has now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('a TCP server has no port');
  return address.port;
}

export interface Peer {
  readonly command: string;
  /** The Debian package that it is in. */
  readonly apt: string;
}

export const peers = {
  aria2c: { command: 'aria2c', apt: 'aria2' },
  curl: { command: 'curl', apt: 'curl' },
  nginx: { command: 'nginx', apt: 'nginx-light' },
  wrk: { command: 'wrk', apt: 'wrk' },
} as const satisfies Record<string, Peer>;

/** @returns where it is, or why there is no row of it */
export function findPeer({ command, apt }: Peer, path: string): { found: string } | { missing: string } {
  const found = findCommand([command], path);
  return found === null ? { missing: `${command} is not installed (apt-get install ${apt})` } : { found };
}
