/** Words of a provider or a proxy about somebody: which of two counts, and whether they differ. */
import { isDeepStrictEqual } from 'node:util';
import type { SubjectCard } from './state.ts';

/** One that is still good must not undo a newer one. A job's claims are its own, and never change. */
export function isOlderWord(word: SubjectCard, known: SubjectCard | null): boolean {
  if (word.kind !== 'user' || known?.kind !== 'user') return false;
  return (word.told ?? 0) < (known.told ?? 0);
}

/** Whether nothing of their rights depends on which of the two is known. */
export function saysTheSame(word: SubjectCard, known: SubjectCard | null): boolean {
  if (word.kind !== 'user' || known?.kind !== 'user') return false;
  return word.email === known.email && isDeepStrictEqual(word.groups.toSorted(), known.groups.toSorted());
}
