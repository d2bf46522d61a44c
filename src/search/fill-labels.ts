/** Labels for builds that were mirrored before there were any: until they have one, nobody may read them. */
import { hasLabel, labelFacts, writeLabel } from '../tree/labels.ts';
import type { DataPaths } from '../tree/paths.ts';
import type { Catalog } from './catalog.ts';

/** @returns how many were missing */
export async function fillLabels(paths: DataPaths, catalog: Pick<Catalog, 'entries'>): Promise<number> {
  let filled = 0;
  for (const { folder, summary } of catalog.entries()) {
    const place = { organization: summary.organization, folder, number: summary.number };
    if (hasLabel(paths, place)) continue;
    await writeLabel(paths, place, labelFacts(summary));
    filled += 1;
  }
  return filled;
}
