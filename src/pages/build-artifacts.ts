/** The merged view as a tree that folds, bounded: what does not fit is a link to its listing. */
import type { ViewEntry } from '../model.ts';
import type { JobDetails } from './details.ts';
import { counted, formatBytes, formatCount } from './format.ts';
import { type Html, html, raw } from './html.ts';
import { pathHref } from './links.ts';
import { filesText } from './parts.ts';

/** Lines of the tree; a page with more is slow to open and nobody reads it. */
const shownLines = 400;
/** A tree this small is shown unfolded. */
const openBelow = 30;

interface Folder {
  readonly name: string;
  readonly path: string;
  readonly folders: Map<string, Folder>;
  readonly files: ViewEntry[];
  count: number;
  bytes: number;
}

export function renderArtifacts(merged: readonly ViewEntry[], details: ReadonlyMap<string, JobDetails>): Html {
  const note = elsewhere([...details.values()]);
  if (merged.length === 0) return html`<h2>Artifacts</h2><div class="card empty">No artifacts.</div>${note}`;
  const root = treeOf(merged);
  return html`<h2>Artifacts <small>${filesText(root.count, root.bytes)} · <a href="artifacts/?list">list</a></small></h2>
<div class="card tree"><ul>${lines(root, { left: shownLines, open: merged.length <= openBelow })}</ul></div>${note}`;
}

/** What was mirrored and is not in the tree. */
function elsewhere(details: readonly JobDetails[]): Html | null {
  const outranked = details.reduce((sum, job) => sum + job.outranked, 0);
  const unnamed = details.reduce((sum, job) => sum + job.unnamed, 0);
  if (outranked + unnamed === 0) return null;
  return html`<p class="quiet">${
    outranked > 0 &&
    html`${counted(outranked, 'more file')} ${outranked === 1 ? 'has' : 'have'} the same path as one shown here: of each path the job that finished last is shown. `
  }${
    unnamed > 0 &&
    html`${counted(unnamed, 'more file')} ${unnamed === 1 ? 'has a path' : 'have paths'} that no folder can hold. `
  }These are on their jobs’ pages.</p>`;
}

function treeOf(entries: readonly ViewEntry[]): Folder {
  const root = folderAt('');
  for (const entry of entries) {
    let folder = root;
    const parts = entry.path.split('/');
    for (const name of parts.slice(0, -1)) {
      folder.count += 1;
      folder.bytes += entry.size;
      folder = childOf(folder, name);
    }
    folder.count += 1;
    folder.bytes += entry.size;
    folder.files.push(entry);
  }
  return root;
}

function childOf(folder: Folder, name: string): Folder {
  const known = folder.folders.get(name);
  if (known !== undefined) return known;
  const child = folderAt(`${folder.path}${name}/`, name);
  folder.folders.set(name, child);
  return child;
}

function folderAt(path: string, name = ''): Folder {
  return { name, path, folders: new Map(), files: [], count: 0, bytes: 0 };
}

interface Budget {
  left: number;
  readonly open: boolean;
}

/** Folders first. A folder that does not fit as a whole becomes a link; files that do not fit, one line. */
function lines(folder: Folder, budget: Budget): Html[] {
  const out: Html[] = [];
  const folders = [...folder.folders.values()].toSorted((a, b) => compare(a.name, b.name));
  budget.left -= folders.length + Math.min(folder.files.length, budget.left);
  for (const child of folders.slice(0, shownLines)) out.push(folderLine(child, budget));
  const files = folder.files.toSorted((a, b) => compare(a.path, b.path));
  const fitting = files.slice(0, shownLines);
  for (const file of fitting) out.push(fileLine(file));
  const rest = files.length - fitting.length + Math.max(0, folders.length - shownLines);
  if (rest > 0) out.push(html`<li class="leaf"><a href="${listing(folder)}">${formatCount(rest)} more</a></li>`);
  return out;
}

function folderLine(folder: Folder, budget: Budget): Html {
  const size = html`<span class="quiet">${filesText(folder.count, folder.bytes)}</span>`;
  if (folder.count > budget.left) {
    return html`<li class="leaf"><a class="mono" href="${listing(folder)}"><bdi>${folder.name}/</bdi></a> ${size}</li>`;
  }
  const hasIndex = folder.files.some(({ path }) => path === `${folder.path}index.html`);
  const side = html`<span class="side">${
    hasIndex && html`<a href="artifacts/${pathHref(folder.path)}">open index.html</a>`
  }<a href="${listing(folder)}">list</a></span>`;
  return html`<li>${side}<details${budget.open && raw(' open')}><summary><bdi class="mono">${folder.name}/</bdi> ${size}</summary><ul>${lines(folder, budget)}</ul></details></li>`;
}

function fileLine(file: ViewEntry): Html {
  const name = file.path.slice(file.path.lastIndexOf('/') + 1);
  return html`<li class="leaf"><a class="mono" href="artifacts/${pathHref(file.path)}"><bdi>${name}</bdi></a><span class="quiet">${formatBytes(file.size)}</span><span class="quiet">${file.mimeType}</span></li>`;
}

function listing(folder: Folder): string {
  return `artifacts/${pathHref(folder.path)}?list`;
}

/** By code unit: the same on every machine, and quick. */
function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
