/** `kitemirror portal`: the document that a portal is to store, and whether a portal does what the mirror needs. */
import { bulkDocument } from '../buildkite/bulk-query.ts';
import { type Command, type CommandContext, exit, sayJson } from './command.ts';

export const portal: Command = {
  name: 'portal',
  summary: 'the GraphQL document for a Buildkite portal',
  usage: '[--json]',
  help: `Prints the read-only GraphQL document that a portal stores for the mirror. In Buildkite: Settings → Portals → New
portal, paste it, and set BUILDKITE_PORTAL_URL and BUILDKITE_PORTAL_TOKEN to what Buildkite shows then.
--json: {"document":"…"}
exit 0: printed`,
  run: async ({ values, io }: CommandContext) => {
    if (values['json'] === true) sayJson(io, { document: bulkDocument });
    else io.say(bulkDocument.trimEnd());
    return exit.ok;
  },
};
