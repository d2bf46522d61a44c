/** Where `latest` and its kin would lead if some builds were gone. Pure. */
import { type BuildSummary, isEligible } from '../model.ts';
import type { PointerKind, PointerState } from '../tree/paths.ts';
import type { Candidate } from '../tree/retention.ts';
import { pointerStates, targetsOf } from './catalog-pointers.ts';

export interface MovedPointer {
  readonly folder: string;
  readonly kind: PointerKind;
  readonly name: string;
  readonly state: PointerState;
  readonly from: number;
  /** null: it leads nowhere any more. */
  readonly to: number | null;
}

/** @param gone uuids of the builds that are removed whole */
export function movedPointers(all: readonly Candidate[], gone: ReadonlySet<string>): MovedPointer[] {
  const groups = new Map<string, { folder: string; kind: PointerKind; name: string; builds: BuildSummary[] }>();
  for (const { folder, summary } of all) {
    if (!isEligible(summary)) continue;
    for (const { kind, name } of targetsOf(summary)) {
      const key = `${folder}\n${kind}\n${name}`;
      const group = groups.get(key) ?? { folder, kind, name, builds: [] };
      group.builds.push(summary);
      groups.set(key, group);
    }
  }
  return [...groups.values()].flatMap(({ builds, ...of }) =>
    pointerStates.flatMap((state) => {
      const able = builds.filter((build) => state === 'any' || build.state === state);
      const from = greatest(able);
      const to = greatest(able.filter(({ id }) => !gone.has(id)));
      return from === null || from === to ? [] : [{ ...of, state, from, to }];
    }),
  );
}

function greatest(builds: readonly BuildSummary[]): number | null {
  return builds.reduce<number | null>((most, { number }) => Math.max(most ?? number, number), null);
}
