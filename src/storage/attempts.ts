/** What breaks off is tried again from where it broke off, for as long as it gets on. */
import { setTimeout as sleep } from 'node:timers/promises';
import { toMirrorError } from '../errors.ts';

const maxAttempts = 5;
/** So much is progress, and worth a fresh set of attempts: a 10 GiB artifact may well break off a few times. */
const progressBytes = 1_000_000;

/**
 * @param received how many bytes there are so far
 * @param transfer begins there
 * @throws what `transfer` throws, but ERR_UPSTREAM_UNAVAILABLE only after five attempts without progress
 */
export async function persist(
  received: () => number,
  transfer: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const before = received();
    try {
      await transfer();
      return;
    } catch (thrown) {
      signal.throwIfAborted();
      const error = toMirrorError(thrown);
      if (received() > before + progressBytes) attempt = 1;
      if (error.code !== 'ERR_UPSTREAM_UNAVAILABLE' || attempt >= maxAttempts) throw error;
      await sleep(100 * 2 ** attempt * (0.5 + Math.random()), undefined, { signal });
    }
  }
}
