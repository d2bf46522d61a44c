/** The catalog from the records: when its file is new (or of another version) and the tree is not empty. */
import type { BuildRecord } from '../src/model.ts';
import type { Place } from '../src/tree/paths.ts';
import { readBuildRecord } from '../src/tree/records.ts';
import { walkBuilds } from '../src/tree/walk.ts';
import { summaryOf } from './build-record.ts';
import type { WorkerContext } from './context.ts';
import { noteInCatalog } from './note-in-catalog.ts';

/** Builds in one transaction: others that write wait for no more than these. */
const atOnce = 100;

/** @returns how many builds were found */
export async function restoreCatalog(worker: WorkerContext): Promise<number> {
  const { paths, catalog, queue } = worker;
  if (catalog.totals().builds > 0) return 0;
  let found = 0;
  const folders = new Map<string, { organization: string; folder: string }>();
  let batch: [Place, BuildRecord][] = [];
  const note = (): void => {
    catalog.together(() => noteAll(worker, batch));
    found += batch.length;
    batch = [];
  };
  for await (const place of walkBuilds(paths)) {
    const record = await readBuildRecord(paths, place);
    if (record === null) continue;
    if (batch.push([place, record]) >= atOnce) note();
    const { organization, folder } = place;
    folders.set(`${organization}/${folder}`, { organization, folder });
  }
  note();
  for (const each of folders.values()) {
    await queue.enqueue({ name: 'publish-pipeline', payload: { ...each, number: null } });
  }
  return found;
}

function noteAll(worker: WorkerContext, builds: readonly (readonly [Place, BuildRecord])[]): void {
  const known = worker.catalog.known(builds.map(([, { id }]) => id));
  for (const [place, record] of builds) {
    // Published meanwhile: that is newer than what was read here.
    if (known.has(record.id)) continue;
    // What is missing of a settled build is lost, refused or dropped; its next publish counts it exactly.
    // Whether other settings would let more of it in is not known until then, so it may be.
    const lost = record.settled ? record.expected - record.present : 0;
    noteInCatalog(worker, place, summaryOf(record), { lost, withheld: 1 });
  }
}
