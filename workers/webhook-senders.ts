/** Reads once a day which addresses Buildkite sends webhooks from, where deliveries are limited to them. */
import { readWebhookRanges } from '../src/buildkite/meta.ts';
import type { Rest } from '../src/buildkite/rest.ts';
import { toMirrorError } from '../src/errors.ts';
import type { Log } from '../src/log.ts';
import type { DataPaths } from '../src/tree/paths.ts';
import { readSenders, writeSenders } from '../src/tree/webhook-senders.ts';

export interface SenderCareOptions {
  readonly rest: Rest;
  readonly paths: DataPaths;
  readonly log: Log;
  /** ms since 1970 */
  readonly now?: () => number;
}

const dayMs = 86_400_000;

/** Never throws for what Buildkite answers: the last good list stays in force. */
export function createSenderCare({ rest, paths, log, now = Date.now }: SenderCareOptions) {
  return async (signal: AbortSignal): Promise<void> => {
    const known = await readSenders(paths);
    if (known !== null && Math.abs(now() - known.readAt) < dayMs) return;
    try {
      const ranges = await readWebhookRanges(rest, signal);
      await writeSenders(paths, ranges);
      if (ranges.join() !== known?.ranges.join()) log.info({ ranges }, 'Buildkite sends webhooks from these addresses');
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      const { code, message } = toMirrorError(thrown);
      const inForce = known === null ? 'none: deliveries are taken from everywhere' : 'the last good list';
      log.warn({ code, error: message, inForce }, 'the addresses of Buildkite’s webhooks could not be read');
    }
  };
}
