/** Reads a page the way a test wants to. */

const named: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  '#39': "'",
  nbsp: ' ',
  ensp: ' ',
};

function decode(text: string): string {
  return text.replaceAll(/&([#\w]+);/g, (all, name: string) => named[name] ?? all);
}

/** What a person reads, one space between things. */
export function textOf(page: string): string {
  const body = page.slice(page.indexOf('<body'));
  return decode(body.replaceAll(/<[^>]*>/g, ' ')).replaceAll(/\s+/g, ' ');
}

export function hrefsOf(page: string): string[] {
  return Array.from(page.matchAll(/ href="([^"]*)"/g), ([, href = '']) => decode(href));
}
