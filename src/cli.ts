/**
 * `bin/kitemirror COMMAND`. The launcher runs the programs itself; here is what it does not: help, the version, and the
 * answer to a command that does not exist.
 * exit 0 · 64: no such command
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const exitUsage = 64;

interface Command {
  readonly summary: string;
  readonly usage: string;
  readonly help: string;
}

const exitCodes = 'exit 0: ended in order · 1: something broke · 78: only an operator can mend it (what, is printed)';

const commands: Readonly<Record<string, Command>> = {
  start: {
    summary: 'the whole mirror on this machine, until Ctrl-C',
    usage: 'kitemirror start [--json]',
    help: `Runs receiver, gateway, workers, Lighttpd and, without REDIS_URL, a private redis-server, from the environment
and .env. --json: JSON lines also on a terminal.\n${exitCodes} · 130: forced by a second Ctrl-C`,
  },
  receiver: {
    summary: 'webhooks alone',
    usage: 'kitemirror receiver',
    help: `Takes Buildkite's webhooks at KITEMIRROR_RECEIVER_LISTEN. Needs BUILDKITE_WEBHOOK_TOKEN and Redis.\n${exitCodes}`,
  },
  gateway: {
    summary: "readers' questions alone",
    usage: 'kitemirror gateway',
    help: `Answers at KITEMIRROR_GATEWAY_LISTEN what Lighttpd cannot answer from files.\n${exitCodes}`,
  },
  worker: {
    summary: 'one worker: reads Buildkite, writes the tree',
    usage: 'kitemirror worker',
    help: `Any number may run, on one data folder and one Redis. The only program that needs BUILDKITE_API_TOKEN.\n${exitCodes}`,
  },
  lighttpd: {
    summary: 'the front: Lighttpd with our configuration',
    usage: 'kitemirror lighttpd',
    help: `Listens on KITEMIRROR_LISTEN, serves the tree and hands on the rest.\n${exitCodes}`,
  },
};

process.exitCode = main(process.argv.slice(2));

function main(words: readonly string[]): number {
  const [name] = words.filter((word) => !word.startsWith('-'));
  const command = name === undefined ? undefined : commands[name];
  if (words.includes('--version') && name === undefined) return print(`kitemirror ${readVersion()}`);
  if (command !== undefined) return print(`Usage: ${command.usage}\n\n${command.help}`);
  const asked = words.some((word) => word === '-h' || word === '--help' || word === 'help');
  if (asked && (name === undefined || name === 'help')) return print(overview());
  const fault = name === undefined ? 'which command?' : `there is no command "${name}"`;
  process.stderr.write(`kitemirror: ${fault}\n\n${overview()}\n`);
  return exitUsage;
}

function print(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

function overview(): string {
  const rows = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(10)} ${summary}`);
  return `Usage: kitemirror COMMAND [--help]\n\n${rows.join('\n')}\n\nSettings come from the environment and .env; README.md lists them.`;
}

function readVersion(): string {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  return version;
}
