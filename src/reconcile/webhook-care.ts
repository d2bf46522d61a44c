/**
 * Whether Buildkite's notification service for this mirror is as it must be, and what would mend it. Without it the
 * mirror hears nothing and learns of builds by comparing alone.
 */
import type { Services, WebhookChange, WebhookService } from '../buildkite/services.ts';

export const wantedEvents = ['build.finished', 'job.finished'] as const;

export interface WantedWebhook {
  /** Where deliveries go. */
  readonly url: string;
  readonly mode: 'signature' | 'token';
  /** Those that the receiver accepts; null: not known here. */
  readonly tokens: readonly string[] | null;
}

/** `absent`: there is no service with this mirror's address · the rest: what of it is wrong. */
export type FindingCode = 'absent' | 'disabled' | 'events' | 'mode' | 'token' | 'tls' | 'scope' | 'branches';

export interface Finding {
  readonly code: FindingCode;
  readonly message: string;
}

export interface Inspection {
  readonly service: WebhookService | null;
  readonly findings: readonly Finding[];
}

export function webhookUrl(mirrorUrl: URL): string {
  return new URL('/-/webhooks/buildkite', mirrorUrl).href;
}

export function inspectWebhooks(services: readonly WebhookService[], wanted: WantedWebhook): Inspection {
  const ours = services.filter(({ settings }) => sameAddress(settings.url, wanted.url));
  // Of several the one that works is what counts.
  const service = ours.find(({ enabled }) => enabled) ?? ours[0] ?? null;
  if (service === null) {
    return { service, findings: [{ code: 'absent', message: `Buildkite has no webhook for ${wanted.url}` }] };
  }
  return { service, findings: faultsOf(service, wanted) };
}

function sameAddress(told: string, wanted: string): boolean {
  return URL.canParse(told) && new URL(told).href === new URL(wanted).href;
}

function faultsOf(
  { enabled, scope, branch_configuration: branches, settings }: WebhookService,
  wanted: WantedWebhook,
): Finding[] {
  const missing = wantedEvents.filter((event) => !settings.events.includes(event));
  const isHttps = wanted.url.startsWith('https:');
  const all: [boolean, FindingCode, string][] = [
    [!enabled, 'disabled', 'the webhook is disabled, by someone or by Buildkite after deliveries failed (broken)'],
    [missing.length > 0, 'events', `the webhook does not send ${missing.join(' and ')}`],
    [
      settings.token_mode !== wanted.mode,
      'mode',
      `the webhook proves itself by ${settings.token_mode || 'token'}, BUILDKITE_WEBHOOK_MODE is ${wanted.mode}`,
    ],
    [
      wanted.tokens !== null && !wanted.tokens.includes(settings.token),
      'token',
      'the webhook has a token that is not in BUILDKITE_WEBHOOK_TOKEN',
    ],
    [isHttps && !settings.tls_verify, 'tls', 'the webhook does not verify the mirror’s TLS certificate'],
    [
      scope !== 'all' && scope !== '',
      'scope',
      `the webhook is for ${scope} only: other pipelines are found by comparing alone`,
    ],
    [branches !== '', 'branches', 'the webhook is limited to some branches: others are found by comparing alone'],
  ];
  return all.filter(([isWrong]) => isWrong).map(([, code, message]) => ({ code, message }));
}

/** Scope and branches may be meant so: they are told and never changed. */
export const repairable: ReadonlySet<FindingCode> = new Set(['disabled', 'events', 'mode', 'token', 'tls']);

/** @returns what was repaired; empty where there was nothing that may be */
export async function repairWebhook(
  services: Services,
  { service, findings }: Inspection,
  wanted: WantedWebhook,
  signal: AbortSignal,
): Promise<FindingCode[]> {
  if (service === null) return [];
  const codes = new Set(findings.map(({ code }) => code).filter((code) => repairable.has(code)));
  const settings: NonNullable<WebhookChange['settings']> = {
    ...(codes.has('events') ? { events: [...new Set([...service.settings.events, ...wantedEvents])] } : {}),
    ...(codes.has('mode') ? { token_mode: wanted.mode } : {}),
    ...(codes.has('token') && wanted.tokens?.[0] !== undefined ? { token: wanted.tokens[0] } : {}),
    ...(codes.has('tls') ? { tls_verify: true } : {}),
  };
  if (Object.keys(settings).length > 0) await services.update(service.id, { settings }, signal);
  if (codes.has('disabled')) await services.enable(service.id, signal);
  return [...codes];
}

/** @returns the new service, which sends a ping at once */
export function installWebhook(
  services: Services,
  wanted: WantedWebhook & { readonly token: string },
  signal: AbortSignal,
): Promise<WebhookService> {
  const { url, mode, token } = wanted;
  const settings = { url, token, token_mode: mode, events: [...wantedEvents], tls_verify: true };
  return services.create({ description: 'Kitemirror', scope: 'all', branch_configuration: '', settings }, signal);
}
