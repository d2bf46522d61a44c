/** Looks at Buildkite's webhook with each comparison, says when something is wrong with it, and mends it if it may. */
import type { Services } from '../src/buildkite/services.ts';
import { toMirrorError } from '../src/errors.ts';
import type { Log } from '../src/log.ts';
import { inspectWebhooks, repairWebhook, type WantedWebhook } from '../src/reconcile/webhook-care.ts';
import type { DataPaths } from '../src/tree/paths.ts';
import { writeWebhookState } from '../src/tree/webhook-state.ts';

export interface WebhookCareOptions {
  readonly services: Services;
  readonly wanted: WantedWebhook;
  /** KITEMIRROR_WEBHOOK_REPAIR */
  readonly mayRepair: boolean;
  readonly paths: DataPaths;
  readonly log: Log;
}

/** A token that may not look will not be allowed to by asking again soon. */
const restAfterRefusalMs = 3_600_000;

export function createWebhookCare(options: WebhookCareOptions): (signal: AbortSignal) => Promise<void> {
  const { paths, log } = options;
  let restUntil = 0;
  let said = '';
  return async (signal) => {
    if (Date.now() < restUntil) return;
    try {
      const findings = await look(options, signal);
      const now = findings.join(' · ');
      if (now !== said && findings.length > 0)
        log.warn({ findings }, 'the webhook at Buildkite is not as it should be');
      if (now === '' && said !== '') log.info('the webhook at Buildkite is as it should be again');
      said = now;
      await note(paths, findings.length === 0, findings);
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      const { code, message } = toMirrorError(thrown);
      if (code === 'ERR_UPSTREAM_DENIED' || code === 'ERR_UPSTREAM_GONE') {
        restUntil = Date.now() + restAfterRefusalMs;
        await note(paths, null, []);
      }
      log.info({ code, error: message }, 'the webhook at Buildkite could not be looked at');
    }
  };
}

async function look({ services, wanted, mayRepair, log }: WebhookCareOptions, signal: AbortSignal): Promise<string[]> {
  let inspection = inspectWebhooks(await services.webhooks(signal), wanted);
  const repaired = mayRepair ? await repairWebhook(services, inspection, wanted, signal) : [];
  if (repaired.length > 0) {
    log.warn({ repaired }, 'the webhook at Buildkite was repaired');
    inspection = inspectWebhooks(await services.webhooks(signal), wanted);
  }
  return inspection.findings.map(({ message }) => message);
}

function note(paths: DataPaths, healthy: boolean | null, findings: string[]): Promise<void> {
  return writeWebhookState(paths, { version: 1, checkedAt: new Date().toISOString(), healthy, findings });
}
