/** The HTML reports of a build: folders with an index that people open, told apart by what their tools write. Pure. */

export interface HtmlReport {
  /** What wrote it, in words for a button. */
  readonly title: string;
  /** Its folder, with a slash at the end, or one page. */
  readonly path: string;
}

const mostReports = 24;
const indexName = 'index.html';

/** What the files beside an index tell of it; the first that fits. */
const tools: readonly { readonly title: string; readonly has: readonly RegExp[]; readonly name?: RegExp }[] = [
  { title: 'Playwright report', has: [/^(trace\/index\.html|data\/[0-9a-f]{40}\.\w+)$/], name: /playwright/i },
  { title: 'Allure report', has: [/^(widgets\/|data\/test-results\/|data\/test-cases\/)/], name: /allure/i },
  { title: 'Storybook', has: [/^iframe\.html$/, /^sb-(manager|addons|common-assets)\//], name: /storybook/i },
  {
    title: 'Coverage',
    has: [/^(block-navigation|prettify|coverage_html[\w]*)\.(js|css)$|^(amber|emerald)\.png$/],
    name: /coverage|lcov/i,
  },
  { title: 'Mochawesome report', has: [/^assets\/MaterialIcons-/], name: /mochawesome/i },
];

/**
 * @param paths of a build's merged view, or of one job
 * @returns the outermost folders that have an index of their own, and mochawesome's single page; the best known first
 */
export function findHtmlReports(paths: Iterable<string>): HtmlReport[] {
  const all = [...paths];
  const indexes = all.filter((path) => path === indexName || path.endsWith(`/${indexName}`));
  const folders = indexes.map((path) => path.slice(0, -indexName.length)).toSorted((a, b) => a.length - b.length);
  const root = folders[0] === '' ? titleOf('', all) : null;
  // A tool that wrote into the very root of the build's artifacts has other pages below it, which are its own.
  if (root !== null && root.rank < tools.length) return [{ title: root.title, path: '' }];
  const outermost = new Set<string>();
  for (const folder of folders) if (folder !== '' && outerOf(folder, outermost) === null) outermost.add(folder);
  const beside = Map.groupBy(all, (path) => outerOf(path, outermost));
  const found = Array.from(outermost, (path) => {
    const below = (beside.get(path) ?? []).map((each) => each.slice(path.length));
    return { ...titleOf(path, below), path };
  });
  const single = (beside.get(null) ?? [])
    .filter((path) => /(^|\/)mochawesome[^/]*\.html$/i.test(path))
    .map((path) => ({ title: 'Mochawesome report', rank: tools.length - 1, path }));
  const whole = root === null ? [] : [{ ...root, path: '' }];
  return [...found, ...single, ...whole]
    .toSorted((left, right) => left.rank - right.rank || (left.path < right.path ? -1 : 1))
    .slice(0, mostReports)
    .map(({ title, path }) => ({ title, path }));
}

/** The folder of these that the path is in. */
function outerOf(path: string, folders: ReadonlySet<string>): string | null {
  for (let cut = path.indexOf('/'); cut !== -1; cut = path.indexOf('/', cut + 1))
    if (folders.has(path.slice(0, cut + 1))) return path.slice(0, cut + 1);
  return null;
}

function titleOf(folder: string, beside: readonly string[]): { title: string; rank: number } {
  for (const [rank, { title, has }] of tools.entries())
    if (has.every((pattern) => beside.some((path) => pattern.test(path)))) return { title, rank };
  for (const [rank, { title, name }] of tools.entries()) if (name?.test(folder) === true) return { title, rank };
  const own = folder.split('/').at(-2);
  return { title: own === undefined ? 'Report' : own, rank: tools.length };
}
