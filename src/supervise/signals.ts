/** How a person or a service manager ends a stack: the first signal asks, the second forces. */
import type { Stack } from './stack.ts';

export interface Leave {
  /** Aborted once the end is asked for. */
  readonly signal: AbortSignal;
  readonly asked: Promise<void>;
  /** The stack that a second signal kills. */
  forceWith(stack: Stack): void;
}

const exitForced = 130;

/** Ctrl-C, SIGTERM, a closed terminal, a reader of our output that went away. */
export function leaveOnSignals(): Leave {
  const controller = new AbortController();
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  let started: Stack | undefined;
  const end = (): void => {
    if (controller.signal.aborted) {
      started?.kill();
      process.exit(exitForced);
    }
    controller.abort();
    resolve();
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, end);
  process.stdout.once('error', end);
  return { signal: controller.signal, asked, forceWith: (stack) => (started = stack) };
}
