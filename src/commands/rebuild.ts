/** `kitemirror rebuild`: what is derived from the records, made again from them. */
import { counted } from '../pages/format.ts';
import { awaitMended } from './await-mended.ts';
import { awaitTask } from './await-task.ts';
import { type Command, exit, sayJson } from './command.ts';

interface Rebuilt {
  readonly builds: number;
  readonly linked: number;
  readonly gone: number;
  readonly salvaged: readonly string[];
  readonly unreadable: readonly string[];
}

export const rebuild: Command = {
  name: 'rebuild',
  summary: 'links, views, pages, latest and lists, from the records',
  usage: '[--json]',
  help: `Makes again, from job.json and upstream.json alone, all that is derived from them: missing names of files, SHA256SUMS, merged and step
views, pages, latest and its kin, the catalog. A worker does it while readers go on; the command waits. Safe at any time and any
number of times. A file of which nothing has the bytes any more is fetched again, or its record says why it cannot be.
A record that cannot be read is made again from Buildkite and from what lies in the folder; the command waits a minute for that.
Until each of them can be read, no blob is swept: what it names may have no other name.
--json: {"builds":0,"linked":0,"gone":0,"salvaged":[],"unreadable":[],"open":0}; salvaged: builds whose records are made again, open: how
  many of them still are · unreadable: places of which nothing tells what they held, left as they are
exit 0: all is there · 1: no worker did it, records that could not be read, or files that are gone`,
  changes: () => true,
  run: async (context) => {
    const { result } = await awaitTask(context, { name: 'rebuild', payload: {} }, 'builds');
    const rebuilt = result as Rebuilt;
    const { builds, linked, gone, salvaged, unreadable } = rebuilt;
    const open = await awaitMended(context, salvaged);
    if (context.values['json'] === true) sayJson(context.io, { ...rebuilt, open });
    else {
      context.io.say(
        `${builds} builds made again; ${linked} files got their names back, ${gone} are gone and fetched again`,
      );
      if (salvaged.length > 0)
        context.io.say(
          `${counted(salvaged.length, 'build')} had records that could not be read: they are made again${open > 0 ? `, ${open} still are (/-/ledger)` : ''}`,
        );
      for (const place of unreadable)
        context.io.say(
          `${place}: nothing tells what its records were; it was left as it is. Restore them from a backup, or remove the folder and fetch the build with kitemirror backfill`,
        );
    }
    return gone + salvaged.length + unreadable.length === 0 ? exit.ok : exit.fault;
  },
};
