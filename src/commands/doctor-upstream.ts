/** What the doctor asks Buildkite: who the token is, what time it is, how the webhook stands. */
import { type AccessToken, neededScopes, readAccessToken } from '../buildkite/access-token.ts';
import { createServices } from '../buildkite/services.ts';
import type { Config } from '../config.ts';
import { formatDuration } from '../durations.ts';
import { MirrorError, toMirrorError } from '../errors.ts';
import { inspectWebhooks } from '../reconcile/webhook-care.ts';
import type { CommandContext } from './command.ts';
import type { Check, Finding } from './finding.ts';
import { openUncountedRest } from './parts.ts';
import { wantedWebhook } from './webhook.ts';

type Found = Omit<Finding, 'check'>;

const dayMs = 86_400_000;
/** Deliveries count within 300 s; half a minute is already no clock that is kept. */
const clockWarnMs = 30_000;
const clockFailMs = 300_000;
const tokens = 'https://buildkite.com/user/api-access-tokens';

/** How long before its end the token is warned of. @throws MirrorError ERR_REQUEST_MALFORMED */
export function warnBeforeMs({ values }: Pick<CommandContext, 'values'>): number {
  const { days = '7' } = values;
  const count = Number(days);
  if (!/^\d+$/.test(String(days)) || count < 1 || count > 365)
    throw new MirrorError('ERR_REQUEST_MALFORMED', `--days is "${String(days)}", not a whole number from 1 to 365`);
  return count * dayMs;
}

export const checkToken: Check = async (context) => {
  const { config, secrets } = context.settings();
  if (secrets.apiToken === null) {
    return [{ grade: 'fail', found: 'BUILDKITE_API_TOKEN is not set', remedy: `make one at ${tokens}` }];
  }
  try {
    const token = await readAccessToken(openUncountedRest(context), context.signal);
    return [
      scopesOf(token),
      ...surplusOf(token, config),
      expiryOf(token, warnBeforeMs(context)),
      clockOf(token.at - Date.now()),
    ];
  } catch (thrown) {
    const { code, message } = toMirrorError(thrown);
    if (code === 'ERR_UPSTREAM_DENIED')
      return [{ grade: 'fail', found: message, remedy: `make a new one at ${tokens}` }];
    const remedy = `can this machine reach ${config.apiUrl.origin}? (DNS, firewall, BUILDKITE_API_URL)`;
    return [{ grade: 'fail', found: message, remedy }];
  }
};

function scopesOf({ scopes }: AccessToken): Found {
  const missing = neededScopes.filter((scope) => !scopes.includes(scope));
  if (missing.length === 0) return { grade: 'ok', found: 'the API token has the scopes that are needed', remedy: null };
  return { grade: 'fail', found: `the API token lacks ${missing.join(', ')}`, remedy: `give it these at ${tokens}` };
}

/** Whoever has the token may do with it what the mirror never does. */
function surplusOf({ scopes }: AccessToken, { graphql, webhookRepair }: Config): Found[] {
  const used: string[] = [...neededScopes, 'read_notification_services'];
  if (graphql !== 'off') used.push('graphql');
  if (webhookRepair) used.push('write_notification_services');
  const surplus = scopes.filter((scope) => !used.includes(scope));
  if (surplus.length === 0) return [];
  const remedy = `take them away at ${tokens}; write_notification_services is for \`webhook install\` and \`repair\` alone`;
  return [{ grade: 'warn', found: `the API token may do more than is used: ${surplus.join(', ')}`, remedy }];
}

function expiryOf({ expires_at: at }: AccessToken, warnMs: number): Found {
  if (at === null)
    return { grade: 'ok', found: 'the API token does not expire, as far as Buildkite says', remedy: null };
  const leftMs = Date.parse(at) - Date.now();
  const found =
    leftMs < 0 ? `the API token has expired at ${at}` : `the API token expires in ${formatDuration(leftMs)}`;
  const remedy = `make a new one in time, and put it into BUILDKITE_API_TOKEN_FILE: no restart is needed`;
  if (leftMs < 0) return { grade: 'fail', found, remedy };
  return leftMs < warnMs ? { grade: 'warn', found, remedy } : { grade: 'ok', found, remedy: null };
}

function clockOf(aheadMs: number): Found {
  const off = Math.abs(aheadMs);
  const found = `this machine's clock is ${formatDuration(off)} ${aheadMs > 0 ? 'behind' : 'ahead of'} Buildkite's`;
  const remedy = 'keep it by NTP (timedatectl set-ntp true): deliveries more than 300 s off are refused';
  if (off >= clockFailMs) return { grade: 'fail', found, remedy };
  return off >= clockWarnMs ? { grade: 'warn', found, remedy } : { grade: 'ok', found, remedy: null };
}

export const checkWebhook: Check = async (context) => {
  const { config, secrets } = context.settings();
  if (secrets.apiToken === null) return [{ grade: 'skipped', found: 'without a token', remedy: null }];
  const services = createServices(openUncountedRest(context), config.organization);
  try {
    const { findings } = inspectWebhooks(await services.webhooks(context.signal), wantedWebhook(context));
    if (findings.length === 0) return [{ grade: 'ok', found: 'the webhook is as it should be', remedy: null }];
    const remedy = (code: string): string => `kitemirror webhook ${code === 'absent' ? 'install' : 'repair'}`;
    return findings.map(({ code, message }) => ({
      grade: code === 'scope' || code === 'branches' ? 'warn' : 'fail',
      found: message,
      remedy: code === 'scope' || code === 'branches' ? 'change it at Buildkite, if it is not meant so' : remedy(code),
    }));
  } catch (thrown) {
    const { code, message } = toMirrorError(thrown);
    if (code !== 'ERR_UPSTREAM_DENIED' && code !== 'ERR_UPSTREAM_GONE') throw thrown;
    const remedy = 'give the token read_notification_services, or look at Buildkite’s Notification Services yourself';
    return [{ grade: 'skipped', found: `the token may not look at the webhook: ${message}`, remedy }];
  }
};
