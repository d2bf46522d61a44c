/** Counters that begin anew after a while, as all of Buildkite's limits are made: each window begins with its first use. */

export interface Window {
  /** ms since 1970 */
  endsAt: number;
  /** What was used of it, refused requests too where those count. */
  current: number;
}

export class Windows {
  readonly #now: () => number;
  readonly #windows = new Map<string, Window>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** The window that is open now; a new one when there is none. */
  open(key: string, windowMs: number): Window {
    const now = this.#now();
    let window = this.#windows.get(key);
    if (window === undefined || now >= window.endsAt) {
      window = { endsAt: now + windowMs, current: 0 };
      this.#windows.set(key, window);
    }
    return window;
  }

  /** Seconds until its end, rounded up to `digits` after the point, and never 0. */
  reset({ endsAt }: Window, digits = 0): number {
    const unit = 10 ** digits;
    return Math.max(1, Math.ceil(((endsAt - this.#now()) / 1000) * unit)) / unit;
  }

  clear(): void {
    this.#windows.clear();
  }
}
