/** The merged view as a tree that folds, bounded: a folder that does not fit comes when it is opened, or as a listing. */
import type { ViewEntry } from '../model.ts';
import type { JobDetails } from './details.ts';
import { fileLine, folderLine } from './files.ts';
import { counted, formatCount } from './format.ts';
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

/** @param collisions how many files of other jobs have the path of one that is shown */
export function renderArtifacts(
  merged: readonly ViewEntry[],
  details: ReadonlyMap<string, JobDetails>,
  collisions: ReadonlyMap<string, number>,
): Html {
  const note = elsewhere([...details.values()]);
  if (merged.length === 0)
    return html`<h2 id="artifacts">Artifacts</h2><div class="card empty">No artifacts.</div>${note}`;
  const root = treeOf(merged);
  const budget = { left: shownLines, open: merged.length <= openBelow, collisions, isWhole: true };
  const tree = lines(root, budget);
  return html`<h2 id="artifacts">Artifacts <small>${filesText(root.count, root.bytes)}</small><span class="end"><a href="artifacts/?list">list</a><a href="artifacts/?archive" download>download all</a></span></h2>
<div class="card"><form class="tree-tools" role="search" method="get" action="artifacts/"${!budget.isWhole && raw(' data-more')}><input type="hidden" name="list" value=""><input name="match" placeholder="Filter by path" aria-label="Filter artifacts by path" maxlength="200" autocomplete="off" spellcheck="false" data-filter="tree"><button type="submit">Find</button></form>
<div class="tree"><ul id="tree">${tree}</ul></div></div>${note}`;
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
  readonly collisions: ReadonlyMap<string, number>;
  /** Until something does not fit: folders take lines too, so that the number of files does not tell. */
  isWhole: boolean;
}

/** Folders first. A folder that does not fit as a whole comes when it is opened; files that do not fit, one line. */
function lines(folder: Folder, budget: Budget): Html[] {
  const out: Html[] = [];
  const folders = [...folder.folders.values()].toSorted((a, b) => compare(a.name, b.name));
  budget.left -= folders.length + Math.min(folder.files.length, budget.left);
  for (const child of folders.slice(0, shownLines)) out.push(childLine(child, budget));
  const files = folder.files.toSorted((a, b) => compare(a.path, b.path));
  const fitting = files.slice(0, shownLines);
  for (const file of fitting) out.push(leaf(file, budget.collisions.get(file.path)));
  const rest = files.length - fitting.length + Math.max(0, folders.length - shownLines);
  if (rest === 0) return out;
  budget.isWhole = false;
  return [...out, html`<li class="leaf folder"><a href="${listing(folder)}">${formatCount(rest)} more</a></li>`];
}

function childLine(folder: Folder, budget: Budget): Html {
  const { name, count, bytes } = folder;
  if (count > budget.left) {
    budget.isWhole = false;
    return folderLine({ name, href: listing(folder), count, bytes }, true);
  }
  const hasIndex = folder.files.some(({ path }) => path === `${folder.path}index.html`);
  const side = html`<span class="side">${
    hasIndex && html`<a href="artifacts/${pathHref(folder.path)}?open">open report</a>`
  }<a href="${listing(folder)}" aria-label="List ${name}">list</a></span>`;
  return html`<li>${side}<details${budget.open && raw(' open')}><summary><bdi class="mono">${name}/</bdi> <span class="count quiet">${filesText(count, bytes)}</span></summary><ul>${lines(folder, budget)}</ul></details></li>`;
}

function leaf({ path, size, mimeType, sha256 }: ViewEntry, others: number | undefined): Html {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const href = `artifacts/${pathHref(path)}`;
  return fileLine({ name, path, href, size, type: mimeType, sha256, ...(others !== undefined && { others }) });
}

function listing(folder: Folder): string {
  return `artifacts/${pathHref(folder.path)}?list`;
}

/** By code unit: the same on every machine, and quick. */
function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
