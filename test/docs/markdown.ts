/** Just enough of Markdown to compare the documents with the code. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '..', '..');

/** Relative to the project's folder. */
export const documents: readonly string[] = globSync(['*.md', 'docs/**/*.md'], { cwd: root }).toSorted();

export function readDocument(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

/** The rows of the table that follows `<!-- name -->`, cell by cell, without its head. */
export function tableAfter(text: string, name: string): string[][] {
  const [, rest] = text.split(`<!-- ${name} -->\n`);
  if (rest === undefined) throw new Error(`there is no table "${name}"`);
  const end = rest.indexOf('\n\n');
  const lines = rest.slice(0, end === -1 ? undefined : end).split('\n');
  return lines.slice(2).map((line) => {
    const cells = line.split(/(?<!\\)\|/).slice(1, -1);
    return cells.map((cell) => cell.trim());
  });
}

/** What stands in backticks, in order. */
export function codeIn(text: string): string[] {
  return Array.from(text.matchAll(/`([^`\n]+)`/g), ([, code = '']) => code);
}

/** Fenced blocks and code spans: where commands stand. */
export function codeOf(text: string): string[] {
  const fenced = Array.from(text.matchAll(/^```.*\n([^]*?)^```/gm), ([, block = '']) => block);
  return [...fenced, ...codeIn(withoutFences(text))];
}

export function withoutFences(text: string): string {
  return text.replaceAll(/^```[^]*?^```$/gm, '');
}

/** Where links and pictures lead. */
export function linksOf(text: string): string[] {
  const prose = withoutFences(text).replaceAll(/`[^`\n]+`/g, '');
  return Array.from(prose.matchAll(/\]\(([^)\s]+)\)/g), ([, target = '']) => target);
}

/** The names by which a document's headings can be linked to, as GitHub makes them. */
export function anchorsOf(text: string): Set<string> {
  const headings = Array.from(withoutFences(text).matchAll(/^#+ +(.+)$/gm), ([, title = '']) => title);
  const slugs = headings.map((title) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
  return new Set(slugs);
}
