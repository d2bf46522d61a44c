/** Links that open one file to whoever has them. */
import type { Request, Response } from 'express';
import { MirrorError } from '../errors.ts';
import { canRead } from '../identity/decide.ts';
import { seal } from '../identity/seals.ts';
import { newId } from '../identity/state.ts';
import { readLabel } from '../tree/labels.ts';
import { placeOf } from './address.ts';
import { type AuthParts, malformed, note } from './auth-parts.ts';
import { callerOf } from './guard.ts';
import { nowSeconds } from './session.ts';

const linkDays = { usual: 7, most: 30 };
const daySeconds = 86_400;

/** To a file that its maker may read; whoever has it may read it too, for as long as they may. */
export async function makeLink(parts: AuthParts, request: Request, response: Response): Promise<void> {
  const { keeper } = parts.identity;
  const caller = callerOf(parts.identity, request);
  if (caller.subject === null || caller.kind !== 'user')
    throw new MirrorError('ERR_SIGN_IN_REQUIRED', 'sign in to make a link');
  const { path, days = linkDays.usual } = (request.body ?? {}) as { path?: unknown; days?: unknown };
  const match = typeof path === 'string' ? /^\/([^/]+)\/([^/]+)\/builds\/(\d+)\/[^?#]*[^/?#]$/.exec(path) : null;
  if (match === null || typeof path !== 'string')
    throw malformed('"path" must be the address of a file of a build, without a query');
  if (typeof days !== 'number' || !(days > 0 && days <= linkDays.most))
    throw malformed(`"days" must be at most ${linkDays.most}`);
  const [, organization, folder, number] = match;
  const place = placeOf({ organization, folder, number } as Request['params'], parts.organization);
  if (!canRead(caller.access, await readLabel(parts.paths, place)))
    throw new MirrorError('ERR_NOT_FOUND', 'there is nothing at this address');
  const issued = nowSeconds();
  const facts = { id: newId(), subject: caller.subject, issued, expires: issued + Math.floor(days * daySeconds) };
  const link = new URL(path, parts.origin);
  // What the gate compares with is the path as it decodes it.
  link.searchParams.set('link', seal(keeper.key(), 'link', facts, decodeURIComponent(link.pathname)));
  await note(parts, request, {
    action: 'link',
    who: caller.name,
    issuer: caller.issuer,
    id: facts.id,
    what: path,
    reason: 'made a link',
  });
  response.json({ url: link.href, id: facts.id, expires_at: new Date(facts.expires * 1000).toISOString() });
}
