/** What the tasks that keep house share besides a worker's own: the policy, holds on others' tasks, counters. */
import type { RetentionPolicy } from '../src/config/retention.ts';
import type { WorkerContext } from './context.ts';

/** Why something was removed: a metric's label. */
export type RemovalReason = 'age' | 'count' | 'bytes' | 'unlinked' | 'purge' | 'damage';

export interface Upkeep extends WorkerContext {
  /** The one in force; another object once it is another. */
  readonly policy: () => RetentionPolicy;
  /** ms between two comparisons with upstream. */
  readonly compareEveryMs: number;
  /** Bytes a second that are read to check what is stored; null: none. */
  readonly verifyRate: number | null;
  /** Does the work while no task of that identity runs anywhere: records have one writer at a time. */
  readonly holding: <T>(identity: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>) => Promise<T>;
  readonly onRemoved: (what: 'artifact' | 'log' | 'build' | 'blob', reason: RemovalReason, count: number) => void;
  readonly onVerified: (sound: number, damaged: number, bytes: number) => void;
  readonly onFreed: (bytes: number) => void;
}
