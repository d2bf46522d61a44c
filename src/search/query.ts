/** What a person types into the search, as FTS5 wants it. Nothing of it reaches SQLite but as quoted words. Pure. */

/** Columns of the index, in their order; `kind` comes behind them. */
export const fields = ['about', 'jobs', 'paths', 'tests', 'lines'] as const;
export type Field = (typeof fields)[number];
const anyField = `{${fields.join(' ')}}`;

export interface ParsedQuery {
  readonly match: string;
  readonly state: string | null;
  readonly pipeline: string | null;
}

const prefixes: Readonly<Record<string, Field>> = {
  job: 'jobs',
  path: 'paths',
  file: 'paths',
  test: 'tests',
  log: 'lines',
  line: 'lines',
};
const mostTerms = 12;

/**
 * Words all of which must be there, the beginning of one is enough; "quoted words" in their order; `path:`, `test:`,
 * `log:`, `job:` look in one field, `state:` and `pipeline:` choose builds, also alone.
 * @returns null where nothing is left to look for
 */
export function parseQuery(text: string): ParsedQuery | null {
  const terms: string[] = [];
  let state: string | null = null;
  let pipeline: string | null = null;
  for (const [, prefix, quoted, word] of text.matchAll(/(?:([a-z]+):)?(?:"([^"]*)"|([^\s"]+))/g)) {
    const value = quoted ?? word ?? '';
    if (prefix === 'state') state = value;
    else if (prefix === 'pipeline') pipeline = value;
    else {
      const field = prefix === undefined ? undefined : prefixes[prefix];
      const whole = prefix !== undefined && field === undefined ? `${prefix}:${value}` : value;
      const term = termOf(whole, quoted === undefined);
      if (term !== null && terms.length < mostTerms) terms.push(`${field ?? anyField} : ${term}`);
    }
  }
  // The index itself finds the few builds of a rare kind; looking at each that has the words would take long.
  const kinds = [
    ['state', state],
    ['pipeline', pipeline],
  ].flatMap(([name, value]) => (value === null ? [] : [`kind : ${termOf(`${name} ${value}`, false)}`]));
  if (terms.length + kinds.length === 0) return null;
  return { match: [...terms, ...kinds].join(' AND '), state, pipeline };
}

/** What the column `kind` says of a build, of which `state:` and `pipeline:` ask. */
export function kindText(state: string, folder: string): string {
  return `state ${state}\npipeline ${folder}`;
}

/** A word that holds no letter or digit matches nothing, and would make the whole question match nothing. */
function termOf(text: string, mayContinue: boolean): string | null {
  const words = text.match(/[\p{L}\p{N}]+/gu);
  if (words === null) return null;
  const last = words.at(-1) ?? '';
  // A single letter begins too many words to look through them all.
  return `"${words.join(' ')}"${mayContinue && last.length > 1 ? '*' : ''}`;
}
