/**
 * A log as plain text: what a terminal would have shown of each line, without colours. Buildkite's time stamps
 * (APC `ESC _ bk;t=… BEL`), colours, titles and links are left out; carriage returns and erasures take effect.
 * Cursor moves between lines are not followed.
 */

export interface PlainLog {
  /** Lines by \n. */
  readonly text: string;
  /** Whether lines before these were left out. */
  readonly truncated: boolean;
  /** The number of the first line in the whole log, from 1. */
  readonly firstLine: number;
}

export interface LogBounds {
  readonly lines: number;
  readonly bytes: number;
}

const defaultBounds: LogBounds = { lines: 5000, bytes: 1024 * 1024 };
const newline = 0x0a;

/** The end of a log, in constant memory. Reads all of it, to know the lines' numbers. */
export async function plainLog(chunks: AsyncIterable<Buffer>, bounds: LogBounds = defaultBounds): Promise<PlainLog> {
  let kept: Buffer[] = [];
  let keptBytes = 0;
  let total = 0;
  let newlines = 0;
  for await (const chunk of chunks) {
    total += chunk.length;
    newlines += countNewlines(chunk);
    kept.push(chunk);
    keptBytes += chunk.length;
    // Twice the bound, so that joining costs each byte a constant number of copies.
    if (keptBytes > 2 * bounds.bytes) {
      kept = [Buffer.from(Buffer.concat(kept).subarray(-bounds.bytes - 1))];
      keptBytes = bounds.bytes + 1;
    }
  }
  const tail = Buffer.concat(kept);
  const start = startOfTail(tail, bounds, tail.length < total);
  const shown = tail.subarray(start);
  return {
    text: plainText(new TextDecoder().decode(shown)),
    truncated: start > 0 || tail.length < total,
    firstLine: newlines - countNewlines(shown) + 1,
  };
}

/** Where the last lines begin that fit. Half a line at the front is left out, unless it is all there is. */
function startOfTail(tail: Buffer, { lines, bytes }: LogBounds, isCut: boolean): number {
  let start = Math.max(0, tail.length - bytes);
  if ((start > 0 || isCut) && !(start > 0 && tail[start - 1] === newline)) {
    const next = tail.indexOf(newline, start);
    if (next !== -1 && next < tail.length - 1) start = next + 1;
  }
  let from = tail.length - 1;
  for (let left = lines; left > 0 && from > start; left -= 1) {
    const found = tail.lastIndexOf(newline, from - 1);
    if (found < start) return start;
    from = found;
  }
  return from > start ? from + 1 : start;
}

function countNewlines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, at + 1)) count += 1;
  return count;
}

/** Without any control character but tabs. */
const isPlainLine = /^[\t\P{Cc}]*$/u;

export function plainText(text: string): string {
  return text
    .split('\n')
    .map((line) => {
      const trimmed = line.replace(/\r+$/, '');
      return isPlainLine.test(trimmed) ? trimmed : replay(trimmed);
    })
    .join('\n');
}

/**
 * One escape sequence, or one character. Strings (OSC, APC, DCS, PM, SOS) end with BEL or ST; one that never ends takes
 * the rest of the line along, as it would in a terminal.
 */
const token = tokens();
/** Further right nothing is drawn over: keeps a hostile line from costing more than its length. */
const widest = 4096;

/** What one line looks like after all that was written over it. */
function replay(line: string): string {
  let cells: string[] = [];
  let column = 0;
  for (const [all, parameters, final, character] of line.matchAll(token)) {
    if (character !== undefined) {
      if (character === '\r') column = 0;
      else if (character === '\b') column = Math.max(0, column - 1);
      else if (character === '\t' || !/\p{Cc}/u.test(character)) cells[column++] = character;
    } else if (final === 'K') {
      if (erases(parameters, column, cells.length)) cells = [];
      else if (parameters === '' || parameters === '0') cells.length = Math.min(cells.length, column);
    } else if (final !== undefined && all.length > 1) {
      column = moved(column, final, parameters ?? '');
    }
  }
  return Array.from(cells, (cell) => cell ?? ' ')
    .join('')
    .trimEnd();
}

/** "All of the line", or "up to here" where that is all of it. */
function erases(parameters: string | undefined, column: number, length: number): boolean {
  return parameters === '2' || (parameters === '1' && column >= length);
}

function moved(column: number, final: string, parameters: string): number {
  const count = Math.min(widest, Math.max(1, Number.parseInt(parameters, 10) || 1));
  if (final === 'G') return count - 1;
  if (final === 'C') return Math.max(column, Math.min(widest, column + count));
  if (final === 'D') return Math.max(0, column - count);
  return column;
}

function tokens(): RegExp {
  const [bel, esc, st] = ['\u0007', '\u001b', '\u009c'];
  const controlSequence = `(?:${esc}\\[|\u009b)([0-?]*)[ -/]*([@-~]?)`;
  const text = `(?:${esc}[\\]_P^X]|[\u009d\u009f\u0090\u009e\u0098])[^${bel}${esc}${st}]*(?:${bel}|${esc}\\\\|${st})?`;
  return new RegExp(`${controlSequence}|${text}|${esc}[ -/]*[0-~]?|([^])`, 'gu');
}
