/**
 * Finds the programs that a start needs and, as root on a Debian, has those that are missing installed. Nothing is
 * installed silently, and nothing that is installed is started: our programs are children of ours, on our own sockets.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { MirrorError } from '../errors.ts';
import { findCommand, type ProgramNeed } from '../programs.ts';

export interface InstallHost {
  /** The project's own folder. */
  readonly root: string;
  /** For PATH, and for what apt is told of proxies. */
  readonly env: NodeJS.ProcessEnv;
  readonly isRoot: boolean;
  /** Takes one line of what is being done. */
  say(line: string): void;
}

/**
 * The absolute path of each program, by its first command's name.
 * @throws MirrorError ERR_PROGRAM_MISSING with the exact line to run, where one is missing and may not be installed
 */
export async function ensurePrograms(
  needs: readonly ProgramNeed[],
  host: InstallHost,
): Promise<ReadonlyMap<string, string>> {
  const missing = await missingOf(needs, host);
  if (missing.length > 0) {
    const names = missing.map((need) => need.name).join(', ');
    if (!host.isRoot || locate(['apt-get'], host) === null) throw await refusal(names, missing, host);
    host.say(`${names}: not on this machine; installing`);
    await runInstaller(packagesOf(missing), host);
    const still = (await missingOf(missing, host)).map((need) => need.name);
    if (still.length > 0)
      throw new MirrorError('ERR_PROGRAM_MISSING', `${still.join(', ')}: installed, but not usable`);
  }
  return new Map(needs.map((need) => [need.commands[0] ?? need.name, locate(need.commands, host) ?? '']));
}

function locate(commands: readonly string[], host: InstallHost): string | null {
  return findCommand(commands, host.env.PATH ?? '');
}

function packagesOf(needs: readonly ProgramNeed[]): string[] {
  return needs.flatMap((need) => need.packages.map((row) => row.join(',')));
}

async function missingOf(needs: readonly ProgramNeed[], host: InstallHost): Promise<ProgramNeed[]> {
  const present = await Promise.all(needs.map((need) => isPresent(need, host)));
  return needs.filter((_, index) => present[index] === false);
}

async function isPresent(need: ProgramNeed, host: InstallHost): Promise<boolean> {
  const command = locate(need.commands, host);
  if (command === null) return false;
  if (need.probe === undefined) return true;
  const child = spawn(command, need.probe.args, { stdio: ['pipe', 'ignore', 'ignore'] });
  child.stdin.on('error', () => child.kill()).end(need.probe.input);
  return (await ended(child)) === 0;
}

async function runInstaller(packages: readonly string[], host: InstallHost): Promise<void> {
  const child = spawn(installer(host), packages, { env: host.env, stdio: ['ignore', 'inherit', 'inherit'] });
  const code = await ended(child);
  if (code !== 0) throw new MirrorError('ERR_PROGRAM_MISSING', `apt did not install ${packages.join(', ')}`, { code });
}

async function refusal(names: string, missing: readonly ProgramNeed[], host: InstallHost): Promise<MirrorError> {
  const child = spawn(installer(host), ['--print', ...packagesOf(missing)], {
    env: host.env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [line] = await Promise.all([text(child.stdout), ended(child)]);
  const remedy = line === '' ? `Install ${packagesOf(missing).join(', ')} (Debian's names)` : `Run: ${line.trim()}`;
  return new MirrorError('ERR_PROGRAM_MISSING', `${names}: not on this machine. ${remedy}`);
}

function installer(host: InstallHost): string {
  return join(host.root, 'bin', 'install-packages');
}

async function ended(child: ReturnType<typeof spawn>): Promise<number | null> {
  const [code] = (await once(child, 'close')) as [number | null];
  return code;
}
