/** Words of a provider or a proxy about somebody: which of two counts, and whether they differ. */
import { isDeepStrictEqual } from 'node:util';
import type { SubjectCard } from './state.ts';

/** Clocks differ by so much. */
const clockSeconds = 60;

/**
 * A proxy's word that is still good must not undo a newer one, whosever that is. A provider is asked when its word is needed, so
 * that it is always the newest; a job's claims are its own, and never change. What is known from the future, of a clock that was
 * wrong, is newer than nothing.
 */
export function isOlderWord(word: SubjectCard, known: SubjectCard | null, now: number): boolean {
  if (word.kind !== 'user' || known?.kind !== 'user' || word.told === undefined) return false;
  const knownAt = known.told ?? known.seen;
  return word.told < knownAt && knownAt <= now + clockSeconds;
}

/** Whether nothing of their rights depends on which of the two is known. */
export function saysTheSame(word: SubjectCard, known: SubjectCard | null): boolean {
  if (word.kind !== 'user' || known?.kind !== 'user') return false;
  return word.email === known.email && isDeepStrictEqual(word.groups.toSorted(), known.groups.toSorted());
}
