/** What retention looks at: every build of the catalog, with what keeps it. */
import type { DataPaths } from '../tree/paths.ts';
import { pinnedBuilds } from '../tree/pins.ts';
import type { Candidate } from '../tree/retention.ts';
import { unsettledBuilds } from '../tree/unsettled.ts';
import type { Catalog } from './catalog.ts';

export async function readCandidates(paths: DataPaths, catalog: Catalog): Promise<Candidate[]> {
  const [pins, open] = [await pinnedBuilds(paths), await unsettledBuilds(paths)];
  return Array.from(catalog.entries(), ({ folder, summary }) => ({
    folder,
    summary,
    pinned: pins.has(summary.id),
    unsettled: open.has(summary.id),
  }));
}
