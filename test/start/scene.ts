/** What the tests of starting share: a folder and ports of their own, programs run to their end, waiting on conditions. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { machine } from '../machine.ts';

export const root = join(import.meta.dirname, '..', '..');

const endings = new WeakMap<TestContext, (() => unknown)[]>();

/** What a test opened last is closed first; the runner's own hooks run the other way round. */
export function later(t: TestContext, step: () => unknown): void {
  const steps = endings.get(t) ?? [];
  if (steps.length === 0) {
    endings.set(t, steps);
    t.after(async () => {
      for (const each of steps.toReversed()) await each();
    });
  }
  steps.push(step);
}

export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'kitemirror-start-'));
  later(t, () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Settings with which the whole stack starts: loopback ports that are free, an upstream that nobody answers at. */
export async function stackEnv(data: string, more: NodeJS.ProcessEnv = {}): Promise<NodeJS.ProcessEnv> {
  const [front = 0, metrics = 0, workerMetrics = 0, nobody = 0] = await freePorts(4);
  return {
    ...machine,
    HOME: process.env.HOME,
    BUILDKITE_ORGANIZATION: 'acme',
    BUILDKITE_API_TOKEN: 'bkua_a-token-of-this-test',
    BUILDKITE_WEBHOOK_TOKEN: 'a-webhook-token-of-this-test',
    BUILDKITE_API_URL: `http://127.0.0.1:${nobody}`,
    KITEMIRROR_DATA: data,
    KITEMIRROR_MIN_FREE: '1MiB',
    KITEMIRROR_URL: `http://127.0.0.1:${front}`,
    KITEMIRROR_LISTEN: `127.0.0.1:${front}`,
    KITEMIRROR_METRICS_LISTEN: `127.0.0.1:${metrics}`,
    KITEMIRROR_WORKER_METRICS_LISTEN: `127.0.0.1:${workerMetrics}`,
    ...more,
  };
}

/** All different, for they are held together. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a program to its end, without standard input. */
export async function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Ran> {
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'], timeout: 200_000 });
  const closed = once(child, 'close') as Promise<[number | null]>;
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
  return { code, out, err };
}

/** @throws Error naming what did not come true within 30 s */
export async function until(what: string, isTrue: () => boolean | Promise<boolean>, withinMs = 30_000): Promise<void> {
  const end = Date.now() + withinMs;
  while (!(await isTrue())) {
    if (Date.now() > end) throw new Error(`did not come true within ${withinMs} ms: ${what}`);
    await pause(10);
  }
}

/** A zombie has ended too: only its parent has not looked yet. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** The process and all that it has started, by the kernel's own list. */
export function familyOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return [pid, ...(children === '' ? [] : children.split(' ').flatMap((child) => familyOf(Number(child))))];
}
