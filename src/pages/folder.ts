/** The listing of a folder: what is in it, by name. */
import { kindOf } from '../reports/kind.ts';
import { type FileLine, type FolderLine, fileLine, folderLine } from './files.ts';
import { counted, formatBytes, formatCount } from './format.ts';
import { type Html, html, raw } from './html.ts';
import { type Crumb, renderPage } from './layout.ts';

export interface FolderPage {
  readonly title: string;
  /** From the organization to this folder; the last but one is its parent. */
  readonly crumbs: readonly Crumb[];
  readonly folders: readonly FolderLine[];
  readonly files: readonly FileLine[];
  /** Where the listing goes on, or where all is that only the beginning is shown of. */
  readonly next?: string | null;
  /** Lines that come there. */
  readonly left?: number;
  /** Whether other pages have lines of this folder too: then a filter has to ask for them. */
  readonly isPart?: boolean;
  /** What is looked for in this folder and all below it. */
  readonly match?: string;
  /** Where all of the folder can be had as one file. */
  readonly archive?: string;
}

export function renderFolder(page: FolderPage): string {
  const { title, crumbs, folders, files, next, match, archive } = page;
  const parent = crumbs.at(-2);
  const up =
    parent !== undefined &&
    match === undefined &&
    html`<li class="leaf folder" data-up><a class="mono" href="${parent.href}" rel="up">../</a></li>`;
  const isEmpty = folders.length + files.length === 0;
  return renderPage({
    title,
    crumbs,
    body: html`<div class="head"><h1 class="mono"><bdi>${crumbs.at(-1)?.name ?? title}/</bdi></h1>${
      archive !== undefined &&
      !isEmpty &&
      html`<span class="end"><a class="button" href="${archive}" download>Download folder</a></span>`
    }</div>
<p class="lead">${contents(folders, files, match, typeof next === 'string')}${files.some(({ name }) => kindOf(name) === 'image') && html` · <a href="?gallery">pictures</a>`}</p>
<div class="card listing">
<form class="tree-tools" method="get" action="./" role="search"${page.isPart === true && raw(' data-more')}><input type="hidden" name="list" value=""><input name="match" value="${match ?? ''}" placeholder="Filter by name" aria-label="Filter by name" maxlength="200" autocomplete="off" spellcheck="false"${
      match === undefined && html` data-filter="listing"`
    }><button type="submit">Find below</button>${match !== undefined && html`<a class="button" href="./?list">Clear</a>`}</form>
<div class="tree"><ul id="listing">${up}${folders.toSorted(byName).map((folder) => folderLine(folder, false))}${files
      .toSorted(byName)
      .map(fileLine)}</ul></div></div>
${typeof next === 'string' && html`<div class="actions"><a class="button" rel="next" href="${next}">${goingOn(page)}</a></div>`}`,
  });
}

function goingOn({ match, files, left }: FolderPage): string {
  if (match !== undefined) return `Only the first ${formatCount(files.length)} are shown: list the folder`;
  return left === undefined ? 'More' : `${formatCount(left)} more`;
}

function contents(
  folders: readonly FolderLine[],
  files: readonly FileLine[],
  match: string | undefined,
  isPart: boolean,
): Html | string {
  const isEmpty = folders.length + files.length === 0;
  if (match !== undefined) {
    return isEmpty
      ? html`Nothing below this folder has <bdi class="mono">${match}</bdi> in its path.`
      : html`${isPart && 'The first '}${counted(files.length, 'file')} with <bdi class="mono">${match}</bdi> in the path`;
  }
  if (isEmpty) return 'This folder is empty.';
  const sizes = [...folders.map((folder) => folder.bytes), ...files.map((file) => file.size)];
  const bytes = sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0);
  const parts = [
    folders.length > 0 && counted(folders.length, 'folder'),
    files.length > 0 && counted(files.length, 'file'),
    bytes > 0 && formatBytes(bytes),
  ];
  return parts.filter((part) => part !== false).join(', ');
}

function byName(a: { name: string }, b: { name: string }): number {
  if (a.name === b.name) return 0;
  return a.name < b.name ? -1 : 1;
}
