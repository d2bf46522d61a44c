/** `kitemirror audit`: who read what, who came in, who was refused, what operators did. */
import type { MirrorError } from '../errors.ts';
import { type Recorded, recorded } from '../identity/on-record.ts';
import { inert } from '../log.ts';
import { type Command, type CommandContext, exit, sayJson } from './command.ts';
import { openPaths } from './parts.ts';
import { parseTime } from './times.ts';

export const audit: Command = {
  name: 'audit',
  summary: 'who read what, came in, was refused; what operators did',
  usage: '[--who WHO] [--what WHAT] [--since TIME] [--json]',
  help: `Answers from the access log with its rotated parts (also .gz) and from state/audit, the oldest first.
--who: a name as the logs have it (ann@example.com, acme/deploy, a token's name, an operator's user here), an address, or the id of a session, link or token
--what: a path and all below it (acme/web, /acme/web/builds/42), an address, a digest, or an action (login, refusal, purge, GET)
  In both, * stands for any characters.
--since: 2026-11-20, an instant, or so long ago: 36h, 14d
--json: an object a line {"time":"…","log":"access|audit","action":"…","who":"…","by":"…","kind":"…","issuer":"…","address":"…","what":"…",
  "status":200,"bytes":1,"decision":"…","reason":"…","request":"…","id":"…","sha256":"…","claims":{}}, null where there is nothing to say
exit 0: that is all · 1: a log breaks off or cannot be read: what could be read is printed · 64: an argument that cannot be right`,
  options: { who: { type: 'string' }, what: { type: 'string' }, since: { type: 'string' } },
  changes: () => false,
  run: async (context: CommandContext) => {
    const { io, values, signal } = context;
    const { who, what, since } = values;
    let [count, faults] = [0, 0];
    const asked = {
      who: typeof who === 'string' ? who : null,
      what: typeof what === 'string' ? pathOf(what) : null,
      onFault: (fault: MirrorError) => {
        faults += 1;
        io.note(`kitemirror audit: ${fault.message}`);
      },
      since: typeof since === 'string' ? Date.parse(parseTime(since, '--since')) : 0,
    };
    for await (const entry of recorded(openPaths(context), asked)) {
      signal.throwIfAborted();
      count += 1;
      if (values['json'] === true) sayJson(io, entry);
      else io.say(lineOf(entry));
    }
    if (count === 0) io.note('kitemirror audit: the logs have nothing of that');
    return faults === 0 ? exit.ok : exit.fault;
  },
};

function pathOf(what: string): string {
  return /^https?:/.test(what) && URL.canParse(what) ? decodeURI(new URL(what).pathname) : what;
}

function lineOf(entry: Recorded): string {
  const { time, who, by: operator, address, action, what, sha256, status, bytes, decision, reason } = entry;
  const by = who === null ? (operator ?? address ?? 'the mirror') : `${who}${address === null ? '' : ` (${address})`}`;
  const object = what ?? sha256 ?? '';
  const answer = status === null ? '' : `${status}${bytes === null ? '' : `, ${bytes} bytes`}`;
  const why = [decision, reason].filter((each) => each !== null).join(': ');
  return inert([time, by, action, object, answer, why].filter((each) => each !== '').join('  '));
}
