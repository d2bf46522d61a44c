/** Ordered shutdown: what was opened last is closed first, each step bounded, the whole cut off by a timer. */
import type { Log } from './log.ts';

export interface Stopper {
  /** Registers a step; steps run in reverse order of registration. */
  add(name: string, step: () => unknown): void;
  /** Runs every step once; later calls wait for the same end. A step that fails or hangs does not keep the others back. */
  stop(): Promise<void>;
}

export function createStopper(log: Log, stepTimeoutMs = 10_000): Stopper {
  const steps: { name: string; step: () => unknown }[] = [];
  let ending: Promise<void> | undefined;
  async function run(): Promise<void> {
    for (const { name, step } of steps.toReversed()) {
      const outcome = await bounded(step, stepTimeoutMs);
      if (outcome !== 'done') log.warn({ step: name, outcome }, 'a part did not stop cleanly');
    }
  }
  return {
    add: (name, step) => steps.push({ name, step }),
    stop: () => (ending ??= run()),
  };
}

async function bounded(step: () => unknown, timeoutMs: number): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, `not within ${timeoutMs} ms`);
  });
  const work = Promise.resolve()
    .then(step)
    .then(
      () => 'done',
      (reason: unknown) => (reason instanceof Error ? reason.message : String(reason)),
    );
  const outcome = await Promise.race([work, late]);
  clearTimeout(timer);
  return outcome;
}

/** A little more than a supervisor gives any of the programs that stop so: who has none ends all the same. */
const wholeTimeoutMs = 24_000;
/** How long what is gone may come back, seen gone each time that it is looked at. */
const goneMs = 3000;
const lookEveryMs = 200;

export interface StopOptions {
  /** Whether the end of our stdin is one of ours: the supervisor that holds it has gone away. */
  readonly watchStdin?: boolean;
  /** Whether what the steps need to end in order is not there (Redis, in which tasks are handed back). */
  readonly isGone?: () => boolean;
}

/**
 * Stops on SIGTERM and SIGINT, then exits with 0. With 1 where that takes too long, or is waited for in vain: a supervisor
 * that was killed has taken Redis with it.
 */
export function stopOnSignals(stopper: Stopper, log: Log, options: StopOptions = {}): void {
  const { watchStdin = false, isGone = () => false } = options;
  const giveUp = (why: string): never => {
    log.warn({ why }, 'not stopped in order: ended as it is, and what was under way is done again');
    process.exit(1);
  };
  const end = (): void => {
    setTimeout(giveUp, wholeTimeoutMs, `not within ${wholeTimeoutMs} ms`).unref();
    let gone = 0;
    const look = (): void => {
      gone = isGone() ? gone + 1 : 0;
      if (gone * lookEveryMs >= goneMs) giveUp('what it needs to stop in order is gone');
    };
    setInterval(look, lookEveryMs).unref();
    void stopper.stop().then(() => process.exit(0));
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  if (watchStdin) process.stdin.on('end', end).on('error', end).resume();
}
