/** A build's entry in the catalog, and the pointers that follow from it. */
import type { BuildSummary } from '../src/model.ts';
import { renderBadge } from '../src/pages/badge.ts';
import type { PointerChange } from '../src/search/catalog-pointers.ts';
import type { Place } from '../src/tree/paths.ts';
import { writeBadge, writePointer } from '../src/tree/pointers.ts';
import type { WorkerContext } from './context.ts';

export function noteInCatalog(
  worker: Pick<WorkerContext, 'catalog' | 'paths'>,
  place: Place,
  summary: BuildSummary,
  { lost, withheld }: { readonly lost: number; readonly withheld: number },
): void {
  worker.catalog.put({ folder: place.folder, summary, lost, withheld }, (changes) =>
    followPointers(worker, place, changes),
  );
}

/**
 * Runs inside the catalog's transaction. Of a part of the builds nobody can tell the latest: until the catalog has all
 * of them, pointers stay where they are, and its restoration then sees to each of them.
 */
export function followPointers(
  { catalog, paths }: Pick<WorkerContext, 'catalog' | 'paths'>,
  { organization, folder }: Place,
  changes: readonly PointerChange[],
): void {
  if (catalog.stage() === 'partial') return;
  for (const { kind, name, state, number } of changes) {
    writePointer(paths, paths.pointer(organization, folder, kind, name, state), number);
    if (kind !== 'latest' || state !== 'any') continue;
    const [latest] = number === null ? [] : catalog.builds({ organization, folder, before: number + 1, limit: 1 });
    writeBadge(paths, paths.badge(organization, folder, name), latest === undefined ? null : renderBadge(latest.state));
  }
}
