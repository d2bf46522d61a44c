/** A part of a long log as HTML. */
import { foldedHtml } from './folding.ts';
import type { LogIndex } from './index-format.ts';
import { lineHtml } from './line-html.ts';
import { type PartBounds, readLines } from './read-log.ts';

export interface PartQuestion extends PartBounds {
  readonly file: string;
  readonly index: LogIndex;
  /** The first line, from 1. */
  readonly from: number;
}

export interface LogPart {
  readonly html: string;
  /** How many lines it has: fewer where they are long. What follows them is another part's. */
  readonly shown: number;
}

/** More is no page that a browser shows at once. */
const mostHtml = 16 * 1024 * 1024;

/** @throws what the disk does */
export async function readPart({ file, index, ...bounds }: PartQuestion): Promise<LogPart> {
  const rows: string[] = [];
  let length = 0;
  for (const line of await readLines(file, index, bounds)) {
    if (length > mostHtml) break;
    const row = lineHtml(line, bounds.from + rows.length);
    length += row.length;
    rows.push(row);
  }
  return { html: foldedHtml(rows, bounds.from, index), shown: rows.length };
}
