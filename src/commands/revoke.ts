/** `kitemirror revoke`: ends sessions, exchanged tokens and links, and changes the keys that seal them. */
import { identityState, newKey, revocationName } from '../identity/state.ts';
import { writeAudit } from '../tree/audit.ts';
import { type Command, type CommandContext, exit, sayJson } from './command.ts';
import { openPaths } from './parts.ts';

const now = (): number => Math.floor(Date.now() / 1000);

export const revoke: Command = {
  name: 'revoke',
  summary: 'ends sessions, links and exchanged tokens',
  usage: '--id ID | --subject WHO | --before now|TIME | --keys [--json]',
  help: `--id: one session, exchanged token or link, by the id that the audit log has.
--subject: all that somebody was given until now: an e-mail address, the provider's name of them, or <organization>/<pipeline>.
           What begins with a dash follows an equals sign: --subject=-x1
--before: all that anybody was given before a time (2026-01-31T12:00:00Z), or until now.
--keys: a new key seals from now on; the one before is still believed, older ones are not. Twice ends everything.
A named token is revoked by kitemirror token revoke. Counts within seconds; nothing waits for a login to end.
--json: {"revoked":1}
exit 0: done · 1: nobody is called so`,
  options: {
    id: { type: 'string' },
    subject: { type: 'string' },
    before: { type: 'string' },
    keys: { type: 'boolean' },
  },
  changes: () => true,
  run: async (context: CommandContext) => {
    const { values, io } = context;
    const given = ['id', 'subject', 'before', 'keys'].filter((name) => values[name] !== undefined);
    const before = parseBefore(values['before']);
    if (given.length !== 1 || before === null) {
      io.note('kitemirror revoke: one of --id, --subject, --before (a time, or "now") and --keys is needed');
      return exit.usage;
    }
    const count = await end(context, String(given[0]), before);
    if (values['json'] === true) sayJson(io, { revoked: count });
    else io.note(count === 0 ? 'kitemirror revoke: nobody is called so' : 'revoked; the gate knows within seconds');
    return count === 0 ? exit.fault : exit.ok;
  },
};

async function end(context: CommandContext, what: string, before: number): Promise<number> {
  const { values } = context;
  const paths = openPaths(context);
  const state = identityState(paths);
  const value = String(values[what]);
  if (what === 'keys') {
    await changeKeys(state.keys);
    await writeAudit(paths, { action: 'revoke', what, reason: 'keys changed by command' });
    return 1;
  }
  const targets = what === 'subject' ? await subjectsCalled(state.subjects, value) : [what === 'id' ? value : 'all'];
  for (const target of targets) {
    const card = { what: what as 'id' | 'subject' | 'before', value: target, at: what === 'before' ? before : now() };
    await state.revoked.put(revocationName(card), card);
    await writeAudit(paths, { action: 'revoke', what, who: value, id: target, reason: 'revoked by command' });
  }
  return targets.length;
}

async function subjectsCalled(subjects: ReturnType<typeof identityState>['subjects'], name: string): Promise<string[]> {
  return [...(await subjects.all()).values()].flatMap((card) => {
    const names =
      card.kind === 'user'
        ? [card.id, card.user, card.email]
        : [card.id, `${card.claims.organization}/${card.claims.pipeline}`];
    return names.includes(name) || names.includes(name.toLowerCase()) ? [card.id] : [];
  });
}

async function changeKeys(keys: ReturnType<typeof identityState>['keys']): Promise<void> {
  const [, ...older] = [...(await keys.all()).values()].toSorted((left, right) => right.made - left.made);
  const next = newKey(now());
  await keys.put(next.id, next);
  for (const { id } of older) await keys.remove(id);
}

/** @returns seconds since 1970; null for what is no time */
function parseBefore(value: unknown): number | null {
  if (value === undefined) return 0;
  // What was sealed within this very second is meant too.
  if (value === 'now') return now() + 1;
  const time = typeof value === 'string' && /^\d{4}-\d\d-\d\dT/.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(time) ? null : Math.ceil(time / 1000);
}
