/** Listings of the merged view and of the steps', and how a listing is sent and kept. */
import { type Request, type Response, Router } from 'express';
import { MirrorError } from '../errors.ts';
import type { BuildRecord, JobRecord } from '../model.ts';
import { renderFolder } from '../pages/folder.ts';
import { segment } from '../pages/links.ts';
import type { DataPaths, Place } from '../tree/paths.ts';
import { readBuildRecord, readJobRecord, readViews, type Views } from '../tree/records.ts';
import { mergeJobs, mergeSteps } from '../tree/views.ts';
import { missingSlash, notFound, placeOf, tailOf } from './address.ts';
import { sendPage, sendRedirect } from './answers.ts';
import { type Contents, contentsOf, filesOfViews, pageOf } from './listing.ts';
import type { ReaderParts } from './readers.ts';

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
  const views = await viewsNow(parts.paths, place, build);
  const found = contentsOf(filesOfViews(views), tail);
  // A build without artifacts has an empty folder of them, not a missing one.
  if (found === null && !(tail.length === 1 && top === 'artifacts'))
    throw notFound('there is no such folder in this build');
  const isCurrent = async (): Promise<boolean> =>
    (await readBuildRecord(parts.paths, place))?.mirrored_at === build.mirrored_at;
  const contents = found ?? { folders: [], files: [] };
  await sendListing(parts, { place, tail, contents, isCurrent: build.settled ? isCurrent : null }, request, response);
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
  /** What parts of the tail are called on the page, where that is not their name. */
  readonly labels?: ReadonlyMap<string, string>;
  readonly contents: Contents;
  /** Whether the records that it was made from still say the same; null for one that is not to be kept. */
  readonly isCurrent: (() => Promise<boolean>) | null;
}

export async function sendListing(
  { pages }: Pick<ReaderParts, 'pages'>,
  { place, tail, labels, contents, isCurrent }: Listing,
  request: Request,
  response: Response,
): Promise<void> {
  const above = [place.organization, place.folder, 'builds', String(place.number), ...tail];
  const slash = missingSlash(request, above);
  if (slash !== null) return sendRedirect(response, slash);
  const { part, next } = pageOf(contents, afterOf(request), rowsPerPage);
  const page = renderFolder({
    title: `${tail.join('/')} · ${place.folder} #${place.number}`,
    crumbs: above.map((name, index) => ({
      name: index === 3 ? `#${name}` : (labels?.get(name) ?? name),
      href: hrefUp(above.length - 1 - index, index > 3 && name !== 'jobs' && labels?.has(name) !== true),
    })),
    ...part,
    next: next === null ? null : `?list&after=${segment(next)}`,
  });
  sendPage(response, page);
  if (isCurrent !== null && !request.originalUrl.includes('?')) await pages.keep(above, page, isCurrent);
}

/** @param lists whether that folder may have an index of its own, which would open instead of the listing */
function hrefUp(levels: number, lists: boolean): string {
  const up = levels === 0 ? './' : '../'.repeat(levels);
  return lists ? `${up}?list` : up;
}

function afterOf(request: Request): string | null {
  const { after } = request.query;
  if (after === undefined) return null;
  if (typeof after !== 'string') throw new MirrorError('ERR_REQUEST_MALFORMED', '"after" is given more than once');
  return after;
}
