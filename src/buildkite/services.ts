/**
 * Buildkite's notification services of the kind `webhook`. The token in their settings is a secret: it is compared and
 * sent back, never printed.
 * @see https://buildkite.com/docs/apis/rest-api/organizations/notification-services
 */
import { z } from 'zod';
import { Uuid } from '../model.ts';
import { parse, parseLinks, readBody } from './client.ts';
import type { Rest } from './rest.ts';

const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '');

export const WebhookService = z.object({
  id: Uuid,
  description: text,
  enabled: z.boolean(),
  scope: text,
  branch_configuration: text,
  settings: z.object({
    url: text,
    token: text,
    token_mode: text,
    events: z
      .array(z.string())
      .nullish()
      .transform((events) => events ?? []),
    tls_verify: z
      .boolean()
      .nullish()
      .transform((verify) => verify ?? true),
  }),
});
export type WebhookService = z.infer<typeof WebhookService>;

/** What is set of a service; what is not named stays as it is. */
export interface WebhookChange {
  readonly description?: string;
  readonly scope?: 'all';
  readonly branch_configuration?: string;
  readonly settings?: Partial<WebhookService['settings']>;
}

export interface Services {
  /** Those of the kind `webhook`, whatever their address. @throws MirrorError ERR_UPSTREAM_DENIED without the scope */
  webhooks(signal: AbortSignal): Promise<WebhookService[]>;
  create(change: WebhookChange, signal: AbortSignal): Promise<WebhookService>;
  update(id: string, change: WebhookChange, signal: AbortSignal): Promise<WebhookService>;
  /** Clears a disabled or broken state. */
  enable(id: string, signal: AbortSignal): Promise<WebhookService>;
}

const Listed = z.object({
  items: z.array(z.object({ provider: z.object({ id: z.string() }) }).loose()),
  links: z.object({ next: z.string().nullish() }).nullish(),
});
/** An organization has at most 15 webhooks. */
const maxPages = 20;

export function createServices(rest: Rest, organization: string): Services {
  const base = `/organizations/${encodeURIComponent(organization)}/services`;

  async function change(method: 'POST' | 'PATCH' | 'PUT', path: string, body: unknown, signal: AbortSignal) {
    const answer = await rest({ path: base + path, purpose: 'services', signal, method, body, expect: [200, 201] });
    return parse(await readBody(answer, 'services'), WebhookService, 'services');
  }

  return {
    webhooks: async (signal) => {
      const found: WebhookService[] = [];
      let query = '?per_page=100';
      for (let page = 1; page <= maxPages; page += 1) {
        const answer = await rest({ path: base + query, purpose: 'services', signal });
        const { items, links } = parse(await readBody(answer, 'services'), Listed, 'services');
        const ours = items.filter(({ provider }) => provider.id === 'webhook');
        found.push(...ours.map((item) => parse(item, WebhookService, 'services')));
        // Only the query is used, on our own path: a link cannot lead the token elsewhere.
        const next = parseLinks(`<${links?.next ?? ''}>; rel="next"`)['next'];
        if (next === undefined) break;
        query = next.search;
      }
      return found;
    },
    create: (wanted, signal) => change('POST', '', { provider: 'webhook', ...wanted }, signal),
    update: (id, wanted, signal) => change('PATCH', `/${id}`, wanted, signal),
    enable: (id, signal) => change('PUT', `/${id}/enable`, undefined, signal),
  };
}
