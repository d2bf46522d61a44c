/**
 * Behind a proxy that says with each request who its user is: what it says of their groups now counts from the next page
 * that is composed here on, without a new login.
 */
import type { Request, RequestHandler } from 'express';
import { isOlderWord, saysTheSame } from '../identity/words.ts';
import type { Log } from '../log.ts';
import type { AuthIdentity } from './auth-parts.ts';
import { nowSeconds } from './session.ts';

/** Of so many people it is remembered what was heard last: the others' headers are read once more. */
const mostRemembered = 10_000;

export function followAssertions({ people, keeper }: AuthIdentity, header: string | null, log: Log): RequestHandler {
  /** The token that somebody was last heard by, which says nothing more. */
  const heard = new Map<string, string>();
  const known = new Set<string>();

  async function hear(request: Request): Promise<void> {
    const token = header === null ? undefined : request.get(header);
    if (people === null || token === undefined || known.has(token)) return;
    const asserted = await people.asserted((name) => request.get(name));
    if (asserted === null) return;
    const { person } = asserted;
    const [before, last] = [keeper.subject(person.id), heard.get(person.id)];
    if (before?.kind !== 'user' || isOlderWord(person, before, nowSeconds())) return;
    if (last !== undefined) known.delete(last);
    if (heard.size >= mostRemembered) [heard, known].forEach((each) => each.clear());
    heard.set(person.id, token);
    known.add(token);
    if (saysTheSame(person, before)) return keeper.confirm(person);
    await keeper.admit(person);
    log.info({ subject: person.id }, 'the proxy tells other groups of somebody');
  }

  return async (request, _response, next) => {
    // Who they are is judged by their session: what does not hold changes nothing.
    await hear(request).catch((thrown: unknown) =>
      log.debug({ error: String(thrown) }, 'a proxy’s word does not hold'),
    );
    next();
  };
}
