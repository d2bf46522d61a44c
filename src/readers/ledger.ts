/** `/-/ledger`, `/-/ledger.json`, and the one thing that a reader may ask the workers for here: to try a build again. */
import { type Request, type RequestHandler, type Response, Router } from 'express';
import { MirrorError } from '../errors.ts';
import { Uuid } from '../model.ts';
import { renderLedger } from '../pages/ledger.ts';
import { readLedger } from '../reconcile/ledger.ts';
import { retryTask } from '../reconcile/retry.ts';
import type { Catalog } from '../search/catalog.ts';
import { createGapReader } from '../tree/gaps.ts';
import { notFound } from './address.ts';
import { sendPage } from './answers.ts';
import { note } from './auth-parts.ts';
import { readerNow } from './caller.ts';
import type { ReaderParts } from './parts.ts';

const buildsAPage = 50;
const buildsInJson = 500;
/** A person's clicks, and no more: each costs Buildkite's limit some requests. */
const retriesAMinute = 30;

/** With the whole catalog. */
type LedgerParts = Omit<ReaderParts, 'catalog' | 'isOpen'> & { readonly catalog: () => Catalog | null };

export function ledgerRouter(parts: LedgerParts): Router {
  const router = Router({ caseSensitive: true });
  const gaps = createGapReader(parts.paths);
  const sums = async () => {
    const { unsettled, oldestSince } = await gaps();
    const totals = parts.catalog()?.totals();
    const oldest = oldestSince === null ? null : new Date(oldestSince).toISOString();
    return { unsettled, incomplete: totals?.incomplete ?? 0, lost: totals?.lost ?? 0, oldestSince: oldest };
  };
  const pageOf = (request: Request, limit: number) =>
    readLedger({ paths: parts.paths, catalog: parts.catalog() }, { after: uuidIn(request, 'after'), limit });

  router.get('/-/ledger', async (request, response) => {
    const { builds, next } = await pageOf(request, buildsAPage);
    const asked = uuidIn(request, 'asked');
    const more = next === null ? null : `/-/ledger?after=${next}`;
    const page = renderLedger({ ...(await sums()), builds, next: more, asked, now: Date.now() });
    sendPage(response, page);
  });
  router.get('/-/ledger.json', async (request, response) => {
    const { builds, next } = await pageOf(request, buildsInJson);
    const { unsettled, incomplete, lost, oldestSince } = await sums();
    const retried = builds.map((build) => ({ ...build, retry_url: `/-/ledger/${build.id}/retry` }));
    const counts = { unsettled, incomplete, lost, oldest_since: oldestSince };
    response.set('Cache-Control', 'no-store').json({
      version: 1,
      generated_at: new Date().toISOString(),
      ...counts,
      builds: retried,
      next: next === null ? null : `/-/ledger.json?after=${next}`,
    });
  });
  router.post('/-/ledger/:build/retry', sameOrigin(parts.url), bounded(), (request, response) =>
    retry(parts, request, response),
  );
  return router;
}

async function retry(parts: LedgerParts, request: Request, response: Response): Promise<void> {
  const build = Uuid.safeParse(request.params['build']).data;
  const task = build === undefined ? null : await retryTask(parts.paths, parts.catalog(), build);
  if (task === null) throw notFound('the ledger has no such build');
  await parts.queue.enqueue(task, { urgent: true });
  const { organization, pipeline, number } = task.payload;
  await note(parts, request, {
    ...{ action: 'retry', organization, pipeline, number, build: task.payload.build, ...asker() },
    reason: 'asked for on the ledger',
  });
  if (request.get('accept')?.includes('text/html') === true) {
    response
      .status(303)
      .set({ 'Cache-Control': 'no-store', Location: `/-/ledger?asked=${task.payload.build}` })
      .end();
  } else {
    response.status(202).set('Cache-Control', 'no-store').json({ build: task.payload.build });
  }
}

/** Nobody where identity is off. */
function asker(): { who?: string; issuer?: string; id?: string } {
  const reader = readerNow();
  if (reader === 'open') return {};
  const { name: who, issuer, session } = reader;
  return { who, issuer, ...(session === null ? {} : { id: session }) };
}

/**
 * Browsers say from which origin a form was sent; a page of someone else's must not spend our requests. Whoever is no
 * browser says it too, or uses `kitemirror tasks retry`.
 */
function sameOrigin(url: string): RequestHandler {
  return (request, _response, next) => {
    const origin = request.get('origin');
    const own = [new URL(url).origin, `${new URL(url).protocol}//${request.get('host') ?? ''}`];
    if (origin === undefined || !own.includes(origin)) {
      throw new MirrorError('ERR_ORIGIN_REFUSED', 'this must be sent from the mirror’s own pages (Origin)');
    }
    next();
  };
}

function bounded(): RequestHandler {
  let minute = 0;
  let count = 0;
  return (_request, response, next) => {
    const now = Math.floor(Date.now() / 60_000);
    if (now !== minute) [minute, count] = [now, 0];
    count += 1;
    if (count > retriesAMinute) {
      response.set('Retry-After', '60');
      throw new MirrorError('ERR_RATE_LIMITED', `no more than ${retriesAMinute} builds are tried again in a minute`);
    }
    next();
  };
}

/** @throws MirrorError ERR_REQUEST_MALFORMED */
function uuidIn(request: Request, name: string): string | null {
  const value = request.query[name];
  if (value === undefined) return null;
  const parsed = Uuid.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new MirrorError('ERR_REQUEST_MALFORMED', `"${name}" is not the uuid of a build`);
}
