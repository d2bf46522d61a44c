/** What xterm, a terminal that is not ours, shows of what is printed. */
import xterm from '@xterm/headless';
import { columnBehind } from '../../src/logs/columns.ts';

const esc = '\u001b';
/** Wider than any line of these tests becomes: xterm would break it there, and ours stays one. */
const columns = 2048;

/** Lines as xterm shows them, without what is blank at their ends and at the log's. */
export async function shownByXterm(text: string): Promise<string[]> {
  const terminal = new xterm.Terminal({
    cols: columns,
    rows: 100,
    scrollback: 5000,
    convertEol: true,
    allowProposedApi: true,
  });
  // xterm lets an APC end with ST alone; Buildkite's end with BEL.
  const readable = text.replaceAll(/(\u001b_[^\u0007\u001b]*)\u0007/g, `$1${esc}\\`);
  await new Promise<void>((resolve) => terminal.write(readable, resolve));
  const { active } = terminal.buffer;
  const lines = Array.from({ length: active.length }, (_, at) => active.getLine(at)?.translateToString(true) ?? '');
  terminal.dispose();
  return withoutBlankEnd(lines);
}

export function withoutBlankEnd(lines: string[]): string[] {
  let end = lines.length;
  while (end > 0 && lines[end - 1]?.trim() === '') end -= 1;
  return lines.slice(0, end).map((line) => line.trimEnd());
}

/** As a terminal shows it: a tab is the blanks up to the next column that is a multiple of eight. */
export function withoutTabs(line: string): string {
  const [first = '', ...rest] = line.split('\t');
  return rest.reduce((shown, part) => `${shown}${' '.repeat(8 - (columnBehind(shown, 0) % 8))}${part}`, first);
}
