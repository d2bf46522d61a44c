/**
 * The one progress bar of all commands: how far, how fast, how long still. It is drawn on stderr while a person watches
 * and nowhere else, so that neither scripts nor logs have to cut it out.
 */
import { formatDuration } from '../durations.ts';
import type { Io } from './command.ts';

export interface Progress {
  /** @param total null where it is not known (yet) · @param beside a few words, such as what waits for what */
  at(done: number, total: number | null, beside?: string): void;
  /** Removes the bar. May be called more than once. */
  end(): void;
}

export interface ProgressOptions {
  /** What is counted, in the plural: `builds`. */
  readonly unit: string;
  /** How a number of them is shown; a plain count unless told. */
  readonly format?: (amount: number) => string;
  /** ms since some fixed time */
  readonly now?: () => number;
}

interface Sample {
  readonly at: number;
  readonly done: number;
}

/** A rate over this long is steady enough to read and soon tells of a change. */
const rateOverMs = 30_000;
const sampleEveryMs = 1000;
const drawEveryMs = 200;
const barWidth = 20;

export function startProgress(io: Io, options: ProgressOptions): Progress {
  const now = options.now ?? (() => performance.now());
  let samples: readonly Sample[] = [];
  let drawnAt = Number.NEGATIVE_INFINITY;
  return {
    at: (done, total, beside = '') => {
      if (!io.isWatched) return;
      const at = now();
      samples = sampled(samples, { at, done });
      if (at - drawnAt < drawEveryMs && done !== total) return;
      drawnAt = at;
      io.redraw(progressLine({ done, total, rate: rateOf(samples, { at, done }), beside, ...options }, io.columns));
    },
    end: () => io.redraw(''),
  };
}

/** The first one was taken before anything was done: what was done by an earlier run is no speed of this one. */
function sampled(samples: readonly Sample[], next: Sample): readonly Sample[] {
  const last = samples.at(-1);
  if (last !== undefined && next.at - last.at < sampleEveryMs) return samples;
  return [...samples.filter(({ at }) => next.at - at <= rateOverMs), next];
}

/** A second's worth; null while too little is known to say. */
function rateOf([first]: readonly Sample[], { at, done }: Sample): number | null {
  return first === undefined || at - first.at < sampleEveryMs ? null : ((done - first.done) / (at - first.at)) * 1000;
}

export interface ProgressFacts extends Pick<ProgressOptions, 'unit' | 'format'> {
  readonly done: number;
  readonly total: number | null;
  /** In a second; null: not known. */
  readonly rate: number | null;
  readonly beside: string;
}

/** Cut to the terminal's width: a line that wraps could not be drawn over. */
export function progressLine(
  { done, total, rate, beside, unit, format = String }: ProgressFacts,
  columns: number,
): string {
  const left = total === null || rate === null || rate <= 0 ? null : formatDuration(((total - done) / rate) * 1000);
  const parts = [
    total === null ? `${format(done)} ${unit}` : `${bar(done, total)} · ${format(done)} of ${format(total)} ${unit}`,
    rate === null ? '' : perTime(rate, format),
    left === null || done === total ? '' : `${left} left`,
    beside,
  ];
  return parts
    .filter((part) => part !== '')
    .join(' · ')
    .slice(0, Math.max(1, columns - 1));
}

function bar(done: number, total: number): string {
  const part = total <= 0 ? 1 : Math.min(1, Math.max(0, done / total));
  const filled = Math.floor(part * barWidth);
  return `${'█'.repeat(filled)}${'░'.repeat(barWidth - filled)} ${String(Math.floor(part * 100)).padStart(3)} %`;
}

/** What takes more than a second each is told by the minute. */
function perTime(rate: number, format: (amount: number) => string): string {
  if (rate >= 1 || rate === 0) return `${format(Math.round(rate))}/s`;
  return `${format(Math.round(rate * 60 * 10) / 10)}/min`;
}
