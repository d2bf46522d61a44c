/** Gauges of what is one for the whole mirror, whoever asks: queues, gaps, budgets, the disk. */
import type { Registry } from 'prom-client';
import type { Log } from '../log.ts';
import { joined, one, sourcedGauges } from './sourced-gauges.ts';

/** Where the global gauges come from. A source that fails or is late takes its series away until it answers again. */
export interface GlobalSources {
  tasks(): Promise<readonly { queue: string; state: string; count: number }[]>;
  budgets(): Promise<readonly { api: string; scope: string; remaining: number }[]>;
  /** `oldestSince`: when the build that has waited longest was noted (ms since 1970); null when none waits. */
  gaps(): Promise<{ unsettled: number; oldestSince: number | null }>;
  totals(): Promise<{ incomplete: number; lost: number; logicalBytes: number; storedBytes: number }>;
  diskFreeBytes(): Promise<number>;
  /** When the last complete comparison with upstream ended (ms since 1970); null: there was none. */
  reconciledAt(): Promise<number | null>;
  /** Whether Buildkite's webhook is as it should be; null: nobody could look. */
  webhookHealthy(): Promise<boolean | null>;
  /** When the grants were last known to be right (ms since 1970); null: identity is off, or they never were. */
  grantsRightAt(): Promise<number | null>;
  /** Hints that the journal holds now. */
  journalEntries(): number;
}

export function declareGlobals(registry: Registry, sources: GlobalSources, log: Log): void {
  const gauge = sourcedGauges(registry, log);
  const gaps = joined(() => sources.gaps());
  const totals = joined(() => sources.totals());
  gauge('journal_entries', 'Accepted hints that the journal holds.', [], async () => one(sources.journalEntries()));
  gauge('tasks', 'Tasks by queue and state.', ['queue', 'state'], async () =>
    (await sources.tasks()).map(({ count, ...labels }) => ({ labels, value: count })),
  );
  gauge('upstream_budget_remaining', 'Requests that may still be spent upstream now.', ['api', 'scope'], async () =>
    (await sources.budgets()).map(({ remaining, ...labels }) => ({ labels, value: remaining })),
  );
  gauge('builds_unsettled', 'Builds of which something is pending or failed.', [], async () =>
    one((await gaps()).unsettled),
  );
  gauge('oldest_gap_seconds', 'Age of the unsettled build that has waited longest; 0: none waits.', [], async () => {
    const { oldestSince } = await gaps();
    return one(oldestSince === null ? 0 : Math.max(0, (Date.now() - oldestSince) / 1000));
  });
  gauge('builds_incomplete', 'Builds of which something that is expected is absent.', [], async () =>
    one((await totals()).incomplete),
  );
  gauge('artifacts_lost', 'Files that were gone upstream before they were mirrored.', [], async () =>
    one((await totals()).lost),
  );
  gauge(
    'tree_bytes',
    'Bytes of mirrored files: logical as readers see them, stored as disks do.',
    ['kind'],
    async () => {
      const { logicalBytes, storedBytes } = await totals();
      return [
        { labels: { kind: 'logical' }, value: logicalBytes },
        { labels: { kind: 'stored' }, value: storedBytes },
      ];
    },
  );
  gauge('reconcile_age_seconds', 'Time since the last complete comparison with Buildkite.', [], async () => {
    const at = await sources.reconciledAt();
    return at === null ? [] : one(Math.max(0, (Date.now() - at) / 1000));
  });
  gauge('webhook_healthy', '1: the webhook is as it should be at Buildkite; 0: it is not.', [], async () => {
    const healthy = await sources.webhookHealthy();
    return healthy === null ? [] : one(Number(healthy));
  });
  gauge('grants_age_seconds', 'Time since it was known who may read what; from 900 on it is refused.', [], async () => {
    const at = await sources.grantsRightAt();
    return at === null ? [] : one(Math.max(0, (Date.now() - at) / 1000));
  });
  gauge('disk_free_bytes', 'Free bytes on the disk of the data folder.', [], async () =>
    one(await sources.diskFreeBytes()),
  );
}
