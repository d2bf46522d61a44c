/** `kitemirror token`: named tokens for programs that are neither people nor CI jobs. */

import { MirrorError } from '../errors.ts';
import { parseRead } from '../identity/policy.ts';
import { identityState, newToken, type TokenCard } from '../identity/state.ts';
import { writeAudit } from '../tree/audit.ts';
import { type Command, type CommandContext, exit, sayJson } from './command.ts';
import { openPaths } from './parts.ts';

const daySeconds = 86_400;
const longestDays = 366;

export const token: Command = {
  name: 'token',
  summary: 'named tokens: create, list, revoke',
  usage: 'create --name NAME --read ORG/PIPELINE[@BRANCH]… [--ttl 30d] | list | revoke NAME [--json]',
  help: `create: prints a token that reads what --read says (it may be given again), for --ttl: 12h, 30d (the default), at most ${longestDays}d.
It is shown once; only its digest is kept. The policy may give it more, by its name. Send it as Authorization: Bearer.
list: each token's name, what it reads, and when it ends. revoke: ends it, within seconds.
--json: create {"name":"…","token":"…","expires_at":"…"} · list one such object a line, without the token · revoke {"name":"…","revoked":1},
        0 where there is no such token
exit 0: done · 1: there is no such token · 64: an argument that cannot be right · 78: there is one of that name`,
  takesWords: true,
  options: { name: { type: 'string' }, read: { type: 'string', multiple: true }, ttl: { type: 'string' } },
  changes: ({ words: [verb] }) => verb === 'create' || verb === 'revoke',
  run: async (context: CommandContext) => {
    const [verb, name, ...more] = context.words;
    if (verb === 'create' && name === undefined) return create(context);
    if (verb === 'list' && name === undefined) return list(context);
    if (verb === 'revoke' && name !== undefined && more.length === 0) return revoke(context, name);
    context.io.note('kitemirror token: say what to do: create, list, or revoke NAME');
    return exit.usage;
  },
};

async function create(context: CommandContext): Promise<number> {
  const { values, io } = context;
  const { name, read, ttl = '30d' } = values;
  if (
    typeof name !== 'string' ||
    !/^[A-Za-z0-9][\w.-]{0,63}$/.test(name) ||
    !Array.isArray(read) ||
    read.length === 0
  ) {
    io.note('kitemirror token create: --name (letters, digits, "-", "_", ".") and at least one --read are needed');
    return exit.usage;
  }
  const reads = read.map((each) => String(each));
  for (const each of reads) checkRead(each);
  const paths = openPaths(context);
  const { tokens } = identityState(paths);
  if ((await tokens.get(name)) !== null)
    throw new MirrorError('ERR_CONFIG', `there is a token "${name}": revoke it first`);
  const made = Math.floor(Date.now() / 1000);
  const { card, token: text } = newToken({ name, reads, made, expires: made + secondsOf(String(ttl)) });
  await tokens.put(name, card);
  await writeAudit(paths, {
    action: 'token',
    who: name,
    id: card.id,
    what: reads.join(' '),
    reason: 'created by command',
  });
  if (values['json'] === true) sayJson(io, { ...described(card), token: text });
  else {
    io.note(`${name} reads ${reads.join(', ')} until ${described(card).expires_at}; the token is shown this once:`);
    io.say(text);
  }
  return exit.ok;
}

async function list(context: CommandContext): Promise<number> {
  const { values, io } = context;
  const cards = await identityState(openPaths(context)).tokens.all((name) => io.note(`${name} cannot be read`));
  const isOver = ({ expires }: TokenCard): boolean => expires * 1000 <= Date.now();
  for (const card of cards.values()) {
    const about = described(card);
    if (values['json'] === true) sayJson(io, about);
    else io.say(`${about.name}  ${about.read.join(', ')}  ${isOver(card) ? 'ended' : 'until'} ${about.expires_at}`);
  }
  return exit.ok;
}

async function revoke(context: CommandContext, name: string): Promise<number> {
  const paths = openPaths(context);
  const { tokens } = identityState(paths);
  const { io, values } = context;
  const card = await tokens.get(name);
  const isRevoked = card !== null && (await tokens.remove(name));
  if (isRevoked) await writeAudit(paths, { action: 'revoke', who: name, id: card.id, reason: 'revoked by command' });
  if (values['json'] === true) sayJson(io, { name, revoked: isRevoked ? 1 : 0 });
  else if (isRevoked) io.note(`${name} is revoked; the gate knows within seconds`);
  else io.note(`kitemirror token: there is no token "${name}"`);
  return isRevoked ? exit.ok : exit.fault;
}

function described({ name, reads, made, expires }: TokenCard) {
  const at = (seconds: number): string => new Date(seconds * 1000).toISOString();
  return { name, read: reads, created_at: at(made), expires_at: at(expires) };
}

function checkRead(value: string): void {
  try {
    parseRead(value);
  } catch (thrown) {
    throw new MirrorError(
      'ERR_REQUEST_MALFORMED',
      `--read ${thrown instanceof Error ? thrown.message : String(thrown)}`,
    );
  }
}

/** @throws MirrorError ERR_REQUEST_MALFORMED */
function secondsOf(ttl: string): number {
  const [, count, unit] = /^(\d{1,4})([hd])$/.exec(ttl) ?? [];
  const seconds = Number(count ?? 0) * (unit === 'h' ? 3600 : daySeconds);
  if (seconds <= 0 || seconds > longestDays * daySeconds)
    throw new MirrorError(
      'ERR_REQUEST_MALFORMED',
      `--ttl is "${ttl}", not hours or days (12h, 30d) up to ${longestDays}d`,
    );
  return seconds;
}
