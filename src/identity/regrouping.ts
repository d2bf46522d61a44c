/**
 * Asks the identity provider again about people who are signed in, so that a change of their groups counts without a new
 * login. Their access tokens are kept in memory alone: after a restart, groups are those of the last login until the next.
 */
import type { Log } from '../log.ts';
import type { Keeper } from './keeper.ts';
import type { SignedIn } from './people.ts';

export interface Regrouping {
  add(signedIn: SignedIn): void;
  /** Asks about everyone, one after the other. */
  round(): Promise<void>;
}

export function createRegrouping(keeper: Pick<Keeper, 'admit' | 'subject'>, log: Log): Regrouping {
  const people = new Map<string, NonNullable<SignedIn['again']>>();
  let running = false;

  async function round(): Promise<void> {
    for (const [id, ask] of people) {
      const now = await ask();
      if (now === null) {
        // The token has ended, or the person has: their session goes on until it ends or is revoked.
        people.delete(id);
        continue;
      }
      const before = keeper.subject(id);
      const isSame =
        before?.kind === 'user' && before.email === now.email && String(before.groups) === String(now.groups);
      if (isSame) continue;
      await keeper.admit(now);
      log.info({ subject: id }, 'the identity provider tells other groups of somebody');
    }
  }

  return {
    add: ({ person, again }) => {
      if (again !== null) people.set(person.id, again);
    },
    round: async () => {
      if (running) return;
      running = true;
      await round().finally(() => {
        running = false;
      });
    },
  };
}
