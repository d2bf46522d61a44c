/**
 * Asks the identity provider again about people who are signed in, so that a change of their groups counts without a new
 * login. Their tokens are kept in memory alone: after a restart, groups are those of the last login until the next.
 */
import { toMirrorError } from '../errors.ts';
import type { Log } from '../log.ts';
import { writeAudit } from '../tree/audit.ts';
import type { DataPaths } from '../tree/paths.ts';
import type { Keeper } from './keeper.ts';
import type { SignedIn } from './people.ts';
import { nameOf } from './subjects.ts';

export interface Regrouping {
  add(signedIn: SignedIn): void;
  /** Asks about everyone, a few at a time. */
  round(): Promise<void>;
}

type Ask = NonNullable<SignedIn['again']>;

/** More at once would be a burden to a provider; one after the other, a slow one would not be through within a minute. */
const atOnce = 8;

export function createRegrouping(
  keeper: Pick<Keeper, 'admit' | 'revoke' | 'subject'>,
  paths: DataPaths,
  log: Log,
): Regrouping {
  const people = new Map<string, Ask>();
  let running: Promise<void> | undefined;

  async function lookAt(id: string, ask: Ask): Promise<void> {
    const told = await ask();
    // Who has signed in once more in the meantime is asked about by their newer tokens.
    if (people.get(id) !== ask) return;
    if (told === 'ended' || told === 'refused') people.delete(id);
    if (told === 'ended') return;
    const before = keeper.subject(id);
    if (told === 'refused') {
      await keeper.revoke({ what: 'subject', value: id, at: Math.floor(Date.now() / 1000) });
      const who = before === null ? id : nameOf(before);
      await writeAudit(paths, {
        action: 'revoke',
        who,
        id,
        reason: 'the identity provider does not vouch for them any more',
      });
      return;
    }
    const isSame =
      before?.kind === 'user' && before.email === told.email && String(before.groups) === String(told.groups);
    if (isSame) return;
    await keeper.admit(told);
    log.info({ subject: id }, 'the identity provider tells other groups of somebody');
  }

  async function round(): Promise<void> {
    const waiting = [...people];
    let failed: unknown;
    const some = async (): Promise<void> => {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop())
        await lookAt(...next).catch((thrown: unknown) => (failed ??= thrown));
    };
    await Promise.all(Array.from({ length: atOnce }, some));
    if (failed === undefined) return;
    const { message: reason } = toMirrorError(failed);
    log.warn({ reason }, 'the identity provider was not heard about everybody, and is asked again soon');
  }

  return {
    add: ({ person, again }) => {
      if (again !== null) people.set(person.id, again);
    },
    round: () => {
      running ??= round().finally(() => {
        running = undefined;
      });
      return running;
    },
  };
}
