/** Runs `kitemirror COMMAND` as a process of its own. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { machine } from '../machine.ts';

const cli = join(import.meta.dirname, '..', '..', 'src', 'cli.ts');

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

type Env = Readonly<Record<string, string>>;

/** @param env all that it is told beside what is of the machine */
export async function kitemirror(words: readonly string[], env: Env = {}): Promise<Ran> {
  const child = startKitemirror(words, env);
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: code as number | null, out, err };
}

/** For who ends it early. It is ended after a minute in any case. */
export function startKitemirror(words: readonly string[], env: Env): ChildProcessByStdio<null, Readable, Readable> {
  return spawn(process.execPath, ['--disable-warning=ExperimentalWarning', cli, ...words], {
    env: { ...machine, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
  });
}
