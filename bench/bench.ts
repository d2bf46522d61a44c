/** What every bench is given, and what several of them need. */
import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Fetcher } from './fetchers.ts';
import type { BenchBuild, BenchFile } from './files.ts';
import type { Table } from './measure.ts';
import { openPlace, type Place } from './places.ts';

export interface BenchContext {
  /** What of the bench was asked for, where it has parts: after the bench's name and `/`; empty: all of it. */
  readonly part: string;
  readonly signal: AbortSignal;
  /** The value of PATH. */
  readonly path: string;
  readonly rounds: number | null;
  /** Leaves out what takes long. */
  readonly quick: boolean;
  /** One line of what is going on. */
  say(line: string): void;
  /** Called in the reverse order when the bench ends, however it ends. */
  cleanUp(work: () => Promise<void> | void): void;
}

/** Yields each table when it is measured, so that a bench that is broken off has shown what it knows. */
export type Bench = (context: BenchContext) => AsyncIterable<Table>;

/** The same bench in memory and on disk; a place that cannot be had is told. */
export async function* inEachPlace(
  context: BenchContext,
  bytes: number,
  title: string,
  bench: (place: Place) => Promise<Table>,
): AsyncGenerator<Table> {
  for (const name of ['memory', 'disk'] as const) {
    const place = openPlace(name, bytes);
    if (typeof place === 'string') {
      yield { title: `${title}, ${name}`, facts: [`skipped: ${place}`], rows: [] };
      continue;
    }
    context.cleanUp(() => place.remove());
    yield await bench(place);
  }
}

/** The origin's files are best kept in memory, so that a disk is waited for by those who write alone. */
export function homeOfOrigin(place: Place, bytes: number): Place {
  const memory = openPlace('memory', bytes);
  return typeof memory === 'string' ? place : memory;
}

/** One turn of the other side, into an empty folder. @returns the times of its parts and of all, ms */
export async function fetchWith(
  fetcher: Fetcher,
  files: readonly BenchFile[],
  place: Place,
  signal: AbortSignal,
  check: (folder: string) => void,
): Promise<Record<string, number>> {
  const folder = join(place.folder, 'fetched');
  mkdirSync(folder);
  fetcher.prepare(files, folder);
  const startedAt = performance.now();
  const parts = await fetcher.fetch(files, folder, signal);
  const all = performance.now() - startedAt;
  check(folder);
  await rm(folder, { recursive: true });
  return { ...parts, all };
}

/** Which of `count` sides begins changes from round to round. */
export function turns(count: number, round: number): number[] {
  return Array.from({ length: count }, (_, index) => (index + round) % count);
}

export function artifactPaths({ sample, files }: BenchBuild, folder: string): Map<BenchFile, string> {
  const byUrl = new Map(files.map((file) => [file.url, file]));
  const paths = new Map<BenchFile, string>();
  for (const job of sample.jobs) {
    if (job.type !== 'script') continue;
    for (const artifact of job.artifacts) {
      const file = byUrl.get(artifact.location ?? '');
      if (file !== undefined) paths.set(file, join(folder, 'jobs', job.id, 'artifacts', artifact.path));
    }
  }
  return paths;
}

/** The sizes of trees that a bench was asked for: `<size>[,<size>…]`. @returns null where it was asked for none */
export function sizesOf(part: string): readonly number[] | null {
  if (part === '') return null;
  const sizes = part.split(',').map(Number);
  if (sizes.every((size) => Number.isInteger(size) && size >= 100)) return sizes.toSorted((one, other) => one - other);
  throw new Error(`"${part}" is not a list of sizes, each a whole number from 100 on`);
}
