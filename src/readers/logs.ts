/** A log's page where Lighttpd has no file for it: parts of a long log, and searches in it. */
import type { Request, Response } from 'express';
import { MirrorError } from '../errors.ts';
import { readLogIndex } from '../logs/index-file.ts';
import type { LogIndex } from '../logs/index-format.ts';
import { beginningFor } from '../logs/read-log.ts';
import { longestQuery } from '../logs/search-log.ts';
import type { JobRecord } from '../model.ts';
import { linesPerPart, renderLog } from '../pages/log.ts';
import { renderLogHits } from '../pages/log-hits.ts';
import { stateMeaning } from '../pages/parts.ts';
import { writtenAt } from '../tree/files.ts';
import type { Place } from '../tree/paths.ts';
import { readJobRecord } from '../tree/records.ts';
import { buildHref, jobOf, notFound, placeOf } from './address.ts';
import { sendPage, sendRedirect } from './answers.ts';
import { asksLive, sendEnded, sendLive } from './live-log.ts';
import type { ReaderParts } from './parts.ts';

/** Of the log, for one page: lines may be long. */
const part = { count: linesPerPart, bytes: 8 * 1024 * 1024 };
const searchBounds = { matches: 500, ms: 2000 };

/**
 * `?from=<line>`: a part of it. `?line=<line>`: the part that has this line, with some above it. `?q=<text>`: a search, from line `from` on; `&format=json` or an `Accept` that asks for JSON
 * gets JSON. `?live`, or no log yet: the end of a log that grows. Without a question it has not been made a page yet, and the text itself is what there is.
 */
export async function sendLog(parts: ReaderParts, request: Request, response: Response): Promise<void> {
  const place = placeOf(request.params, parts.organization);
  const id = jobOf(request.params);
  const job = await readJobRecord(parts.paths, place, id);
  if (job?.log?.state !== 'present') {
    const why = job === null ? 'this job is not mirrored' : logMessage(job);
    return sendLive(parts, { place, id, record: job, why }, request, response);
  }
  if (asksLive(request)) return sendEnded(parts, place, job, request, response);
  const { from, line, query } = questionOf(request);
  const index = await readLogIndex(parts.paths, place, job.id);
  if (index === null) return sendRedirect(response, `${buildHref(place)}jobs/${job.id}/log.txt`);
  if (query !== null) return sendMatches(parts, { place, job, index }, { query, from: from ?? 1 }, request, response);
  const asked = line ?? from ?? 1;
  if (asked > Math.max(1, index.lines)) throw notFound(`this log has ${index.lines} lines`);
  // The log's own page has the script, and costs no part. Where it is not there yet, its address leads here.
  const { organization, folder, number } = place;
  const ownPage = parts.paths.page(organization, folder, 'builds', String(number), 'jobs', job.id, 'log');
  if (line !== null && line <= (index.shown ?? 0) && writtenAt(ownPage) !== null)
    return sendRedirect(response, `${buildHref(place)}jobs/${job.id}/log/#L${line}`);
  const first = line === null ? asked : beginningFor(index, line, part);
  await sendPart(parts, { place, job, index }, { from: first, line: asked }, response);
}

interface IndexedLog {
  readonly place: Place;
  readonly job: JobRecord;
  readonly index: LogIndex;
}

interface LogQuestion {
  readonly from: number | null;
  readonly line: number | null;
  readonly query: string | null;
}

/** @throws MirrorError ERR_REQUEST_MALFORMED that names the parameter */
function questionOf(request: Request): LogQuestion {
  const { q } = request.query;
  const isQuery = typeof q === 'string' && q.length <= longestQuery && !/\p{Cc}/u.test(q);
  if (q !== undefined && !isQuery) {
    throw new MirrorError('ERR_REQUEST_MALFORMED', `"q" is a text of at most ${longestQuery} characters in one line`);
  }
  const query = typeof q === 'string' && q !== '' ? q : null;
  return { from: lineOf(request, 'from'), line: lineOf(request, 'line'), query };
}

function lineOf({ query }: Request, name: 'from' | 'line'): number | null {
  const value = query[name];
  if (value === undefined) return null;
  if (typeof value !== 'string' || !/^[1-9]\d{0,14}$/.test(value)) {
    throw new MirrorError('ERR_REQUEST_MALFORMED', `"${name}" is the number of a line, from 1`);
  }
  return Number(value);
}

async function sendPart(
  parts: ReaderParts,
  log: IndexedLog,
  { from, line }: { from: number; line: number },
  response: Response,
): Promise<void> {
  const { place, job, index } = log;
  const file = parts.paths.jobFile(place, job.id, 'log.txt');
  const { html, shown } = await parts.logParts.read({ file, index, from, ...part });
  // Where what is above the line is more HTML than a part has, the line itself begins one.
  if (shown > 0 && from + shown <= line) return sendPart(parts, log, { from: line, line }, response);
  const page = renderLog({
    build: { organization: place.organization, pipeline: place.folder, number: place.number },
    job,
    lines: html,
    from,
    shown,
    total: index.lines,
    failing: index.failure.line,
  });
  sendPage(response, page);
}

async function sendMatches(
  { paths, searcher }: ReaderParts,
  { place, job, index }: IndexedLog,
  { query, from }: { query: string; from: number },
  request: Request,
  response: Response,
): Promise<void> {
  const file = paths.jobFile(place, job.id, 'log.txt');
  const { matches, next, lines } = await searcher.search({ file, index, query, bounds: { ...searchBounds, from } });
  const isJson = request.query['format'] === 'json' || request.accepts(['html', 'json']) === 'json';
  if (isJson) {
    response.set({ 'Cache-Control': 'no-store', Vary: 'Accept' }).json({ query, from, lines, matches, next });
    return;
  }
  const build = { organization: place.organization, pipeline: place.folder, number: place.number };
  sendPage(response, renderLogHits({ build, job, query, hits: matches, next, total: lines }));
}

export function logMessage({ log }: JobRecord): string {
  if (log === null || log.state === 'present') return 'this job has no log';
  return `this log is ${log.state}: ${log.reason ?? stateMeaning[log.state]}`;
}
