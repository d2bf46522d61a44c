/** One holder at a time, over all processes that share this Redis. A holder that dies lets go after `holdMs`. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { MirrorError } from '../errors.ts';

const holdMs = 30_000;
const patienceMs = 60_000;

/** Only the holder may let go. */
const releaseScript = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`;

export function createLock(redis: Redis): <T>(name: string, work: () => Promise<T>) => Promise<T> {
  return async (name, work) => {
    const key = `kitemirror:lock:${name}`;
    const holder = randomUUID();
    const until = Date.now() + patienceMs;
    while ((await redis.set(key, holder, 'PX', holdMs, 'NX')) === null) {
      if (Date.now() > until) throw new MirrorError('ERR_QUEUE_UNAVAILABLE', 'a lock is not let go', { lock: name });
      await sleep(20 + Math.random() * 30);
    }
    try {
      return await work();
    } finally {
      await redis.eval(releaseScript, 1, key, holder);
    }
  };
}
