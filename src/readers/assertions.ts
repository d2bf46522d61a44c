/**
 * Behind a proxy that says with each request who its user is: what it says of their groups now counts from the next page
 * that is composed here on, without a new login.
 */
import type { Request, RequestHandler } from 'express';
import type { Log } from '../log.ts';
import type { AuthIdentity } from './auth-parts.ts';

/** Of so many people it is remembered what was heard last: the others' headers are read once more. */
const mostRemembered = 10_000;

interface Heard {
  /** Of its `iat`: an older word that is still good must not undo a newer one. */
  readonly at: number;
  readonly token: string;
}

export function followAssertions({ people, keeper }: AuthIdentity, header: string | null, log: Log): RequestHandler {
  const heard = new Map<string, Heard>();
  const known = new Set<string>();

  async function hear(request: Request): Promise<void> {
    const token = header === null ? undefined : request.get(header);
    if (people === null || token === undefined || known.has(token)) return;
    const asserted = await people.asserted((name) => request.get(name));
    if (asserted === null) return;
    const { person, claims } = asserted;
    const [before, last] = [keeper.subject(person.id), heard.get(person.id)];
    const at = claims.iat ?? 0;
    if (before?.kind !== 'user' || (last !== undefined && at < last.at)) return;
    if (last !== undefined) known.delete(last.token);
    if (heard.size >= mostRemembered) [heard, known].forEach((each) => each.clear());
    heard.set(person.id, { at, token });
    known.add(token);
    if (before.email === person.email && String(before.groups) === String(person.groups)) return;
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
