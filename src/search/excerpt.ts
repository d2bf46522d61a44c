/** What of a long text is shown of a match: the lines that hold most of it, each short. Pure. */

/** Around what was found in the text of a match. */
export const [found, foundEnd] = ['\u0001', '\u0002'] as const;

const mostLines = 3;
const longestLine = 160;
/** Before the first word that was found, where a line is cut. */
const lead = 40;

/** @param marked a text of which all that was found is marked @returns null where nothing is */
export function excerptOf(marked: string): string | null {
  const lines = marked.split('\n').filter((line) => line.includes(found));
  if (lines.length === 0) return null;
  // Stable: of lines that hold as much, the first.
  const telling = lines.toSorted((one, other) => marksIn(other) - marksIn(one)).slice(0, mostLines);
  return telling.map(cut).join('\n');
}

function marksIn(line: string): number {
  return line.split(found).length;
}

function cut(line: string): string {
  if (line.length <= longestLine) return line;
  const first = Math.max(0, line.indexOf(found) - lead);
  // At the beginning of a word where there is one, so that the cut is no part of what it shows.
  const word = first === 0 ? 0 : line.slice(first, first + lead).search(/\s/) + 1;
  const start = first + word;
  const part = line.slice(start, start + longestLine);
  const isOpen = part.lastIndexOf(found) > part.lastIndexOf(foundEnd);
  const isWhole = start + longestLine >= line.length;
  return `${start === 0 ? '' : '…'}${part}${isOpen ? foundEnd : ''}${isWhole ? '' : '…'}`.toWellFormed();
}
