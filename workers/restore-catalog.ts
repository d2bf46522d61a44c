/** The catalog from the records: when its file is new (or of another version) and the tree is not empty. */
import { join } from 'node:path';
import { listFolder } from '../src/tree/files.ts';
import type { Place } from '../src/tree/paths.ts';
import { readBuildRecord } from '../src/tree/records.ts';
import { summaryOf } from './build-record.ts';
import type { WorkerContext } from './context.ts';
import { noteInCatalog } from './note-in-catalog.ts';

/** @returns how many builds were found */
export async function restoreCatalog(worker: WorkerContext): Promise<number> {
  const { paths, catalog, queue } = worker;
  if (catalog.totals().builds > 0) return 0;
  let found = 0;
  for (const organization of await names(paths.tree)) {
    for (const folder of await names(join(paths.tree, organization))) {
      for (const name of await names(join(paths.pipeline(organization, folder), 'builds'))) {
        const place: Place = { organization, folder, number: Number(name) };
        const record = await readBuildRecord(paths, place);
        if (record === null) continue;
        // What is missing of a settled build is lost, refused or dropped; its next publish counts it exactly.
        // Whether other settings would let more of it in is not known until then, so it may be.
        const lost = record.settled ? record.expected - record.present : 0;
        noteInCatalog(worker, place, summaryOf(record), { lost, withheld: 1 });
        found += 1;
      }
      await queue.enqueue({ name: 'publish-pipeline', payload: { organization, folder, number: null } });
    }
  }
  return found;
}

async function names(folder: string): Promise<string[]> {
  return (await listFolder(folder)).filter((entry) => entry.isDirectory()).map(({ name }) => name);
}
