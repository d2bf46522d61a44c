/** Listings of the merged view and of the steps', and how a listing is sent and kept. */
import { type Request, type Response, Router } from 'express';
import { MirrorError } from '../errors.ts';
import type { BuildRecord, JobRecord } from '../model.ts';
import { renderFolder } from '../pages/folder.ts';
import type { Crumb } from '../pages/layout.ts';
import { segment } from '../pages/links.ts';
import { nameText } from '../pages/names.ts';
import { readIfPresent } from '../tree/files.ts';
import { type DataPaths, type Place, stepFolder } from '../tree/paths.ts';
import { readBuildRecord, readJobRecord, readViews, type Views } from '../tree/records.ts';
import { mergeJobs, mergeSteps } from '../tree/views.ts';
import { missingSlash, notFound, placeOf, tailOf } from './address.ts';
import { sendPage, sendRedirect } from './answers.ts';
import { archiveOfView, sendArchive } from './archives.ts';
import { type Contents, contentsOf, type FileAt, filesOfViews, matchesOf, pageOf } from './listing.ts';
import type { ReaderParts } from './parts.ts';

/** More rows than this make a page that browsers are slow with; Buildkite itself allows a job no more files. */
const rowsPerPage = 5000;

export function foldersRouter(parts: ReaderParts): Router {
  const base = '/:organization/:folder/builds/:number';
  const router = Router({ caseSensitive: true });
  router.get(`${base}/artifacts{/*path}`, (request, response) => sendView(parts, 'artifacts', request, response));
  router.get(`${base}/steps{/*path}`, (request, response) => sendView(parts, 'steps', request, response));
  return router;
}

async function sendView(
  parts: ReaderParts,
  top: 'artifacts' | 'steps',
  request: Request,
  response: Response,
): Promise<void> {
  const place = placeOf(request.params, parts.organization);
  const tail = [top, ...tailOf(request.params)];
  const build = await readBuildRecord(parts.paths, place);
  if (build === null) throw notFound('this build is not mirrored');
  // The views' file changes before kept listings are removed, and the build's record only after.
  const before = await readIfPresent(parts.paths.views(place));
  const views = await viewsNow(parts.paths, place, build);
  if (request.query['archive'] !== undefined)
    return sendArchive(parts, archiveOfView(parts.paths, place, views, tail), request, response);
  const match = matchOf(request);
  if (match !== null) return sendMatches({ place, tail, within: tail, files: filesOfViews(views), match }, response);
  const found = contentsOf(filesOfViews(views), tail);
  // A build without artifacts has an empty folder of them, not a missing one.
  if (found === null && !(tail.length === 1 && top === 'artifacts'))
    throw notFound('there is no such folder in this build');
  const isCurrent = async (): Promise<boolean> => (await readIfPresent(parts.paths.views(place))) === before;
  const contents: Contents = found ?? { folders: [], files: [] };
  if (top === 'steps' && tail.length === 1) contents.folders = withKeys(contents.folders, Object.keys(views.steps));
  await sendListing(parts, { place, tail, contents, isCurrent: build.settled ? isCurrent : null }, request, response);
}

export interface Matches {
  readonly place: Place;
  readonly tail: readonly string[];
  readonly jobName?: string;
  readonly files: Iterable<FileAt>;
  /** The folder, as the files' paths name it. */
  readonly within: readonly string[];
  readonly match: string;
}

/** What of a folder and all below it has a text in its path: never kept, as anybody may ask for any text. */
export function sendMatches({ place, tail, jobName, files, within, match }: Matches, response: Response): void {
  const { whole, ...found } = matchesOf(files, within, match);
  const page = renderFolder({
    title: `${match} · ${place.folder} #${place.number}`,
    crumbs: crumbsOf(place, tail, jobName),
    ...found,
    match,
    next: whole ? null : '?list',
  });
  sendPage(response, page);
}

