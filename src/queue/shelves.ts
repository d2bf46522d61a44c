/** Short-lived values that workers share, in the same Redis as the queue. */
import type { Redis } from 'ioredis';
import type { ShelfStore } from '../buildkite/link-shelf.ts';

export function shelfStore(redis: Redis): ShelfStore {
  return {
    set: async (key, value, keepMs) => void (await redis.set(key, value, 'PX', keepMs)),
    get: (key) => redis.getBuffer(key),
  };
}
