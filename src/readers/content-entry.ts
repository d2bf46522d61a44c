/**
 * The way to the host of a build's reports: a ticket that is good once, for a minute, for one reader and one build, and
 * which that host turns into a cookie of its own.
 */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { type Request, type Response, Router } from 'express';
import { MirrorError } from '../errors.ts';
import { holderOf, sessionCookie } from '../identity/authenticate.ts';
import { type Seal, seal } from '../identity/seals.ts';
import { readIfPresent } from '../tree/files.ts';
import type { DataPaths } from '../tree/paths.ts';
import { readBuildRecord } from '../tree/records.ts';
import { notFound, placeOf } from './address.ts';
import { noteDecision } from './answers.ts';
import { readerNow } from './caller.ts';
import { addressOf, type GuardIdentity } from './guard.ts';
import { nowSeconds, setCookie } from './session.ts';

export interface EntryParts {
  readonly paths: DataPaths;
  readonly organization: string;
  /** `https://*.example.com`; null: there is no such origin. */
  readonly contentUrl: string | null;
  readonly identity: GuardIdentity;
}

interface Ticket {
  /** What the reader came by: what is given for it bears its id and its time, so that it is revoked with it. */
  readonly shown: Seal;
  /** The label of the host that it is for. */
  readonly host: string;
  readonly to: string;
  readonly expires: number;
}

export interface ContentEntry {
  /** Behind the guard: who may read the build is given a ticket. */
  readonly leave: Router;
  /** Before it: on a content host there is no session to ask for. */
  readonly enter: Router;
}

const ticketSeconds = 60;
/** And never longer than what the reader came by. */
const visitSeconds = 8 * 3600;

export function contentEntry(parts: EntryParts): ContentEntry {
  /** By digest: what is in memory opens nothing. A restart forgets them, and readers ask again. */
  const tickets = new Map<string, Ticket>();
  const [leave, enter] = [Router({ caseSensitive: true }), Router({ caseSensitive: true })];
  leave.get('/:organization/:folder/builds/:number/*path', async (request, response, next) => {
    const { contentUrl } = parts;
    if (contentUrl === null || request.query['open'] === undefined) return next();
    const host = await hostOf(parts, request);
    const reader = readerNow();
    if (reader === 'open' || reader.shown === null) throw notFound();
    const to = request.originalUrl.replace(/([?&])open(=[^&]*)?(&|$)/, '$1').replace(/[?&]$/, '');
    const ticket = randomBytes(32).toString('base64url');
    forgetOld(tickets);
    tickets.set(digestOf(ticket), { shown: reader.shown, host, to, expires: nowSeconds() + ticketSeconds });
    redirect(response, `${contentUrl.replace('*', host)}/-/enter?ticket=${ticket}`);
  });
  enter.get('/-/enter', (request, response) => {
    const given = request.query['ticket'];
    const digest = digestOf(typeof given === 'string' ? given : '');
    const ticket = tickets.get(digest);
    tickets.delete(digest);
    const host = (request.get('host') ?? '').split('.')[0] ?? '';
    const now = nowSeconds();
    if (ticket === undefined || ticket.expires <= now || ticket.host !== host) throw noWayIn();
    const { keeper, isSecure } = parts.identity;
    const { shown, to } = ticket;
    const expires = Math.min(now + visitSeconds, shown.expires);
    const holder = expires <= now ? 'invalid' : holderOf(keeper.table(), shown, addressOf(request), now);
    if (holder === 'stale') throw new MirrorError('ERR_IDENTITY_UNAVAILABLE', 'who may read what cannot be told now');
    if (typeof holder === 'string') {
      noteDecision(response, 'refused', holder);
      throw noWayIn();
    }
    const cookie = seal(keeper.key(), 'content', { ...shown, expires }, host);
    noteDecision(response, 'allowed', 'ticket');
    setCookie(response, `${sessionCookie(isSecure)}-content`, cookie, { isSecure, seconds: expires - now });
    redirect(response, to);
  });
  return { leave, enter };
}

/** As the gate makes it: lighttpd/content.lua. */
async function hostOf({ paths, organization }: EntryParts, request: Request): Promise<string> {
  const build = await readBuildRecord(paths, placeOf(request.params, organization));
  const [key] = /^[0-9a-f]{64}$/im.exec((await readIfPresent(paths.contentKeys)) ?? '') ?? [];
  if (build === null || key === undefined) throw notFound();
  return createHmac('sha256', Buffer.from(key, 'hex'))
    .update(`kitemirror content\n${build.id}`)
    .digest('hex')
    .slice(0, 40);
}

function noWayIn(): MirrorError {
  return new MirrorError(
    'ERR_SIGN_IN_FAILED',
    'this way in was used, or is too old: open the report again from its build',
  );
}

function redirect(response: Response, location: string): void {
  response.status(302).set({ 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer', Location: location }).end();
}

function digestOf(ticket: string): string {
  return createHash('sha256').update(ticket).digest('hex');
}

function forgetOld(tickets: Map<string, Ticket>): void {
  for (const [digest, { expires }] of tickets) if (expires <= nowSeconds()) tickets.delete(digest);
}
