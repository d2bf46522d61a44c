/** The end of a log that still grows as HTML: printed on the same terminal, and escaped alike, as a whole one. */
import { createIndexer } from './build-index.ts';
import { foldedHtml } from './folding.ts';
import { type Line, lineHtml } from './line-html.ts';

/** However short they are. */
const mostLines = 2000;
/** Of their HTML: it is sent anew every few seconds, to each who watches. */
const mostHtml = 2 * 1024 * 1024;

/** @param isWhole it is all that there is: then its lines have their numbers */
export function tailHtml(content: string, isWhole: boolean): string {
  const lines: Line[] = [];
  const indexer = createIndexer((line) => void lines.push(line));
  indexer.write(Buffer.from(content));
  const index = indexer.finish();
  const last = index.groups.at(-1);
  const shown = lastOf(lines, isWhole);
  const before = lines.length - shown.length;
  // Where the next lines come is open.
  const folded = foldedHtml(shown, before + 1, {
    ...index,
    groups: index.groups.map((group) => (group === last ? { ...group, open: true } : group)),
  });
  return before === 0 ? folded : left(before) + folded;
}

/** HTML of the last lines, of at least one. */
function lastOf(lines: readonly Line[], areNumbered: boolean): string[] {
  const rows: string[] = [];
  let length = 0;
  for (const line of lines.slice(-mostLines).toReversed()) {
    if (length > mostHtml) break;
    const row = lineHtml(line, areNumbered ? lines.length - rows.length : null);
    length += row.length;
    rows.push(row);
  }
  return rows.toReversed();
}

function left(count: number): string {
  const lines = count === 1 ? 'line' : 'lines';
  return `<div class="line"><span><i class="cut">${count.toLocaleString('en-US')} ${lines} before these not shown</i></span></div>`;
}
