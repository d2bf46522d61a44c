/** `/-/search`: a page for people, JSON for scripts (`?format=json`, or `Accept: application/json`). */
import { setTimeout as pause } from 'node:timers/promises';
import { type Request, type Response, Router } from 'express';
import { MirrorError } from '../errors.ts';
import { renderSearch } from '../pages/search.ts';
import type { SearchPage, SearchQuestion, SearchResult } from '../search/fulltext.ts';
import { buildHref } from './address.ts';
import { sendPage } from './answers.ts';
import { readsAll } from './caller.ts';
import type { ReaderParts } from './parts.ts';
import { isReadable } from './scoped-catalog.ts';

const [pageSize, longestText] = [25, 200];
/** Of the matches as many are looked at, the newest, for those that their reader may read. */
const [mostRounds, roundSize] = [20, 200];
/** ms: for who may not read all, an answer takes a multiple of it, so that what is kept from them does not show in its time. */
const pace = 50;

export function searchRouter(parts: ReaderParts): Router {
  const router = Router({ caseSensitive: true });
  router.get('/-/search', (request, response) => answer(parts, request, response));
  return router;
}

async function answer({ search, organization, url }: ReaderParts, request: Request, response: Response): Promise<void> {
  const text = parameter(request, 'q', longestText) ?? '';
  const beforeText = parameter(request, 'before', 16);
  if (beforeText !== null && !/^\d+$/.test(beforeText)) throw malformed('before');
  const startedAt = performance.now();
  const before = beforeText === null ? null : Number(beforeText);
  const { results, next } = await findReadable(search, { organization, text, before, limit: pageSize });
  if (!readsAll(organization)) await pause(pace - ((performance.now() - startedAt) % pace));
  const milliseconds = performance.now() - startedAt;
  const nextHref = next === null ? null : `/-/search?q=${encodeURIComponent(text)}&before=${next}`;
  if (!wantsJson(request))
    return sendPage(response, renderSearch({ text, hits: results, next: nextHref, milliseconds }));
  response.set('Cache-Control', 'no-cache').json({
    query: text,
    results: results.map(({ folder, summary, matches, isPartial }) => ({
      url: new URL(buildHref({ organization: summary.organization, folder, number: summary.number }), url).href,
      organization: summary.organization,
      pipeline: summary.pipeline,
      number: summary.number,
      state: summary.state,
      branch: summary.branch,
      commit: summary.commit,
      message: summary.message,
      author: summary.author,
      finished_at: summary.finished_at,
      partial: isPartial,
      matches: matches.map(({ field, text: found }) => ({ in: field, text: found.replaceAll(/[\u0001\u0002]/g, '') })),
    })),
    next: nextHref === null ? null : new URL(`${nextHref}&format=json`, url).href,
  });
}

/** What its reader may not read is not there: neither among the results, nor in whether and where more of them begin. */
async function findReadable(search: ReaderParts['search'], question: SearchQuestion): Promise<SearchPage> {
  const found: SearchResult[] = [];
  let { before } = question;
  for (let round = 0; round < mostRounds && found.length <= question.limit; round += 1) {
    const page = await search.find({ ...question, before, limit: round === 0 ? question.limit + 1 : roundSize });
    found.push(...page.results.filter(({ folder, summary }) => isReadable(summary, folder)));
    before = page.next;
    if (before === null) break;
  }
  const results = found.slice(0, question.limit);
  return { results, next: found.length > results.length ? (results.at(-1)?.id ?? null) : null };
}

function wantsJson(request: Request): boolean {
  const { format } = request.query;
  if (format !== undefined) return format === 'json';
  const accept = request.get('accept') ?? '';
  return accept.includes('application/json') && !accept.includes('text/html');
}

/** @returns null where it is not given. @throws MirrorError ERR_REQUEST_MALFORMED that names it */
function parameter(request: Request, name: string, longest: number): string | null {
  const value = request.query[name];
  if (value === undefined || value === '') return null;
  if (typeof value !== 'string' || value.length > longest || /\p{Cc}/u.test(value)) throw malformed(name);
  return value;
}

function malformed(name: string): MirrorError {
  return new MirrorError('ERR_REQUEST_MALFORMED', `"${name}" is not what a search can be asked for`);
}
