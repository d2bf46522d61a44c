/** `kitemirror webhook`: Buildkite's notification service for this mirror — looked at, made, mended. */
import { createServices } from '../buildkite/services.ts';
import { MirrorError } from '../errors.ts';
import {
  type Finding,
  inspectWebhooks,
  installWebhook,
  repairable,
  repairWebhook,
  type WantedWebhook,
  webhookUrl,
} from '../reconcile/webhook-care.ts';
import { type Command, type CommandContext, exit, type Io, sayJson } from './command.ts';
import { openRedis, openRest } from './parts.ts';

const verbs = ['check', 'install', 'repair'] as const;
type Verb = (typeof verbs)[number];

export const webhook: Command = {
  name: 'webhook',
  summary: "checks, installs or repairs Buildkite's webhook",
  usage: '[check|install|repair] [--json]',
  takesWords: true,
  help: `Looks at the organization's notification services for the one that leads to KITEMIRROR_URL/-/webhooks/buildkite.
check    (default) says what of it is wrong: enabled, events, token and its mode, TLS verification, scope, branches
install  makes it, with the first token of BUILDKITE_WEBHOOK_TOKEN; does nothing but repair where it is there
repair   mends what is wrong: enables it, adds events, sets token, mode and TLS verification. Scope and branches are
         yours and stay
The API token needs read_notification_services, to install and to repair write_notification_services too; its owner must
be an administrator, or be allowed to manage notification services.
--json: {"url","id","enabled","done":[…],"findings":[{"code","message"}]}
exit 0: it is as it should be (now) · 1: something is wrong with it (still) · 78: a setting or a scope is missing`,
  changes: ({ words: [verb] }) => verb === 'install' || verb === 'repair',
  run: runWebhook,
};

async function runWebhook(context: CommandContext): Promise<number> {
  const verb = verbOf(context.words);
  if (verb === null) {
    context.io.note(`kitemirror webhook: it is one of ${verbs.join(', ')}`);
    return exit.usage;
  }
  const { config } = context.settings();
  const services = createServices(openRest(context, await openRedis(context, 'worker'), 'person'), config.organization);
  const wanted = wantedWebhook(context);
  const before = inspectWebhooks(await services.webhooks(context.signal), wanted);
  const done: string[] = [];
  if (verb === 'install' && before.service === null) {
    await installWebhook(services, { ...wanted, token: firstToken(wanted) }, context.signal);
    done.push('installed');
  } else if (verb !== 'check') {
    done.push(...(await repairWebhook(services, before, wanted, context.signal)).map((code) => `repaired ${code}`));
  }
  const { service, findings } =
    done.length === 0 ? before : inspectWebhooks(await services.webhooks(context.signal), wanted);
  const facts = { url: wanted.url, id: service?.id ?? null, enabled: service?.enabled ?? false, done, findings };
  if (context.values['json'] === true) sayJson(context.io, facts);
  else tell(context.io, wanted.url, done, findings, verb);
  return findings.length === 0 ? exit.ok : exit.fault;
}

function verbOf(words: readonly string[]): Verb | null {
  if (words.length === 0) return 'check';
  return words.length === 1 ? (verbs.find((verb) => verb === words[0]) ?? null) : null;
}

export function wantedWebhook({ settings }: Pick<CommandContext, 'settings'>): WantedWebhook {
  const { config, secrets } = settings();
  return {
    url: webhookUrl(config.url),
    mode: config.webhookMode,
    tokens: secrets.webhookTokens?.revealAll() ?? null,
  };
}

function firstToken({ tokens }: WantedWebhook): string {
  const token = tokens?.[0];
  if (token === undefined)
    throw new MirrorError('ERR_CONFIG', 'BUILDKITE_WEBHOOK_TOKEN is required to install a webhook');
  return token;
}

function tell(io: Io, url: string, done: readonly string[], findings: readonly Finding[], verb: Verb): void {
  for (const what of done) io.say(what);
  for (const { message } of findings) io.say(`wrong: ${message}`);
  if (findings.length === 0) io.say(`The webhook for ${url} is as it should be.`);
  else if (findings.some(({ code }) => code === 'absent')) io.say('Run `kitemirror webhook install`.');
  else if (verb === 'check' && findings.some(({ code }) => repairable.has(code)))
    io.say('Run `kitemirror webhook repair`.');
}
