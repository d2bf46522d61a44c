/** `kitemirror revoke`: ends sessions, tokens and links, and changes the keys that seal them. */
import { type IdentityState, identityState, kindOfId, newKey, revocationName, voidBefore } from '../identity/state.ts';
import { writeAudit } from '../tree/audit.ts';
import type { DataPaths } from '../tree/paths.ts';
import { type Command, type CommandContext, exit, sayJson, type Values } from './command.ts';
import { openPaths } from './parts.ts';

const now = (): number => Math.floor(Date.now() / 1000);

export const revoke: Command = {
  name: 'revoke',
  summary: 'ends sessions, links and tokens',
  usage: '--id ID | --subject WHO | --before now|TIME | --keys [--json]',
  help: `--id: one session, token or link, by the id that the audit log has. Of named tokens it is known which there are; of sessions,
      exchanged tokens and links no list is kept: whatever has the form of an id of theirs is revoked, given out or not.
--subject: all that somebody was given until now: an e-mail address, the provider's name of them, or <organization>/<pipeline>.
           What begins with a dash follows an equals sign: --subject=-x1
--before: all that anybody was given before a time (2026-01-31T12:00:00Z; none to come), or until now; named tokens too.
          The latest time counts: an earlier one changes nothing, and that is said.
--keys: a new key seals from now on; the one before is still believed, older ones are not. Twice ends everything.
A named token is also revoked by its name: kitemirror token revoke. Counts within seconds; nothing waits for a login to end.
--json: {"revoked":1}; where an earlier --before changes nothing {"revoked":0,"before":"…"}, the time that is in force
exit 0: done · 1: nobody, or no named token, is called so · 64: what was given is no id, or no time that has come`,
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
      io.note(
        'kitemirror revoke: one of --id, --subject, --before (a time that has come, or "now") and --keys is needed',
      );
      return exit.usage;
    }
    const { id } = values;
    if (id !== undefined && kindOfId(String(id)) === null) {
      io.note(`kitemirror revoke: --id is "${String(id)}", not 32 digits and letters a to f, or 16 of a named token`);
      return exit.usage;
    }
    const { paths, state } = openState(context);
    const later = given[0] === 'before' ? await laterThan(state, before) : null;
    if (later !== null) {
      const inForce = new Date(later * 1000).toISOString();
      if (values['json'] === true) sayJson(io, { revoked: 0, before: inForce });
      else io.note(`all from before ${inForce} is revoked already: nothing has changed`);
      return exit.ok;
    }
    const count = await end(values, String(given[0]), before, { paths, state });
    if (values['json'] === true) sayJson(io, { revoked: count });
    else
      io.note(
        count === 0
          ? `kitemirror revoke: ${id === undefined ? 'nobody' : 'no named token'} is called so`
          : 'revoked; the gate knows within seconds',
      );
    return count === 0 ? exit.fault : exit.ok;
  },
};

interface Opened {
  readonly paths: DataPaths;
  readonly state: IdentityState;
}

function openState(context: CommandContext): Opened {
  const paths = openPaths(context);
  return { paths, state: identityState(paths) };
}

/** @returns the time before which all is void already, in seconds since 1970, where it is this one or a later; null: it is not */
async function laterThan({ revoked }: IdentityState, before: number): Promise<number | null> {
  const latest = voidBefore((await revoked.all()).values());
  return latest >= before ? latest : null;
}

async function end(values: Values, what: string, before: number, { paths, state }: Opened): Promise<number> {
  const value = String(values[what]);
  if (what === 'keys') {
    await changeKeys(state.keys);
    await writeAudit(paths, { action: 'revoke', what, reason: 'keys changed by command' });
    return 1;
  }
  const targets = await targetsOf(state, what, value, before);
  for (const target of targets) {
    const card = { what: what as 'id' | 'subject' | 'before', value: target, at: what === 'before' ? before : now() };
    await state.revoked.put(revocationName(card), card);
    await writeAudit(paths, { action: 'revoke', what, who: value, id: target, reason: 'revoked by command' });
  }
  return targets.length;
}

async function targetsOf(state: IdentityState, what: string, value: string, before: number): Promise<string[]> {
  if (what === 'subject') return subjectsCalled(state.subjects, value);
  if (what === 'before') return [String(before)];
  if (kindOfId(value) === 'seal') return [value];
  const tokens = await state.tokens.all();
  return [...tokens.values()].some(({ id }) => id === value) ? [value] : [];
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

/** @returns seconds since 1970; null for what is no time that has come */
function parseBefore(value: unknown): number | null {
  if (value === undefined) return 0;
  // What was sealed within this very second is meant too.
  if (value === 'now') return now() + 1;
  const time = typeof value === 'string' && /^\d{4}-\d\d-\d\dT/.test(value) ? Date.parse(value) : Number.NaN;
  // One to come would void what is given out until then, and could not be taken back.
  return time <= Date.now() ? Math.ceil(time / 1000) : null;
}
