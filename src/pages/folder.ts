/** The listing of a folder: what is in it, by name. */
import { kindOf } from '../reports/kind.ts';
import { counted, formatBytes, shortDigest } from './format.ts';
import { type Html, html } from './html.ts';
import { type Crumb, renderPage } from './layout.ts';

export interface ListedFolder {
  readonly name: string;
  readonly href: string;
  /** Files below it, at any depth; null where nobody counted. */
  readonly count: number | null;
  readonly bytes: number | null;
  /** What the name does not tell. */
  readonly note?: string;
}

export interface ListedFile {
  readonly name: string;
  readonly href: string;
  readonly size: number | null;
  readonly type: string | null;
  readonly sha256: string | null;
  /** Whether it has a page of its own. */
  readonly isArtifact?: boolean;
}

export interface FolderPage {
  readonly title: string;
  /** From the organization to this folder; the last but one is its parent. */
  readonly crumbs: readonly Crumb[];
  readonly folders: readonly ListedFolder[];
  readonly files: readonly ListedFile[];
  /** Where the listing goes on when this is a part of it. */
  readonly next?: string | null;
}

export function renderFolder({ title, crumbs, folders, files, next }: FolderPage): string {
  const parent = crumbs.at(-2);
  const up =
    parent !== undefined &&
    html`<tr><td class="whole" colspan="4"><a class="mono" href="${parent.href}" rel="up">../</a></td></tr>`;
  const isEmpty = folders.length + files.length === 0;
  const bytes = [...folders.map((folder) => folder.bytes), ...files.map((file) => file.size)].reduce<number>(
    (sum, size) => sum + (size ?? 0),
    0,
  );
  const parts = [
    folders.length > 0 && counted(folders.length, 'folder'),
    files.length > 0 && counted(files.length, 'file'),
    bytes > 0 && formatBytes(bytes),
  ];
  return renderPage({
    title,
    crumbs,
    body: html`<h1 class="mono"><bdi>${crumbs.at(-1)?.name ?? title}/</bdi></h1>
<p class="lead">${isEmpty ? 'This folder is empty.' : parts.filter((part) => part !== false).join(', ')}${files.some(({ name }) => kindOf(name) === 'image') && html` · <a href="?gallery">pictures</a>`}</p>
<div class="card scroll listing"><table class="stack"><thead><tr><th scope="col">Name</th><th scope="col" class="n">Size</th><th scope="col">Type</th><th scope="col">SHA-256</th></tr></thead>
<tbody>${up}${folders.toSorted(byName).map(folderRow)}${files.toSorted(byName).map(fileRow)}</tbody></table></div>
${typeof next === 'string' && html`<p class="actions"><a class="button" rel="next" href="${next}">More</a></p>`}`,
  });
}

function folderRow({ name, href, count, bytes, note }: ListedFolder): Html {
  return html`<tr><td class="whole"><a class="mono" href="${href}"><bdi>${name}/</bdi></a>${note !== undefined && html` <bdi class="quiet">${note}</bdi>`}</td><td class="n">${bytes !== null && formatBytes(bytes)}</td><td colspan="2" class="quiet">${
    count !== null && counted(count, 'file')
  }</td></tr>`;
}

function fileRow({ name, href, size, type, sha256, isArtifact }: ListedFile): Html {
  return html`<tr><td class="whole"><a class="mono" href="${href}"><bdi>${name}</bdi></a>${isArtifact === true && html` <a class="quiet" href="${href}?view" aria-label="view ${name}">view</a>`}</td><td class="n">${size !== null && formatBytes(size)}</td><td>${type}</td><td>${
    sha256 !== null && shortDigest(sha256)
  }</td></tr>`;
}

function byName(a: { name: string }, b: { name: string }): number {
  if (a.name === b.name) return 0;
  return a.name < b.name ? -1 : 1;
}
