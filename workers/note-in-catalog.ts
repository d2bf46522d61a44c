/** A build's entry in the catalog, and the pointers that follow from it. */
import type { BuildSummary } from '../src/model.ts';
import type { Place } from '../src/tree/paths.ts';
import { writePointer } from '../src/tree/pointers.ts';
import type { WorkerContext } from './context.ts';

export function noteInCatalog(
  { catalog, paths }: WorkerContext,
  place: Place,
  summary: BuildSummary,
  { lost, withheld }: { readonly lost: number; readonly withheld: number },
): void {
  catalog.put({ folder: place.folder, summary, lost, withheld }, (changes) => {
    for (const { kind, name, state, number } of changes) {
      writePointer(paths, paths.pointer(place.organization, place.folder, kind, name, state), number);
    }
  });
}
