/**
 * `bin/kitemirror COMMAND`. The launcher runs the programs itself; here are help, the version, and the commands that do
 * one thing and end.
 * exit 0 · 1: something is not well · 64: no such command or option, or an argument that cannot be right · 78: only an operator can mend it · 130: Ctrl-C
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Command, type CommandContext, exit, type Io, sayJson, type Values } from './commands/command.ts';
import { recordCommand } from './commands/on-record.ts';
import { commands } from './commands/table.ts';
import { parseConfig, readEnv } from './config.ts';
import { type ErrorCode, toMirrorError } from './errors.ts';

const root = join(import.meta.dirname, '..');

interface Program {
  readonly summary: string;
  readonly usage: string;
  readonly help: string;
}

const exitCodes = 'exit 0: ended in order · 1: something broke · 78: only an operator can mend it (what, is printed)';

const programs: Readonly<Record<string, Program>> = {
  start: {
    summary: 'the whole mirror on this machine, until Ctrl-C',
    usage: '[--json]',
    help: `Runs receiver, gateway, workers, Lighttpd and, without REDIS_URL, a private redis-server, from the environment
and .env. --json: JSON lines also on a terminal.\n${exitCodes} · 130: forced by a second Ctrl-C`,
  },
  receiver: {
    summary: 'webhooks alone',
    usage: '',
    help: `Takes Buildkite's webhooks at KITEMIRROR_RECEIVER_LISTEN. Needs BUILDKITE_WEBHOOK_TOKEN and Redis.\n${exitCodes}`,
  },
  gateway: {
    summary: "readers' questions alone",
    usage: '',
    help: `Answers at KITEMIRROR_GATEWAY_LISTEN what Lighttpd cannot answer from files.\n${exitCodes}`,
  },
  worker: {
    summary: 'one worker: reads Buildkite, writes the tree',
    usage: '',
    help: `Any number may run, on one data folder and one Redis. The only program that needs BUILDKITE_API_TOKEN.\n${exitCodes}`,
  },
  lighttpd: {
    summary: 'the front: Lighttpd with our configuration',
    usage: '',
    help: `Listens on KITEMIRROR_LISTEN, serves the tree and hands on the rest.\n${exitCodes}`,
  },
};

/** Codes whose remedy is a setting, a package or a permission. */
const operatorsConcern: ReadonlySet<ErrorCode> = new Set(['ERR_CONFIG', 'ERR_PROGRAM_MISSING', 'ERR_UPSTREAM_DENIED']);

const io: Io = {
  say: (line) => void process.stdout.write(`${line}\n`),
  note: (line) => void process.stderr.write(`${line}\n`),
  isWatched: process.stderr.isTTY,
  get columns() {
    return process.stderr.columns;
  },
  redraw: (text) => void (process.stderr.isTTY && process.stderr.write(`\r\u001b[K${text}`)),
};

process.exitCode = await main(process.argv.slice(2));

async function main(words: readonly string[]): Promise<number> {
  const [name, ...rest] = words;
  const asksHelp = words.some((word) => word === '-h' || word === '--help');
  if (name === undefined || name === 'help' || name === '-h' || name === '--help') return help(rest[0] ?? null);
  if (name === '--version') return print(`kitemirror ${readVersion()}`);
  const program = own(programs, name);
  if (program !== undefined) return print(helpOf(name, program));
  const load = own(commands, name);
  if (load === undefined) return refuse(`there is no command "${name}"\n\n${await overview()}`);
  const command = await load();
  if (asksHelp) return print(helpOf(name, command));
  return run(command, rest);
}

function exitOf(code: ErrorCode): number {
  if (code === 'ERR_REQUEST_MALFORMED') return exit.usage;
  return operatorsConcern.has(code) ? exit.operator : exit.fault;
}

/** A word of the command line may be `constructor`. */
function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

async function help(name: string | null): Promise<number> {
  if (name !== null && !name.startsWith('-')) return main([name, '--help']);
  return process.argv.length > 2 ? print(await overview()) : refuse(`which command?\n\n${await overview()}`);
}

/** Runs one command; its faults become one line and an exit code. */
async function run(command: Command, args: readonly string[]): Promise<number> {
  let values: Values;
  let words: string[];
  try {
    const options = { json: { type: 'boolean', default: false }, ...command.options } as const;
    const parsed = parseArgs({ args: [...args], options, allowPositionals: command.takesWords === true });
    ({ values, positionals: words } = parsed);
  } catch (thrown) {
    return refuse(`${toMirrorError(thrown).message}\nUsage: kitemirror ${command.name} ${command.usage}`, command.name);
  }
  const ending: (() => unknown)[] = [];
  let settings: ReturnType<typeof parseConfig> | undefined;
  const stop = new AbortController();
  const onSignal = (): void => {
    // A second Ctrl-C does not wait for the step that is under way.
    if (stop.signal.aborted) process.exit(exit.interrupted);
    stop.abort();
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal);
  const context: CommandContext = {
    root,
    settings: () => (settings ??= parseConfig(readEnv(root), 'command', root)),
    values,
    words,
    io,
    signal: stop.signal,
    onEnd: (step) => ending.push(step),
  };
  try {
    return await recorded(command, context, args);
  } catch (thrown) {
    if (stop.signal.aborted) return exit.interrupted;
    const { code, message } = toMirrorError(thrown);
    // A script reads stdout: it is told there, too, by the code that does not change with the words.
    if (values['json'] === true) sayJson(io, { error: code, message });
    return refuse(message, command.name, exitOf(code));
  } finally {
    io.redraw('');
    for (const step of ending.toReversed()) await step();
  }
}

/** What broke off may have changed something as well. A change that is not on record is a fault. */
async function recorded(command: Command, context: CommandContext, args: readonly string[]): Promise<number> {
  let code: number | null = null;
  let isOnRecord = true;
  try {
    code = await command.run(context);
  } finally {
    await recordCommand(command, context, args, code).catch((thrown: unknown) => {
      isOnRecord = false;
      io.note(`kitemirror ${command.name}: this is not in the audit: ${toMirrorError(thrown).message}`);
    });
  }
  return isOnRecord ? code : exit.fault;
}

function refuse(fault: string, name?: string, code: number = exit.usage): number {
  io.note(`kitemirror${name === undefined ? '' : ` ${name}`}: ${fault}`);
  return code;
}

function print(text: string): number {
  io.say(text);
  return exit.ok;
}

function helpOf(name: string, { usage, help: text }: Pick<Program, 'usage' | 'help'>): string {
  return `Usage: kitemirror ${`${name} ${usage}`.trim()}\n\n${text}`;
}

async function overview(): Promise<string> {
  const all = await Promise.all(Object.entries(commands).map(async ([name, load]) => [name, await load()] as const));
  const rows = [...Object.entries(programs), ...all].map(([name, { summary }]) => `  ${name.padEnd(10)} ${summary}`);
  return `Usage: kitemirror COMMAND [--help]\n\n${rows.join('\n')}\n\nSettings come from the environment and .env; README.md lists them.`;
}

function readVersion(): string {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  return version;
}
