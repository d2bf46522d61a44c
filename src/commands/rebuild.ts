/** `kitemirror rebuild`: what is derived from the records, made again from them. */
import { awaitTask } from './await-task.ts';
import { type Command, exit, sayJson } from './command.ts';

interface Rebuilt {
  readonly builds: number;
  readonly linked: number;
  readonly gone: number;
  readonly unreadable: readonly string[];
}

export const rebuild: Command = {
  name: 'rebuild',
  summary: 'links, views, pages, latest and lists, from the records',
  usage: '[--json]',
  help: `Makes again, from job.json and upstream.json alone, all that is derived from them: missing names of files, SHA256SUMS, merged and step
views, pages, latest and its kin, the catalog. A worker does it while readers go on; the command waits. Safe at any time and any
number of times. A file of which nothing has the bytes any more is fetched again, or its record says why it cannot be.
--json: {"builds":0,"linked":0,"gone":0,"unreadable":[]}
exit 0: all is there · 1: no worker did it, records that cannot be read (left as they are), or files that are gone`,
  run: async (context) => {
    const { result } = await awaitTask(context, { name: 'rebuild', payload: {} }, 'builds');
    const rebuilt = result as Rebuilt;
    const { builds, linked, gone, unreadable } = rebuilt;
    if (context.values['json'] === true) sayJson(context.io, rebuilt);
    else {
      context.io.say(
        `${builds} builds made again; ${linked} files got their names back, ${gone} are gone and fetched again`,
      );
      for (const place of unreadable) context.io.say(`${place}: its records cannot be read; it was left as it is`);
    }
    return gone === 0 && unreadable.length === 0 ? exit.ok : exit.fault;
  },
};
