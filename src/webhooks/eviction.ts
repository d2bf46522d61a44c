/**
 * Whether Redis may evict, and lose what it was given without an error. Deliveries are accepted all the same: the journal has
 * them. Looked at beside everything else, at each connection and then in intervals, so that neither start nor answers wait.
 */
import { toMirrorError } from '../errors.ts';
import { type Log, logError } from '../log.ts';
import type { TaskQueue } from '../queue/queue.ts';

export interface Eviction {
  /** What is wrong; null: nothing, as far as is known. */
  readonly fault: string | null;
  stop(): void;
}

const lookEveryMs = 30_000;

export function watchEviction(queue: Pick<TaskQueue, 'onReady' | 'refuseEviction'>, log: Log): Eviction {
  let fault: string | null = null;
  const look = async (): Promise<void> => {
    try {
      await queue.refuseEviction();
      if (fault !== null) log.info('Redis keeps what it is given now');
      fault = null;
    } catch (thrown) {
      const error = toMirrorError(thrown);
      // One that is away says nothing of what it does, and others tell of its absence.
      if (error.code !== 'ERR_QUEUE_UNSAFE') return;
      if (fault === null) logError(log, error, 'deliveries are accepted, and the receiver is not ready');
      fault = error.message;
    }
  };
  queue.onReady(() => void look());
  const looking = setInterval(() => void look(), lookEveryMs);
  return {
    get fault() {
      return fault;
    },
    stop: () => clearInterval(looking),
  };
}
