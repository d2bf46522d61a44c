/**
 * Asks the identity provider again about people who are signed in, so that a change of their groups counts without a new
 * login, before and after a restart.
 */
import { isDeepStrictEqual } from 'node:util';
import { toMirrorError } from '../errors.ts';
import { type Log, logError } from '../log.ts';
import { writeAudit } from '../tree/audit.ts';
import type { DataPaths } from '../tree/paths.ts';
import type { Keeper } from './keeper.ts';
import { readKeptTokens, writeKeptTokens } from './kept-tokens.ts';
import type { Asking, People, SignedIn } from './people.ts';
import { nameOf } from './subjects.ts';
import { saysTheSame } from './words.ts';

export interface Regrouping {
  add(signedIn: SignedIn): void;
  /** Somebody was given what may outlive their session, and holds until then (seconds since 1970). */
  askUntil(id: string, until: number): void;
  /** Asks about everyone, a few at a time. */
  round(): Promise<void>;
}

/** More at once would be a burden to a provider; one after the other, a slow one would not be through within a minute. */
const atOnce = 8;

/** @param people null where nobody signs in at a provider */
export async function openRegrouping(
  keeper: Pick<Keeper, 'admit' | 'revoke' | 'subject' | 'key' | 'table'>,
  people: Pick<People, 'resume'> | null,
  paths: DataPaths,
  log: Log,
): Promise<Regrouping> {
  const all = new Map<string, Asking>();
  let running: Promise<void> | undefined;
  let keeping = Promise.resolve();
  let isKeepingDue = false;

  if (people !== null) {
    const lost = (why: string): void =>
      log.warn({ why }, 'groups of who is signed in stay those of their last login: their tokens are lost');
    for (const [id, tokens] of await readKeptTokens(paths, keeper.table().keys, lost))
      all.set(id, people.resume(tokens));
  }

  /**
   * What has been refreshed is good for nothing after a restart unless its successor is on disk by then. Who comes while a
   * writing waits for the one before is in it: many tokens end at once.
   */
  function keep(): void {
    if (isKeepingDue) return;
    isKeepingDue = true;
    const write = (): Promise<void> => {
      isKeepingDue = false;
      return writeKeptTokens(paths, keeper.key(), new Map(Array.from(all, ([id, asking]) => [id, asking.tokens()])));
    };
    keeping = keeping
      .then(write)
      .catch((thrown: unknown) =>
        logError(log, thrown, 'by what the provider is asked about people could not be kept'),
      );
  }

  function forget(id: string): void {
    all.delete(id);
    keep();
  }

  async function lookAt(id: string, asking: Asking): Promise<void> {
    // No session and no link of theirs can be left.
    const before = asking.tokens();
    if (before.until * 1000 < Date.now()) return forget(id);
    const told = await asking.ask().finally(() => {
      if (!isDeepStrictEqual(asking.tokens(), before)) keep();
    });
    // Who has signed in once more in the meantime is asked about by their newer tokens.
    if (all.get(id) !== asking) return;
    if (told === 'ended' || told === 'refused') forget(id);
    if (told === 'ended') return;
    const known = keeper.subject(id);
    if (told === 'refused') {
      await keeper.revoke({ what: 'subject', value: id, at: Math.floor(Date.now() / 1000) });
      const who = known === null ? id : nameOf(known);
      await writeAudit(paths, {
        action: 'revoke',
        who,
        id,
        reason: 'the identity provider does not vouch for them any more',
      });
      return;
    }
    if (saysTheSame(told, known)) return;
    await keeper.admit(told);
    log.info({ subject: id }, 'the identity provider tells other groups of somebody');
  }

  async function round(): Promise<void> {
    const waiting = [...all];
    let failed: unknown;
    const some = async (): Promise<void> => {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop())
        await lookAt(...next).catch((thrown: unknown) => (failed ??= thrown));
    };
    await Promise.all(Array.from({ length: atOnce }, some));
    await keeping;
    if (failed === undefined) return;
    const { message: reason } = toMirrorError(failed);
    log.warn({ reason }, 'the identity provider was not heard about everybody, and is asked again soon');
  }

  return {
    add: ({ person, again }) => {
      if (again === null) return;
      const before = all.get(person.id);
      if (before !== undefined) again.goOnUntil(before.tokens().until);
      all.set(person.id, again);
      keep();
    },
    askUntil: (id, until) => {
      const asking = all.get(id);
      if (asking === undefined) return;
      asking.goOnUntil(until);
      keep();
    },
    round: () => {
      running ??= round().finally(() => {
        running = undefined;
      });
      return running;
    },
  };
}
