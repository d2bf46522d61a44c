/** The end of a log that still grows as HTML: printed on the same terminal, and escaped alike, as a whole one. */
import { createIndexer } from './build-index.ts';
import { foldedHtml } from './folding.ts';
import { lineHtml } from './line-html.ts';

/** However short they are. */
const mostLines = 2000;

/** @param isWhole it is all that there is: then its lines have their numbers */
export function tailHtml(content: string, isWhole: boolean): string {
  const rows: string[] = [];
  const indexer = createIndexer((line, number) => rows.push(lineHtml(line, isWhole ? number : null)));
  indexer.write(Buffer.from(content));
  const index = indexer.finish();
  const last = index.groups.at(-1);
  const shown = rows.slice(-mostLines);
  // Where the next lines come is open.
  return foldedHtml(shown, rows.length - shown.length + 1, {
    ...index,
    groups: index.groups.map((group) => (group === last ? { ...group, open: true } : group)),
  });
}
