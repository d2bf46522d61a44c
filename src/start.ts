/**
 * `npm start`: the whole mirror on this machine, from the environment and `.env`, until it is told to end.
 * exit 0: ended in order · 1: something broke · 64: unknown option · 78: only an operator can mend it · 130: forced
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { describeExposure, exposureOf } from './config/exposure.ts';
import { loopbackNames } from './config/values.ts';
import { type Config, readEnv } from './config.ts';
import { toMirrorError } from './errors.ts';
import { createPrinter, type Printer } from './supervise/lines.ts';
import { leaveOnSignals } from './supervise/signals.ts';
import { type Stack, startStack } from './supervise/stack.ts';

const root = join(import.meta.dirname, '..');
const exit = { ended: 0, broken: 1, usage: 64, config: 78 };
const operatorsConcern: readonly string[] = [
  'ERR_CONFIG',
  'ERR_PROGRAM_MISSING',
  'ERR_QUEUE_UNSAFE',
  'ERR_TREE_UNSUITABLE',
];

process.exitCode = await main();

async function main(): Promise<number> {
  const options = readOptions();
  if (options === null) return exit.usage;
  try {
    return await run(options, readEnv(root));
  } catch (error) {
    return tell(error);
  }
}

async function run(options: { readonly json: boolean }, env: NodeJS.ProcessEnv): Promise<number> {
  const isText = process.stdout.isTTY && !options.json;
  const printer = createPrinter({
    write: (line) => process.stdout.write(`${line}\n`),
    format: isText ? 'text' : 'json',
    color: isText && !env.NO_COLOR,
    // The programs keep to KITEMIRROR_LOG_LEVEL themselves; what Redis calls debug is for those who ask for it.
    least: env.KITEMIRROR_LOG_LEVEL === 'debug' ? 'debug' : 'info',
  });
  const leave = leaveOnSignals();
  try {
    const stack = await startStack({ root, env, printer, signal: leave.signal });
    leave.forceWith(stack);
    announce(stack, printer);
    const fault = await Promise.race([stack.broken, leave.asked]);
    printer.say('info', 'ending: lighttpd, receiver and gateway, workers, redis');
    await stack.stop();
    if (fault !== undefined) return tell(fault);
    printer.say('info', 'ended');
    return exit.ended;
  } catch (error) {
    if (leave.signal.aborted) return exit.ended;
    throw error;
  }
}

function readOptions(): { json: boolean } | null {
  try {
    return parseArgs({ options: { json: { type: 'boolean', default: false } } }).values;
  } catch (error) {
    process.stderr.write(`start: ${toMirrorError(error).message}\nUsage: npm start [-- --json]\n`);
    return null;
  }
}

function announce({ config }: Stack, printer: Printer): void {
  for (const warning of addressWarnings(config)) printer.say('warn', warning);
  const exposure = exposureOf(config);
  printer.say(exposure.isOpen && exposure.beyond !== null ? 'warn' : 'info', describeExposure(exposure));
  printer.say('info', `ready: ${config.url.origin}/ (Ctrl-C ends it)`, { url: config.url.origin });
}

/** A loopback URL with another port than the one served is a slip; any other URL may well lead here by a proxy. */
function addressWarnings({ url, listen }: Config): string[] {
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80));
  const isLocal = loopbackNames.includes(url.hostname);
  if (!isLocal || port === listen.port) return [];
  return [`KITEMIRROR_URL is ${url.origin}, but Lighttpd listens on port ${listen.port}: links will lead elsewhere`];
}

function tell(thrown: unknown): number {
  const { code, message } = toMirrorError(thrown);
  process.stderr.write(`start: ${message}\n`);
  return operatorsConcern.includes(code) ? exit.config : exit.broken;
}
