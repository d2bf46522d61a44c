/** One logger factory. Secrets never reach it (their type hides them); paths that could carry one are redacted as a second wall. */
import { type Logger, pino } from 'pino';
import { type ErrorCode, MirrorError, policyOf, toMirrorError } from './errors.ts';
import { lineWriter } from './line-writer.ts';

export type Log = Logger;

/** JSON lines on stdout; `program` tells whose. */
export function createLog(program: string, level: string): Log {
  const options = {
    level,
    base: { program },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: ['token', 'authorization', 'headers.authorization', 'location', '*.token'], censor: '[secret]' },
  };
  return pino(options, lineWriter());
}

/** Logs an error once, at its code's level; a bug also with its stack. */
export function logError(log: Log, thrown: unknown, message: string, fields: Record<string, unknown> = {}): void {
  const error = toMirrorError(thrown);
  const { level } = policyOf(error.code);
  const bug: ErrorCode = 'ERR_INTERNAL';
  const cause = error.cause instanceof Error ? error.cause : undefined;
  log[level](
    {
      ...fields,
      code: error.code,
      error: error.message,
      ...error.details,
      ...(error.code === bug ? { stack: (cause ?? error).stack } : {}),
      ...(cause !== undefined && error.code !== bug && !(cause instanceof MirrorError) ? { cause: cause.message } : {}),
    },
    message,
  );
}

/** Why a program does not start: a configuration's faults as the list that a person reads, all else as a line of the log. */
export function logRefusal(log: Log, thrown: unknown, message: string): void {
  const error = toMirrorError(thrown);
  if (error.code === 'ERR_CONFIG') process.stderr.write(`${message}: ${error.message}\n`);
  else logError(log, thrown, message);
}

/** Names come from other people's builds: no control character of theirs reaches the terminal. */
export function inert(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
