/** A folder's contents, worked out from a flat list of files. Pure. */
import type { JobRecord } from '../model.ts';
import type { FileLine, FolderLine } from '../pages/files.ts';
import { pathHref, segment } from '../pages/links.ts';
import { fileOf, stepFolder } from '../tree/paths.ts';
import type { Views } from '../tree/records.ts';

export interface FileAt {
  /** Below the folder that the list is of. */
  readonly path: string;
  readonly size: number | null;
  readonly type: string | null;
  readonly sha256: string | null;
}

export interface Contents {
  folders: FolderLine[];
  files: FileLine[];
}

interface Sum {
  count: number;
  bytes: number;
  hasIndex: boolean;
}

/** @returns null where no file is below that folder */
export function contentsOf(files: Iterable<FileAt>, folder: readonly string[]): Contents | null {
  const prefix = folder.map((part) => `${part}/`).join('');
  const sums = new Map<string, Sum>();
  const own: FileLine[] = [];
  for (const { path, size, type, sha256 } of files) {
    if (!path.startsWith(prefix)) continue;
    const rest = path.slice(prefix.length);
    const cut = rest.indexOf('/');
    if (cut === -1) {
      const isArtifact = /(^|\/)artifacts(-by-id)?\//.test(path);
      own.push({ name: rest, path: rest, href: segment(rest), size, type, sha256, isArtifact });
    } else add(sums, rest.slice(0, cut), { size: size ?? 0, isIndex: rest.slice(cut + 1) === 'index.html' });
  }
  if (sums.size + own.length === 0) return null;
  const folders = Array.from(sums, ([name, { count, bytes, hasIndex }]) => {
    // A folder with an index of its own opens that; here one lists.
    return { name, href: `${segment(name)}/${hasIndex ? '?list' : ''}`, count, bytes };
  });
  return { folders, files: own };
}

const mostMatches = 500;

/** Files at any depth below a folder whose path there has this text in it, whatever its case; the first of them. */
export function matchesOf(
  files: Iterable<FileAt>,
  folder: readonly string[],
  text: string,
): Contents & { whole: boolean } {
  const prefix = folder.map((part) => `${part}/`).join('');
  const wanted = text.toLowerCase();
  const found: FileLine[] = [];
  for (const { path, size, type, sha256 } of files) {
    const rest = path.slice(prefix.length);
    if (!path.startsWith(prefix) || !rest.toLowerCase().includes(wanted)) continue;
    if (found.length === mostMatches) return { folders: [], files: found, whole: false };
    found.push({ name: rest, path: rest, href: pathHref(rest), size, type, sha256 });
  }
  return { folders: [], files: found, whole: true };
}

function add(sums: Map<string, Sum>, name: string, file: { size: number; isIndex: boolean }): void {
  const sum = sums.get(name) ?? { count: 0, bytes: 0, hasIndex: false };
  sum.count += 1;
  sum.bytes += file.size;
  sum.hasIndex ||= file.isIndex;
  sums.set(name, sum);
}

/** Every file that is served below a job's folder. */
export function filesOfJob(job: JobRecord): FileAt[] {
  const prefix = `jobs/${job.id}/`;
  const present = job.artifacts.flatMap(({ state, url, size, mime_type: type, sha256 }) => {
    if (state !== 'present' || url === null || !url.startsWith(prefix)) return [];
    return [{ path: fileOf({ url }) ?? '', size, type, sha256 }];
  });
  const { log } = job;
  const logFile = { path: 'log.txt', size: log?.size ?? null, type: 'text/plain', sha256: log?.sha256 ?? null };
  return [
    ...present,
    ...(log?.state === 'present' ? [logFile] : []),
    { path: 'SHA256SUMS', size: null, type: 'text/plain', sha256: null },
    { path: 'job.json', size: null, type: 'application/json', sha256: null },
  ];
}

/** Every file of the merged view and of the steps', below the build's folder. */
export function* filesOfViews({ merged, steps }: Views): Generator<FileAt> {
  yield* prefixed('artifacts/', merged);
  for (const [key, entries] of Object.entries(steps)) yield* prefixed(`steps/${stepFolder(key)}/artifacts/`, entries);
}

function* prefixed(prefix: string, entries: Views['merged']): Generator<FileAt> {
  for (const { path, size, mimeType, sha256 } of entries) yield { path: prefix + path, size, type: mimeType, sha256 };
}

/** In the order of the page: folders, then files, each by name. */
export function pageOf(
  contents: Contents,
  after: string | null,
  limit: number,
): { part: Contents; next: string | null; left: number } {
  const all = [
    ...contents.folders.map((folder) => ({ key: `0${folder.name}`, folder, file: null })),
    ...contents.files.map((file) => ({ key: `1${file.name}`, folder: null, file })),
  ].toSorted((left, right) => (left.key < right.key ? -1 : 1));
  const from = after === null ? all : all.filter(({ key }) => key > after);
  const shown = from.slice(0, limit);
  const last = shown.at(-1);
  const part = {
    folders: shown.flatMap(({ folder }) => (folder === null ? [] : [folder])),
    files: shown.flatMap(({ file }) => (file === null ? [] : [file])),
  };
  const left = from.length - shown.length;
  return { part, next: left > 0 && last !== undefined ? last.key : null, left };
}
