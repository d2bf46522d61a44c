import { setTimeout as sleep } from 'node:timers/promises';

/** Waits for a condition, looked at often, for a bounded time. @param what may be made when it has been in vain */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string | (() => string),
  timeoutMs = 20_000,
): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > end)
      throw new Error(`waited ${timeoutMs} ms in vain for ${typeof what === 'string' ? what : what()}`);
    await sleep(10);
  }
}
