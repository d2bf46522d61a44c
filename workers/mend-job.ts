/** Compares a job's names on the disk with its record, and gives files their names and blobs back. */
import { join } from 'node:path';
import type { JobRecord } from '../src/model.ts';
import { linkBlob, restoreBlob } from '../src/tree/blobs.ts';
import { checkJob, type FaultyFile } from '../src/tree/check-job.ts';
import type { Place } from '../src/tree/paths.ts';
import { noteDamage, setAside } from '../src/tree/quarantine.ts';
import { mendSums } from './save-job.ts';
import type { Upkeep } from './upkeep.ts';

export interface Mended {
  /** Files that got their names back, or the right bytes. */
  linked: number;
  /** Files of which nothing has the bytes any more: the repair strikes them and has them fetched again. */
  gone: number;
}

/** To be called by who holds the job: nobody else writes its record or links its files meanwhile. */
export async function mendJob(upkeep: Upkeep, place: Place, record: JobRecord): Promise<Mended> {
  const done = { linked: 0, gone: 0 };
  for (const fault of await checkJob(upkeep.paths, place, record)) {
    if (await mend(upkeep, place, record, fault)) done.linked += 1;
    else done.gone += 1;
  }
  if (await mendSums(upkeep.paths, place, record)) done.linked += 1;
  return done;
}

/** @returns false where nothing has its bytes: then it is noted, for the repair that follows */
async function mend({ paths }: Upkeep, place: Place, { id }: JobRecord, fault: FaultyFile): Promise<boolean> {
  const base = paths.job(place, id);
  const { file, sha256, size } = fault;
  if (fault.fault === 'gone') {
    await noteDamage(paths, { name: sha256, size, found: 'nothing has them any more' });
    return false;
  }
  if (fault.fault === 'unnamed') restoreBlob(paths, sha256, join(base, file));
  else {
    // What lies in its place is somebody's: it is kept, where nobody is served it.
    if (fault.fault === 'other') setAside(paths, join(base, file), `${sha256}-other`);
    linkBlob(paths, sha256, base, file, new Set());
  }
  return true;
}
