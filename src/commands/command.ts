/** What a command of `bin/kitemirror` is, and what it is given. Commands are run by src/cli.ts. */
import type { ParseArgsOptionsConfig } from 'node:util';
import type { Config, Secrets } from '../config.ts';

/** Exit codes of every command; a command documents what else it returns. */
export const exit = {
  /** Done, and all is well. */
  ok: 0,
  /** Done or broken off, and something is not well: what, is printed. */
  fault: 1,
  /** No such command, option or argument, or one that cannot be right (ERR_REQUEST_MALFORMED). */
  usage: 64,
  /** Only an operator can mend it: a setting, a program, a permission. */
  operator: 78,
  /** Broken off by Ctrl-C. */
  interrupted: 130,
} as const;

export type Values = Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>;

export interface CommandContext {
  /** The project's own folder. */
  readonly root: string;
  /** Read and checked when it is first asked for; throws ERR_CONFIG. */
  readonly settings: () => { readonly config: Config; readonly secrets: Secrets };
  /** By the names of the command's options; `json` is always there. */
  readonly values: Values;
  readonly words: readonly string[];
  readonly io: Io;
  /** Aborted by Ctrl-C and SIGTERM: long work ends at its next step and says how far it got. */
  readonly signal: AbortSignal;
  /** Run when the command has ended, however it ended; the last one first. */
  readonly onEnd: (step: () => unknown) => void;
}

export interface Io {
  /** A line of the answer, on stdout. */
  readonly say: (line: string) => void;
  /** A line beside the answer, on stderr: progress, warnings. */
  readonly note: (line: string) => void;
  /** Whether a person is watching stderr: then there may be a progress bar, and colours. */
  readonly isWatched: boolean;
  /** The width of the terminal that is watched. */
  readonly columns: number;
  /** Redraws the last line of stderr; an empty text removes it. Does nothing unless watched. Progress: src/commands/progress.ts */
  readonly redraw: (text: string) => void;
}

export interface Command {
  readonly name: string;
  /** One line of the overview. */
  readonly summary: string;
  /** After `kitemirror NAME`: `[--check] [--json]`. */
  readonly usage: string;
  /** What it does, each option, each exit code. */
  readonly help: string;
  /** `json` and `help` are every command's and not named here. */
  readonly options?: ParseArgsOptionsConfig;
  /** Whether words may stand beside the options. */
  readonly takesWords?: boolean;
  /** Whether it would change anything of the mirror or at Buildkite, asked so: then it is on record. */
  readonly changes: (asked: Pick<CommandContext, 'words' | 'values'>) => boolean;
  /** @returns the exit code; what it throws is printed by its message, with the code that its ErrorCode means */
  readonly run: (context: CommandContext) => Promise<number>;
}

/** One JSON object on one line, for scripts. */
export function sayJson(io: Io, value: unknown): void {
  io.say(JSON.stringify(value));
}
