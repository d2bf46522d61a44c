/** `kitemirror portal`: the document that a portal is to store, and whether a portal does what the mirror needs. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent } from 'undici';
import type { Budget } from '../buildkite/budget.ts';
import { bulkDocument } from '../buildkite/bulk-query.ts';
import { createGraphql } from '../buildkite/graphql.ts';
import { checkPortal } from '../buildkite/portal-check.ts';
import { MirrorError } from '../errors.ts';
import { type Command, type CommandContext, exit, sayJson } from './command.ts';

const checkMs = 30_000;

export const portal: Command = {
  name: 'portal',
  summary: 'the GraphQL document for a Buildkite portal, and whether a portal does what it should',
  usage: '[--check [--build UUID]] [--json]',
  help: `Prints the read-only GraphQL document that a portal stores for the mirror. In Buildkite: Settings → Portals → New
portal, paste it, and set BUILDKITE_PORTAL_URL and BUILDKITE_PORTAL_TOKEN to what Buildkite shows then.
--check: asks the portal of BUILDKITE_PORTAL_URL once: whether it answers, takes its token, and stores this document.
--build UUID: with --check, also whether that build's artifacts have links; a build's uuid is the "id" of its build.json.
--json: {"document":"…"}; with --check {"ok":true,"checks":[{"name":"…","ok":true,"detail":"…"}]}
exit 0: printed; all is well · 1: the portal does not do what it should (what, is printed) · 78: no portal is configured`,
  options: { check: { type: 'boolean', default: false }, build: { type: 'string' } },
  changes: () => false,
  run: async (context) => {
    const { values, io } = context;
    const json = values['json'] === true;
    if (values['check'] === true) return check(context, json);
    if (values['build'] !== undefined) return refuse(context, '--build goes with --check');
    if (json) sayJson(io, { document: bulkDocument });
    else io.say(bulkDocument.trimEnd());
    return exit.ok;
  },
};

async function check(context: CommandContext, json: boolean): Promise<number> {
  const { values, io, signal } = context;
  const { config, secrets } = context.settings();
  const { portalToken } = secrets;
  if (config.portalUrl === null || portalToken === null) {
    throw new MirrorError('ERR_CONFIG', 'no portal is configured: set BUILDKITE_PORTAL_URL and BUILDKITE_PORTAL_TOKEN');
  }
  const build = values['build'];
  if (build !== undefined && !(typeof build === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(build)))
    return refuse(context, '--build is not the uuid of a build');
  const dispatcher = new Agent({ connect: { timeout: 10_000 } });
  context.onEnd(() => dispatcher.destroy());
  const token = (): string => portalToken.reveal();
  const [budget, points] = [personsBudget(), personsBudget()];
  const options = { url: config.portalUrl, token, dispatcher, budget, points, share: config.apiShare };
  const limit = AbortSignal.timeout(checkMs);
  const found = await checkPortal({
    portal: createGraphql({ mode: 'portal', ...options }),
    ...(build === undefined ? {} : { build }),
    signal: AbortSignal.any([signal, limit]),
  }).catch((thrown: unknown) => {
    if (!limit.aborted) throw thrown;
    const text = `the portal has not answered within ${checkMs / 1000} s: is its limit of requests used up?`;
    throw new MirrorError('ERR_UPSTREAM_UNAVAILABLE', text, {}, thrown);
  });
  if (json) sayJson(io, found);
  else for (const { name, ok, detail } of found.checks) io.say(`${ok ? 'ok  ' : 'not '} ${name}: ${detail}`);
  return found.ok ? exit.ok : exit.fault;
}

/** A person's question is sent at once, from the part of the limits that is not the mirror's, unless none of it is left. */
function personsBudget(): Budget {
  let waitMs = 0;
  return {
    spend: ({ signal }) => sleep(waitMs, undefined, { signal }),
    settle: (allowances) => {
      const spent = Object.values(allowances).filter(({ remaining }) => remaining < 1);
      waitMs = Math.max(0, ...spent.map(({ resetMs }) => resetMs));
    },
  };
}

function refuse({ io }: CommandContext, fault: string): number {
  io.note(`kitemirror portal: ${fault}`);
  return exit.usage;
}
