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
  const { keeper, onLink } = parts.identity;
  const caller = callerOf(parts.identity, request);
  if (caller.subject === null || caller.kind !== 'user')
    throw new MirrorError('ERR_SIGN_IN_REQUIRED', 'sign in to make a link');
  const { path, days = linkDays.usual } = (request.body ?? {}) as { path?: unknown; days?: unknown };
  const link = typeof path === 'string' ? fileAddress(path, parts.origin) : null;
  if (link === null) throw malformed('"path" must be the address of a file of a build, without a query, "." and ".."');
  if (typeof days !== 'number' || !(days > 0 && days <= linkDays.most))
    throw malformed(`"days" must be at most ${linkDays.most}`);
  const [, organization, folder, , number] = link.plain.split('/');
  const place = placeOf({ organization, folder, number } as Request['params'], parts.organization);
  if (!canRead(caller.access, await readLabel(parts.paths, place)))
    throw new MirrorError('ERR_NOT_FOUND', 'there is nothing at this address');
  const issued = nowSeconds();
  const facts = { id: newId(), subject: caller.subject, issued, expires: issued + Math.floor(days * daySeconds) };
  // What the gate compares with is the path as it decodes it.
  link.url.searchParams.set('link', seal(keeper.key(), 'link', facts, link.plain));
  await note(parts, request, {
    action: 'link',
    who: caller.name,
    issuer: caller.issuer,
    id: facts.id,
    what: link.plain,
    reason: 'made a link',
  });
  onLink(facts.subject, facts.expires);
  response.json({ url: link.url.href, id: facts.id, expires_at: new Date(facts.expires * 1000).toISOString() });
}

/**
 * What is judged, put on record and sealed is one path, decoded: none that means another once it is resolved.
 * @returns null for what is no address of a file of a build
 */
function fileAddress(path: string, origin: string): { url: URL; plain: string } | null {
  const plain = decoded(path);
  if (plain === null || /[?#]/.test(path) || !/^\/[^/]+\/[^/]+\/builds\/\d+\/.*[^/]$/su.test(plain)) return null;
  if (
    plain
      .slice(1)
      .split('/')
      .some((part) => ['', '.', '..'].includes(part))
  )
    return null;
  const url = URL.canParse(path, origin) ? new URL(path, origin) : null;
  return url !== null && url.origin === origin && decoded(url.pathname) === plain ? { url, plain } : null;
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
