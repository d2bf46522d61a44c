/** What the programs say, made readable: JSON lines become `time program level message key=value` for a person. */
import { styleText } from 'node:util';
import { inert } from '../log.ts';

export interface Printer {
  /** One line that a program wrote on stdout or stderr. */
  line(program: string, line: string): void;
  /** One line of the supervisor's own. */
  say(level: Level, message: string, fields?: Record<string, unknown>): void;
  /** From now on no line holds any of these values, whoever wrote it. */
  hide(values: () => readonly string[]): void;
}

const levels = ['debug', 'info', 'warn', 'error', 'fatal'] as const;
export type Level = (typeof levels)[number];

export interface PrinterOptions {
  /** Takes a line without its end. */
  readonly write: (line: string) => void;
  /** `json`: JSON lines, as log shippers want them. `text`: for a person. */
  readonly format: 'json' | 'text';
  readonly color: boolean;
  /** Lines below it are left out; lines that have no level always show. */
  readonly least?: Level;
}

/** A pino line. All that is not named here is a field of the program's own. */
interface Entry {
  readonly level?: string;
  readonly time?: string;
  readonly msg?: string;
  readonly [field: string]: unknown;
}

type Style = Parameters<typeof styleText>[0];
type Paint = (style: Style | undefined, text: string) => string;

const levelStyles: Record<string, Style> = { debug: 'dim', warn: 'yellow', error: 'red', fatal: ['red', 'bold'] };
const programStyles: readonly Style[] = ['cyan', 'magenta', 'green', 'blue', 'yellow'];
/** A value this short may be an ordinary word; hiding it would spoil more than it saves. */
const shortestHidden = 6;

export function createPrinter({ write, format, color, least = 'debug' }: PrinterOptions): Printer {
  const styles = new Map<string, Style>();
  let hidden = (): readonly string[] => [];
  const paint: Paint = (style, text) =>
    color && style !== undefined ? styleText(style, text, { validateStream: false }) : text;

  function styleOf(program: string): Style | undefined {
    if (!styles.has(program)) styles.set(program, programStyles[styles.size % programStyles.length] ?? 'cyan');
    return styles.get(program);
  }

  function print(program: string, entry: Entry): void {
    if (levels.some((level, index) => level === entry.level && index < levels.indexOf(least))) return;
    const clock = paint('dim', new Date(entry.time ?? Date.now()).toTimeString().slice(0, 8));
    const line =
      format === 'json'
        ? JSON.stringify({ ...entry, program })
        : `${clock} ${paint(styleOf(program), program.padEnd(8))} ${describe(entry, paint)}`;
    const values = hidden().filter((value) => value.length >= shortestHidden);
    write(values.reduce((text, value) => text.replaceAll(value, '[secret]'), line));
  }

  const now = (): string => new Date().toISOString();
  return {
    line(program, line) {
      if (line.trim() !== '') print(program, parseEntry(line) ?? { time: now(), msg: line });
    },
    say: (level, message, fields = {}) => print('start', { level, time: now(), ...fields, msg: message }),
    hide: (values) => (hidden = values),
  };
}

/** A program's line without colour, time and name. */
export function readable(line: string): string {
  const entry = parseEntry(line);
  return entry === null ? inert(line) : describe(entry, (_, text) => text);
}

function describe(entry: Entry, paint: Paint): string {
  const { time: _time, program: _program, level = '', msg = '', ...fields } = entry;
  const words = [paint(levelStyles[level], level.padEnd(5)), paint(levelStyles[level], inert(msg))];
  // A list of faults and a stack have lines of their own.
  const below: string[] = [];
  for (const [key, value] of Object.entries(fields)) {
    if (typeof value === 'string' && value.includes('\n')) below.push(`${key}:\n${value}`);
    else words.push(paint('dim', `${key}=`) + plain(value));
  }
  return [
    words.join(' ').trimEnd(),
    ...below.flatMap((each) => each.split('\n')).map((line) => `      ${inert(line)}`),
  ].join('\n');
}

function parseEntry(line: string): Entry | null {
  if (!line.startsWith('{')) return null;
  try {
    const value = JSON.parse(line) as Record<string, unknown>;
    const isEntry = ['level', 'time', 'msg'].every((key) => typeof value[key] === 'string');
    return isEntry && !Number.isNaN(Date.parse(String(value.time))) ? value : null;
  } catch {
    // Some program's own text that happens to begin with a brace: shown as it is.
    return null;
  }
}

/** Text without blanks as it is, everything else as JSON: so the end of a value is always plain to see. */
function plain(value: unknown): string {
  return inert(typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value));
}
