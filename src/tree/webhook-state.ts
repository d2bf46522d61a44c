/** state/webhook.json: what the last look at Buildkite's notification service found, for metrics and `status`. */
import { z } from 'zod';
import { readIfPresent, writeDerived } from './files.ts';
import type { DataPaths } from './paths.ts';

export const WebhookState = z.object({
  version: z.literal(1),
  /** ISO 8601 */
  checkedAt: z.string(),
  /** null: the token may not look. */
  healthy: z.boolean().nullable(),
  /** What is wrong with it, in sentences; empty where all is well. */
  findings: z.array(z.string()),
});
export type WebhookState = z.infer<typeof WebhookState>;

/** @returns null where nobody has looked, or what was written cannot be read: the next look writes it anew */
export async function readWebhookState(paths: DataPaths): Promise<WebhookState | null> {
  const text = await readIfPresent(paths.webhookState);
  if (text === null) return null;
  try {
    return WebhookState.safeParse(JSON.parse(text)).data ?? null;
  } catch (fault) {
    if (fault instanceof SyntaxError) return null;
    throw fault;
  }
}

export async function writeWebhookState(paths: DataPaths, state: WebhookState): Promise<void> {
  await writeDerived(paths, paths.webhookState, `${JSON.stringify(state)}\n`);
}
