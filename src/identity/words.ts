/** Words of a provider or a proxy about somebody: which of two counts, and whether they differ. */
import { isDeepStrictEqual } from 'node:util';
import type { SubjectCard } from './state.ts';

/**
 * Of two words of a proxy one that is still good must not undo a newer one. A provider is asked when its word is needed, so that it
 * is always the newest; a job's claims are its own, and never change.
 */
export function isOlderWord(word: SubjectCard, known: SubjectCard | null): boolean {
  if (word.kind !== 'user' || known?.kind !== 'user') return false;
  return word.told !== undefined && known.told !== undefined && word.told < known.told;
}

/** Whether nothing of their rights depends on which of the two is known. */
export function saysTheSame(word: SubjectCard, known: SubjectCard | null): boolean {
  if (word.kind !== 'user' || known?.kind !== 'user') return false;
  return word.email === known.email && isDeepStrictEqual(word.groups.toSorted(), known.groups.toSorted());
}
