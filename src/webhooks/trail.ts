/** How far the journal has been enqueued, and how far that was long enough ago to count on. */
import { isBefore, type Position } from '../tree/journal-segments.ts';

export class EnqueuedTrail {
  readonly #overlapMs: number;
  /** Oldest first; the first is what can be counted on. */
  #steps: { readonly position: Position; readonly at: number }[];

  constructor(start: Position, overlapMs: number) {
    this.#overlapMs = overlapMs;
    this.#steps = [{ position: start, at: Number.NEGATIVE_INFINITY }];
  }

  /** @returns the place that can be counted on if it has moved, else null. @param now ms since 1970 */
  reached(position: Position, now: number): Position | null {
    const last = this.#steps.at(-1);
    if (last === undefined || isBefore(last.position, position)) this.#steps.push({ position, at: now });
    const settled = this.#steps.findLastIndex(({ at }) => at <= now - this.#overlapMs);
    if (settled <= 0) return null;
    this.#steps = this.#steps.slice(settled);
    return this.#steps[0]?.position ?? null;
  }

  /** The place that can be counted on. */
  get start(): Position {
    const [first] = this.#steps;
    if (first === undefined) throw new RangeError('a trail has a beginning');
    return first.position;
  }

  /** Forgets what was enqueued since. @returns the place that can be counted on */
  rewind(): Position {
    this.#steps = this.#steps.slice(0, 1);
    return this.start;
  }
}