/** @returns null where nothing is looked for; the text is bounded by the longest query that is taken */
export function matchOf(request: Request): string | null {
  const { match } = request.query;
  return typeof match === 'string' && match.trim() !== '' ? match.trim() : null;
}

/** A key that cannot be a folder's name is told beside the one that stands for it. */
function withKeys(folders: Contents['folders'], keys: readonly string[]): Contents['folders'] {
  const byFolder = new Map(keys.map((key) => [stepFolder(key), key]));
  return folders.map((folder) => {
    const note = byFolder.get(folder.name);
    return note === undefined || note === folder.name ? folder : { ...folder, note };
  });
}

/** While a publish changes the views nothing on the disk says what they are; the job records do. */
export async function viewsNow(paths: DataPaths, place: Place, build: BuildRecord): Promise<Views> {
  const views = await readViews(paths, place);
  if (views !== null) return views;
  const jobs: JobRecord[] = [];
  for (const { id, url } of build.jobs) {
    const job = url === null ? null : await readJobRecord(paths, place, id);
    if (job !== null) jobs.push(job);
  }
  return { version: 1, merged: mergeJobs(jobs), steps: mergeSteps(jobs) };
}

export interface Listing {
  readonly place: Place;
  /** Below the build's folder. */
  readonly tail: readonly string[];
  /** What the folder of a job is called on the page. */
  readonly jobName?: string;
  readonly contents: Contents;
  /** Whether the records that it was made from still say the same; null for one that is not to be kept. */
  readonly isCurrent: (() => Promise<boolean>) | null;
}

export async function sendListing(
  { pages }: Pick<ReaderParts, 'pages'>,
  { place, tail, jobName, contents, isCurrent }: Listing,
  request: Request,
  response: Response,
): Promise<void> {
  const above = [place.organization, place.folder, 'builds', String(place.number), ...tail];
  const slash = missingSlash(request, above);
  if (slash !== null) return sendRedirect(response, slash);
  const after = afterOf(request);
  const { part, next, left } = pageOf(contents, after, rowsPerPage);
  const page = renderFolder({
    title: `${tail.join('/')} · ${place.folder} #${place.number}`,
    crumbs: crumbsOf(place, tail, jobName),
    ...(hasArchive(tail) && { archive: '?archive' }),
    ...part,
    next: next === null ? null : `?list&after=${segment(next)}`,
    left,
    isPart: next !== null || after !== null,
  });
  const isKept = isCurrent !== null && isWhole(request);
  sendPage(response, page, 'no-cache', isKept ? await pages.keep(above, page, isCurrent) : null);
}

/** Folders of artifacts can be had as one file; the ones above them hold records and links. */
function hasArchive(tail: readonly string[]): boolean {
  return tail.includes('artifacts');
}

function crumbsOf(place: Place, tail: readonly string[], jobName: string | undefined): Crumb[] {
  const above = [place.organization, place.folder, 'builds', String(place.number), ...tail];
  return above.map((name, index) => ({
    name: index === 3 ? `#${name}` : index === 5 && jobName !== undefined ? nameText(jobName) : name,
    href: hrefUp(above.length - 1 - index, index > 5 || above.slice(4, index + 1).includes('artifacts')),
  }));
}

/** @param lists whether that folder may have an index of its own, which would open instead of the listing */
function hrefUp(levels: number, lists: boolean): string {
  const up = levels === 0 ? './' : '../'.repeat(levels);
  return lists ? `${up}?list` : up;
}

/** The kept page is what the front sends for the plain address and for `?list`; anything else asks for a part. */
function isWhole(request: Request): boolean {
  return /^[^?]*(\?(list)?)?$/.test(request.originalUrl);
}

function afterOf(request: Request): string | null {
  const { after } = request.query;
  if (after === undefined) return null;
  if (typeof after !== 'string') throw new MirrorError('ERR_REQUEST_MALFORMED', '"after" is given more than once');
  return after;
}
