/** The catalog from the records: when its file is new (or of another version) and the tree is not empty. */
import { readBuildRecord } from '../src/tree/records.ts';
import { walkBuilds } from '../src/tree/walk.ts';
import { summaryOf } from './build-record.ts';
import type { WorkerContext } from './context.ts';
import { noteInCatalog } from './note-in-catalog.ts';

/** @returns how many builds were found */
export async function restoreCatalog(worker: WorkerContext): Promise<number> {
  const { paths, catalog, queue } = worker;
  if (catalog.totals().builds > 0) return 0;
  let found = 0;
  const folders = new Map<string, { organization: string; folder: string }>();
  for await (const place of walkBuilds(paths)) {
    const record = await readBuildRecord(paths, place);
    if (record === null) continue;
    // What is missing of a settled build is lost, refused or dropped; its next publish counts it exactly.
    // Whether other settings would let more of it in is not known until then, so it may be.
    const lost = record.settled ? record.expected - record.present : 0;
    noteInCatalog(worker, place, summaryOf(record), { lost, withheld: 1 });
    found += 1;
    const { organization, folder } = place;
    folders.set(`${organization}/${folder}`, { organization, folder });
  }
  for (const each of folders.values()) {
    await queue.enqueue({ name: 'publish-pipeline', payload: { ...each, number: null } });
  }
  return found;
}
