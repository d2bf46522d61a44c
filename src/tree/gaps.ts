/** How many builds are unsettled and how long the oldest has been: from the index of gaps, at the price of its names. */
import { listFolder } from './files.ts';
import type { DataPaths } from './paths.ts';
import { readUnsettled } from './unsettled.ts';

export interface Gaps {
  readonly unsettled: number;
  /** When the build that has waited longest was noted (ms since 1970); null when none waits. */
  readonly oldestSince: number | null;
}

/** Each call looks at the names that are there; a build's own file is read when it is new, or when it is the oldest. */
export function createGapReader(paths: DataPaths): () => Promise<Gaps> {
  const known = new Map<string, number>();

  async function learn(build: string): Promise<void> {
    const entry = await readUnsettled(paths, build);
    const since = entry === null ? Number.NaN : Date.parse(entry.since);
    // Being made or removed just now, or torn: the next look will tell.
    if (Number.isNaN(since)) known.delete(build);
    else known.set(build, since);
  }

  return async () => {
    const builds = new Set((await listFolder(paths.unsettled)).map(({ name }) => name));
    for (const build of known.keys()) if (!builds.has(build)) known.delete(build);
    for (const build of builds) if (!known.has(build)) await learn(build);
    for (;;) {
      const oldest = [...known].reduce<[string, number] | null>(
        (least, entry) => (least === null || entry[1] < least[1] ? entry : least),
        null,
      );
      if (oldest === null) return { unsettled: builds.size, oldestSince: null };
      // A gap may have been closed and opened anew between two looks; only for the oldest would that matter.
      await learn(oldest[0]);
      if (known.get(oldest[0]) === oldest[1]) return { unsettled: builds.size, oldestSince: oldest[1] };
    }
  };
}
