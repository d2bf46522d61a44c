/**
 * One task of an identity at a time, also where it stands in both queues: each record has one writer. Of the two the one
 * that someone waits for goes first, and the other makes way.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { MirrorError } from '../errors.ts';

/** A holder that died lets go after this; as long as BullMQ takes to notice it. */
const holdMs = 15_000;
const renewEveryMs = holdMs / 3;
/** How soon work that nobody waits for sees that someone now does. */
const lookEveryMs = 150;

export interface Held {
  /** Aborted when the same work is wanted by someone: only ever for work that nobody waited for. */
  readonly yielding: AbortSignal;
  release(): Promise<void>;
}

export interface Hold {
  /** @returns null when the task is at work elsewhere; work that someone waits for has then asked it to make way */
  take(identity: string, yields: boolean): Promise<Held | null>;
}

const askAgainMs = 200;

/**
 * Does work while no task of this identity runs anywhere; waits for one that does. The work's signal is aborted where the
 * hold is lost: what takes long must look at it.
 * @throws what ends the wait, or MirrorError ERR_YIELDED when the hold was lost in the middle
 */
export async function whileHolding<T>(
  hold: Hold,
  identity: string,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  let held = await hold.take(identity, false);
  while (held === null) {
    await sleep(askAgainMs, undefined, { signal });
    held = await hold.take(identity, false);
  }
  try {
    signal.throwIfAborted();
    const done = await work(AbortSignal.any([signal, held.yielding]));
    held.yielding.throwIfAborted();
    return done;
  } finally {
    await held.release();
  }
}

const renewScript = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0`;
const releaseScript = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`;

export function createHold(redis: Redis): Hold {
  return {
    take: async (identity, yields) => {
      const key = `kitemirror:hold:${identity}`;
      const wanted = `kitemirror:wanted:${identity}`;
      const holder = randomUUID();
      if ((await redis.set(key, holder, 'PX', holdMs, 'NX')) === null) {
        if (!yields) await redis.set(wanted, '1', 'PX', holdMs);
        return null;
      }
      const yielding = new AbortController();
      const look = async (): Promise<void> => {
        if ((await redis.exists(wanted)) === 1)
          yielding.abort(new MirrorError('ERR_YIELDED', 'someone waits for this task now'));
      };
      const renew = async (): Promise<void> => {
        if ((await redis.eval(renewScript, 1, key, holder, holdMs)) === 1) return;
        // Redis was flushed, or it was away for longer than the hold: another may hold it by now.
        yielding.abort(new MirrorError('ERR_YIELDED', 'the hold on this task was lost'));
      };
      const renewal = setInterval(() => void renew().catch(giveUp), renewEveryMs);
      const looking = yields ? setInterval(() => void look().catch(giveUp), lookEveryMs) : undefined;
      // A Redis that is away is waited for; what it refuses for good ends the task, which then starts anew.
      const giveUp = (thrown: unknown): void =>
        yielding.abort(new MirrorError('ERR_YIELDED', 'Redis refuses', {}, thrown));
      return {
        yielding: yielding.signal,
        release: async () => {
          clearInterval(renewal);
          clearInterval(looking);
          await redis.eval(releaseScript, 1, key, holder);
          if (!yields) await redis.del(wanted);
        },
      };
    },
  };
}
