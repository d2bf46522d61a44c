/**
 * Who the request that is being answered comes from. It is kept beside the call stack rather than handed on, so that a
 * route which forgets to ask is given what its reader may see, and nothing else.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { MirrorError } from '../errors.ts';
import type { Caller } from '../identity/authenticate.ts';
import { canRead, ruleMatches, rulesOf } from '../identity/decide.ts';
import { matchesWildcard } from '../identity/wildcard.ts';
import type { Label } from '../tree/labels.ts';

/** `open`: identity is off, and everybody reads everything. */
export type Reader = Caller | 'open';

const readers = new AsyncLocalStorage<Reader>();

export function answerAs<T>(reader: Reader, work: () => T): T {
  return readers.run(reader, work);
}

/** @throws MirrorError ERR_INTERNAL outside a request that went through the guard: nothing is shown to nobody */
export function readerNow(): Reader {
  const reader = readers.getStore();
  if (reader === undefined) throw new MirrorError('ERR_INTERNAL', 'a reader was to be answered past the guard');
  return reader;
}

export function mayRead(label: Label | null): boolean {
  const reader = readerNow();
  return reader === 'open' || canRead(reader.access, label);
}

/** Whether nothing of the organization is kept from them. */
export function readsAll(organization: string): boolean {
  const reader = readerNow();
  if (reader === 'open') return true;
  const whole = rulesOf(reader.access).filter(({ pipeline, branches }) => pipeline === '*' && branches === null);
  return whole.some((rule) => matchesWildcard(rule.organization, organization));
}

/** The branches' patterns of every rule of theirs that speaks of this build's pipeline. */
export function branchesGranted(label: Label): string[] {
  const reader = readerNow();
  if (reader === 'open') return [];
  return rulesOf(reader.access).flatMap((rule) =>
    rule.branches !== null && ruleMatches({ ...rule, branches: null }, label) ? rule.branches : [],
  );
}
