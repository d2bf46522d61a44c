/**
 * Writes what is known of a job, in the order that keeps every reader right: names synced → record → sums → the
 * markers that let the gate call the job's files immutable.
 */
import type { JobRecord } from '../src/model.ts';
import { unlinkFile } from '../src/tree/blobs.ts';
import { readIfPresent, writeAtomic, writeDerived } from '../src/tree/files.ts';
import { type DataPaths, fileOf, type Place } from '../src/tree/paths.ts';
import { writeJobRecord } from '../src/tree/records.ts';
import { temporaryFile } from '../src/tree/temporary.ts';
import { syncFolders } from '../src/tree/views.ts';
import type { WorkerContext } from './context.ts';

/**
 * @param folders whose names must survive a power cut before the record tells of them. The blobs' own names need not: a
 *   blob that lost its name is linked again from the tree.
 * @param isFinal whether log and sums can change no more either; null: as it was
 */
export async function saveJob(
  { paths }: Pick<WorkerContext, 'paths'>,
  place: Place,
  record: JobRecord,
  folders: readonly string[],
  isFinal: boolean | null,
): Promise<void> {
  const [settled, final] = [paths.settledMarker(place, record.id), paths.finalMarker(place, record.id)];
  if (!record.settled || isFinal === false) unlinkFile(final);
  if (!record.settled) unlinkFile(settled);
  await syncFolders(folders);
  await writeJobRecord(paths, place, record);
  await writeSums(paths, place, record);
  if (record.settled) await writeDerived(paths, settled, '');
  if (record.settled && isFinal === true) await writeDerived(paths, final, '');
}

async function writeSums(paths: DataPaths, place: Place, record: JobRecord): Promise<void> {
  const options = { durable: false, temporary: temporaryFile(paths) };
  await writeAtomic(paths.jobFile(place, record.id, 'SHA256SUMS'), sumsOf(record), options);
}

/** Writes the sums again where they are not what the record says. @returns whether they were not */
export async function mendSums(paths: DataPaths, place: Place, record: JobRecord): Promise<boolean> {
  if ((await readIfPresent(paths.jobFile(place, record.id, 'SHA256SUMS'))) === sumsOf(record)) return false;
  await writeSums(paths, place, record);
  return true;
}

/** SHA256SUMS of what is present, with paths as `sha256sum -c` wants them when it runs in the job's folder. */
function sumsOf(record: JobRecord): string {
  const files = [...record.artifacts, ...(record.log === null ? [] : [record.log])];
  const lines = files.flatMap(({ state, sha256, url }) => {
    if (state !== 'present' || sha256 === null || url === null) return [];
    const path = fileOf({ url }) ?? '';
    // No stored name holds a backslash or a line break, which the format would want escaped.
    return [`${sha256}  ${path}\n`];
  });
  return lines.toSorted().join('');
}
