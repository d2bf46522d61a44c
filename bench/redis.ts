/** A redis-server of a bench's own, set up as `npm start` sets up its private one. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findCommand, redisNeed } from '../src/programs.ts';
import { probeRedis, redisArguments, redisSocket } from '../src/supervise/redis.ts';
import type { BenchContext } from './bench.ts';
import { endChild, until } from './children.ts';

/** Ended with the bench. @returns its URL */
export async function startRedis({ path, signal, cleanUp }: BenchContext): Promise<string> {
  const command = findCommand(redisNeed.commands, path);
  if (command === null) throw new Error(`${redisNeed.name} is not installed`);
  // A short path: a socket's has no room for more than 107 bytes.
  const folder = mkdtempSync(join(tmpdir(), 'kitemirror-bench-'));
  cleanUp(() => rmSync(folder, { recursive: true, force: true }));
  const socket = redisSocket(folder);
  const child = spawn(command, redisArguments(socket, folder), { stdio: 'ignore' });
  cleanUp(() => endChild(child));
  await until(async () => (await probeRedis(socket)) === null, 'redis-server', { signal, everyMs: 20 });
  return `unix://${socket}`;
}
