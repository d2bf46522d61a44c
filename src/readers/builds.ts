/** Home, pipelines, lists of builds and a build's page, as far as the worker has not written them as files. */
import { type Request, type Response, Router } from 'express';
import { composeBuildPage, failingLines } from '../build-page.ts';
import { MirrorError } from '../errors.ts';
import type { JobRecord } from '../model.ts';
import { type BuildsFilter, renderBuilds } from '../pages/builds.ts';
import { renderHome } from '../pages/home.ts';
import { badgeBranch, renderPipeline } from '../pages/pipeline.ts';
import { homeBuilds, newestBuilds } from '../search/newest.ts';
import type { Place } from '../tree/paths.ts';
import { hasBadge } from '../tree/pointers.ts';
import { readBuildRecord, readJobRecord } from '../tree/records.ts';
import { folderOf, missingSlash, notFound, placeOf } from './address.ts';
import { sendPage, sendRedirect } from './answers.ts';
import { sendListing, viewsNow } from './folders.ts';
import { contentsOf, filesOfViews } from './listing.ts';
import type { ReaderParts } from './parts.ts';

const defaultLimit = 50;
const largestLimit = 200;
const latestBuilds = 25;
const latestBranches = 50;

export function buildsRouter(parts: ReaderParts): Router {
  const router = Router({ caseSensitive: true });
  const { organization, catalog } = parts;
  const home = (): string => {
    const seen = catalog();
    if (seen === null) return renderHome({ organization, pipelines: [], newest: [], totals: null });
    const pipelines = seen.pipelines(organization);
    const newest = newestBuilds(seen, organization, pipelines, homeBuilds);
    return renderHome({ organization, pipelines, newest, totals: seen.totals(organization) });
  };
  /** Whether the answer was a redirect to the folder's own address. */
  const redirected = (request: Request, response: Response, above: readonly string[]): boolean => {
    const slash = missingSlash(request, above);
    if (slash !== null) sendRedirect(response, slash);
    return slash !== null;
  };

  router.get('/', (_request, response) => sendPage(response, home()));

  router.get('/:organization', (request, response) => {
    if (request.params.organization !== organization) throw notFound();
    if (!redirected(request, response, [organization])) sendPage(response, home());
  });

  router.get('/:organization/:folder', (request, response) => {
    const folder = folderOf(request.params, organization);
    const builds = catalog()?.builds({ organization, folder, limit: latestBuilds }) ?? [];
    const [latest] = builds;
    if (latest === undefined) throw notFound('no build of this pipeline is mirrored');
    if (redirected(request, response, [organization, folder])) return;
    const branches = catalog()?.branches(organization, folder, latestBranches) ?? [];
    const open = branches.filter((build) => parts.isOpen(build, folder));
    const branch = badgeBranch(open, (name) => hasBadge(parts.paths, organization, folder, name));
    const badge = branch === null ? {} : { badge: { url: parts.url, branch } };
    sendPage(response, renderPipeline({ organization, pipeline: latest.pipeline, folder, builds, branches, ...badge }));
  });

  router.get('/:organization/:folder/builds', (request, response) => {
    const folder = folderOf(request.params, organization);
    const { filter, limit } = parseQuery(request.query);
    const [latest] = catalog()?.builds({ organization, folder, limit: 1 }) ?? [];
    if (latest === undefined) throw notFound('no build of this pipeline is mirrored');
    if (redirected(request, response, [organization, folder, 'builds'])) return;
    const found = catalog()?.builds({ organization, folder, limit: limit + 1, ...filter }) ?? [];
    const builds = found.slice(0, limit);
    const nextBefore = found.length > limit ? (builds.at(-1)?.number ?? null) : null;
    sendPage(response, renderBuilds({ organization, pipeline: latest.pipeline, folder, builds, filter, nextBefore }));
  });

  router.get('/:organization/:folder/builds/:number', (request, response) => {
    const send = request.query['list'] === undefined ? sendBuild : sendBuildFolder;
    return send(parts, placeOf(request.params, organization), request, response);
  });
  return router;
}

async function sendBuild(parts: ReaderParts, place: Place, request: Request, response: Response): Promise<void> {
  const build = await readBuildRecord(parts.paths, place);
  if (build === null) throw notFound('this build is not mirrored');
  const slash = missingSlash(request, [place.organization, place.folder, 'builds', String(place.number)]);
  if (slash !== null) return sendRedirect(response, slash);
  const { merged } = await viewsNow(parts.paths, place, build);
  const records = new Map<string, JobRecord>();
  for (const { id, url } of build.jobs) {
    const record = url === null ? null : await readJobRecord(parts.paths, place, id);
    if (record !== null) records.set(id, record);
  }
  const beside = parts.catalog()?.neighbours(place.organization, place.folder, place.number);
  const failing = await failingLines(parts.paths, place, records);
  const onPage = { place, build, merged, records, failing, beside: beside ?? { previous: null, next: null } };
  sendPage(response, await composeBuildPage(parts, onPage));
}

async function sendBuildFolder(parts: ReaderParts, place: Place, request: Request, response: Response): Promise<void> {
  const build = await readBuildRecord(parts.paths, place);
  if (build === null) throw notFound('this build is not mirrored');
  const found = contentsOf(filesOfViews(await viewsNow(parts.paths, place, build)), []);
  const record = {
    name: 'build.json',
    path: 'build.json',
    href: 'build.json',
    size: null,
    type: 'application/json',
    sha256: null,
  };
  const jobs = { name: 'jobs', href: 'jobs/', count: null, bytes: null };
  const contents = { folders: [...(found?.folders ?? []), jobs], files: [record] };
  await sendListing(parts, { place, tail: [], contents, isCurrent: null }, request, response);
}

/** @throws MirrorError ERR_REQUEST_MALFORMED that names the parameter */
export function parseQuery(query: Request['query']): { filter: BuildsFilter; limit: number } {
  const read = (name: string, pattern: RegExp): string | undefined => {
    const value = query[name];
    // A form sends the fields that were left empty, too.
    if (value === undefined || value === '') return undefined;
    if (typeof value === 'string' && pattern.test(value)) return value;
    throw new MirrorError('ERR_REQUEST_MALFORMED', `"${name}" is not what a list of builds can be asked for`);
  };
  const before = read('before', /^[1-9]\d{0,15}$/);
  const branch = read('branch', /^[^\p{Cc}]{1,255}$/u);
  const state = read('state', /^[a-z_]{1,32}$/);
  const limit = read('limit', /^[1-9]\d{0,5}$/);
  return {
    filter: {
      ...(before !== undefined && { before: Number(before) }),
      ...(branch !== undefined && { branch }),
      ...(state !== undefined && { state }),
    },
    limit: Math.min(largestLimit, Number(limit ?? defaultLimit)),
  };
}
