/** A log printed on a terminal, as text and as HTML. */
import { type Line, lineHtml, textOf } from '../../src/logs/line-html.ts';
import { Terminal } from '../../src/logs/terminal.ts';

export function linesOf(text: string): Line[] {
  const lines: Line[] = [];
  const terminal = new Terminal((row) => lines.push({ runs: row.runs(), time: row.time }));
  terminal.feed(text);
  terminal.finish();
  return lines;
}

/** Without what is blank at the end of a line. */
export function textsOf(text: string): string[] {
  return linesOf(text).map(({ runs }) => textOf(runs).trimEnd());
}

export function htmlOf(text: string): string {
  return linesOf(text)
    .map((line, at) => lineHtml(line, at + 1))
    .join('');
}
