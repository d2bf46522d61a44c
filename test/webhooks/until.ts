/** Waits on a condition, in bounded time. */
import { setTimeout as sleep } from 'node:timers/promises';

/** @throws Error naming what did not come about within `timeoutMs` */
export async function until(what: string, isTrue: () => boolean | Promise<boolean>, timeoutMs = 15_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await isTrue())) {
    if (Date.now() > end) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await sleep(10);
  }
}
