/**
 * What is asked of an artifact beside its bytes: `?view` shows it, `?gallery` the pictures of a folder, `?tests` the
 * tests of a folder. All input is bounded; what is too large is said to be.
 */
import { type Request, type Response, Router } from 'express';
import { MirrorError } from '../errors.ts';
import { html } from '../pages/html.ts';
import { type Crumb, renderPage } from '../pages/layout.ts';
import { pathHref, segment } from '../pages/links.ts';
import { nameText } from '../pages/names.ts';
import { renderView } from '../pages/view.ts';
import { renderGallery } from '../pages/view-media.ts';
import { renderTests } from '../pages/view-tests.ts';
import { mayBeJunit } from '../reports/junit.ts';
import { kindOf } from '../reports/kind.ts';
import { readIfPresent } from '../tree/files.ts';
import { notFound } from './address.ts';
import { sendPage } from './answers.ts';
import type { ReaderParts } from './parts.ts';
import { ownPath, type Shown, shownAt } from './shown.ts';
import { testsOf } from './tests.ts';
import { type AskedPart, contentOf, unseen } from './view-content.ts';

const picturesPerPage = 200;

export function viewsRouter(parts: ReaderParts): Router {
  const base = '/:organization/:folder/builds/:number';
  const router = Router({ caseSensitive: true });
  for (const [top, path] of [
    ['artifacts', `${base}/artifacts{/*path}`],
    ['steps', `${base}/steps{/*path}`],
    ['jobs', `${base}/jobs/:job/*path`],
  ] as const) {
    router.get(path, async (request, response, next) => {
      const send = asked(request);
      if (send === null) return next();
      return send(parts, await shownAt(parts, request, top), request, response);
    });
  }
  return router;
}

type Send = (parts: ReaderParts, shown: Shown, request: Request, response: Response) => Promise<void>;

function asked({ query }: Request): Send | null {
  if (query['view'] !== undefined) return sendView;
  if (query['gallery'] !== undefined) return sendGallery;
  return query['tests'] === undefined ? null : sendTests;
}

async function sendView(parts: ReaderParts, shown: Shown, request: Request, response: Response): Promise<void> {
  const path = shown.tail.join('/');
  const file = shown.files.find((each) => each.path === path);
  if (file === undefined) throw notFound('there is no such artifact; a folder is shown by its own address');
  const name = shown.tail.at(-1) ?? '';
  const before = await stamp(parts, shown);
  const { content, notice = null, keeps, wide = false } = await contentOf(parts, shown, file, partAsked(request));
  const page = renderView({
    title: `${name} · ${shown.build.pipeline} #${shown.build.number}`,
    crumbs: crumbsOf(shown, 'file'),
    file: { name, size: file.size, type: file.type, sha256: file.sha256 },
    opens: parts.opensReports ? openingOf(name) : null,
    address: `${parts.url.replace(/\/+$/, '')}/${pathHref([...buildSegments(shown), ...shown.tail].join('/'))}`,
    content,
    notice,
    wide,
  });
  sendPage(response, page);
  if (!keeps || !shown.build.settled || !request.originalUrl.endsWith('?view')) return;
  await parts.pages.keep(
    [...buildSegments(shown), ...shown.tail, '?view'],
    page,
    async () => (await stamp(parts, shown)) === before,
  );
}

function buildSegments({ place: { organization, folder, number } }: Shown): string[] {
  return [organization, folder, 'builds', String(number)];
}

function openingOf(name: string): 'Open report' | 'Open' | null {
  if (kindOf(name) === 'html') return 'Open report';
  return /\.(svg|pdf)$/i.test(name) ? 'Open' : null;
}

/** Changes when what is shown at such an address may have changed. */
async function stamp({ paths }: ReaderParts, { place, job }: Shown): Promise<string | null> {
  return readIfPresent(job === null ? paths.views(place) : paths.jobFile(place, job.id, 'job.json'));
}

/** Of a text that is shown a part at a time. */
function partAsked(request: Request): AskedPart | null {
  if (request.query['at'] === undefined) return null;
  return { at: numberOf(request, 'at', 0), firstLine: numberOf(request, 'line', 1) };
}

/** @throws MirrorError ERR_REQUEST_MALFORMED */
function numberOf({ query }: Request, name: string, fallback: number): number {
  const value = query[name];
  if (value === undefined) return fallback;
  if (typeof value !== 'string' || !/^\d{1,15}$/.test(value))
    throw new MirrorError('ERR_REQUEST_MALFORMED', `"${name}" is not a whole number`);
  return Number(value);
}

async function sendGallery(_parts: ReaderParts, shown: Shown, request: Request, response: Response): Promise<void> {
  const prefix = `${shown.tail.join('/')}/`;
  const all = shown.files
    .filter(({ path }) => path.startsWith(prefix) && kindOf(path) === 'image')
    .map(({ path, size }) => ({ path: path.slice(prefix.length), size }))
    .toSorted((left, right) => (left.path < right.path ? -1 : 1));
  const from = numberOf(request, 'from', 0);
  const next = from + picturesPerPage;
  sendPage(
    response,
    renderGallery({
      title: `Pictures · ${shown.build.pipeline} #${shown.build.number}`,
      crumbs: crumbsOf(shown, 'folder'),
      images: all.slice(from, next),
      total: all.length,
      next: next < all.length ? `?gallery&from=${next}` : null,
    }),
  );
}

async function sendTests(parts: ReaderParts, shown: Shown, request: Request, response: Response): Promise<void> {
  const below = ownPath(`${shown.tail.join('/')}/`);
  if (below === null) throw notFound('tests are those of a folder of artifacts');
  const jobs = shown.job === null ? null : new Set([shown.job.id]);
  const tests = await testsOf(
    parts,
    shown,
    '../'.repeat(shown.tail.length),
    jobs,
    (path) => path.startsWith(below) && mayBeJunit(path),
  );
  const content = tests.rows.length === 0 ? unseen('No JUnit report was found here.') : renderTests(tests);
  sendPage(
    response,
    renderPage({
      title: `Tests · ${shown.build.pipeline} #${shown.build.number}`,
      crumbs: crumbsOf(shown, 'folder'),
      styles: ['view.css'],
      body: html`<h1>Tests</h1>${content}`,
    }),
  );
}

/** Relative, so that the page stays right when its pipeline is renamed. @param at what the address ends in */
function crumbsOf({ place, build, job, tail }: Shown, at: 'file' | 'folder'): Crumb[] {
  const names = [place.organization, place.folder, 'builds', `#${place.number}`, ...tail];
  const deepest = names.length - (at === 'file' ? 2 : 1);
  return names.map((name, index) => {
    if (at === 'file' && index === names.length - 1) return { name, href: `${segment(name)}?view` };
    const up = index === deepest ? './' : '../'.repeat(deepest - index);
    const lists = names.slice(4, index + 1).some((part) => part.startsWith('artifacts'));
    const shownName =
      index === 1 ? build.pipeline : index === 5 && job !== null ? nameText(job.name ?? job.step_key ?? name) : name;
    return { name: shownName, href: lists ? `${up}?list` : up };
  });
}
