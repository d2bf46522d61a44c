/**
 * The index of gaps: state/unsettled/<build>/ exists from before the first fetch until the settled publish. A job's stub
 * in it says what upstream listed for that job, so that the work can be taken up again without asking anew.
 */
import { randomUUID } from 'node:crypto';
import { opendirSync } from 'node:fs';
import { link, mkdir, rename, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { z } from 'zod';
import { errnoOf, MirrorError } from '../errors.ts';
import { ArtifactFacts, BuildRef, JobFacts, Uuid } from '../model.ts';
import { unlinkFile } from './blobs.ts';
import { isAbsent, listFolder, readIfPresent, removeFolder, syncFolder, writeAtomic, writtenAt } from './files.ts';
import type { DataPaths } from './paths.ts';
import { parseSealed, sealed } from './sealed.ts';
import { temporaryFile } from './temporary.ts';

/** state/unsettled/<build>/build.json */
export const UnsettledBuild = BuildRef.extend({
  version: z.literal(1),
  /** null until upstream was asked. */
  pipelineId: Uuid.nullable(),
  /** ISO 8601: since when the build has a gap. */
  since: z.string(),
  learnedFrom: z.enum(['webhook', 'reconcile', 'backfill', 'reader']),
  /**
   * ISO 8601: since when upstream shows nothing of the build's pipeline, which it does for one that is deleted, renamed, or
   * hidden from the token. Absent or null while it is seen.
   */
  unseenSince: z.string().nullish(),
  /** Another one each time that the gap is opened, so that who closes it sees whether it was opened again. */
  opened: z.string().optional(),
});
export type UnsettledBuild = z.infer<typeof UnsettledBuild>;

/** state/unsettled/<build>/<job>/<when>.json: what is to be mirrored of a job. */
export const JobStub = BuildRef.extend({
  version: z.literal(1),
  pipelineId: Uuid,
  job: JobFacts,
  artifacts: z.array(ArtifactFacts),
  /** ISO 8601: when upstream was asked. */
  listedAt: z.string(),
  /** How large the build is: what is derived from it is made the less often. */
  jobsInBuild: z.number(),
  /** How often it was asked again because an upload had not ended. */
  looks: z.number(),
  /** Whether the build had ended when this was listed: then the log is looked at for the last time. */
  buildFinished: z.boolean(),
  /** The log was fetched before the build's end and may have grown. */
  logMayHaveGrown: z.boolean(),
});
export type JobStub = z.infer<typeof JobStub>;

/** @param entry what it leaves out or has as null is kept as it was; `unseenSince` as null says that the build was seen. @returns it as it is on disk */
export async function openUnsettled(paths: DataPaths, entry: UnsettledBuild): Promise<UnsettledBuild> {
  const known = await readUnsettled(paths, entry.build);
  // The gap began when it was first seen, whatever is heard of it later.
  const since = known?.since ?? entry.since;
  const learnedFrom = known?.learnedFrom ?? entry.learnedFrom;
  const pipelineId = entry.pipelineId ?? known?.pipelineId ?? null;
  const unseenSince = entry.unseenSince === undefined ? known?.unseenSince : entry.unseenSince;
  const { unseenSince: _, ...rest } = entry;
  const unseen = unseenSince == null ? {} : { unseenSince };
  const opened: UnsettledBuild = { ...rest, since, learnedFrom, pipelineId, ...unseen, opened: randomUUID() };
  // Nothing but what is named here may stand in the folder: what else is there would keep the gap open. Who closes it at
  // this very moment takes the folder away, and it is made again.
  const temporary = temporaryFile(paths);
  await writeAtomic(paths.unsettledBuildFile(entry.build), sealed(opened), { temporary, makesFolder: true });
  return opened;
}

/** @returns null where there is none, and where what is there cannot be read: see `damagedGaps` */
export async function readUnsettled(paths: DataPaths, build: string): Promise<UnsettledBuild | null> {
  const text = await readIfPresent(paths.unsettledBuildFile(build));
  if (text === null) return null;
  return UnsettledBuild.safeParse(parseSealed(text)).data ?? null;
}

/**
 * A new stub stands beside the one that may be worked on, under a later name: whoever ends that work removes what it has
 * read and nothing else. Not synced: after a power cut the build is read again, and its stubs are made anew.
 * @throws MirrorError ERR_TREE_MOVED where the gap was closed since it was opened: what is to be done is to be seen anew.
 *   A folder that this made would have no build.json, and nobody would ever close it
 */
export async function writeStub(paths: DataPaths, stub: JobStub): Promise<string> {
  const folder = paths.unsettledJob(stub.build, stub.job.id);
  await mkdir(folder).catch((thrown: unknown) => {
    if (isAbsent(thrown)) throw new MirrorError('ERR_TREE_MOVED', 'the gap of this build was closed', {}, thrown);
    if (errnoOf(thrown) !== 'EEXIST') throw thrown;
  });
  // A clock may be set back; a later stub has a later name in any case.
  const last = Number.parseInt((await stubNames(folder)).at(-1) ?? '0', 10);
  const name = `${Math.max(Date.now(), last + 1)}.json`;
  await writeAtomic(join(folder, name), sealed(stub), { durable: false, temporary: temporaryFile(paths) });
  return name;
}

/** @returns null where nothing is to be done, or where the stub is torn: the next look at the build makes it anew */
export async function readStub(
  paths: DataPaths,
  build: string,
  job: string,
): Promise<{ name: string; stub: JobStub } | null> {
  const folder = paths.unsettledJob(build, job);
  const name = (await stubNames(folder)).at(-1);
  const text = name === undefined ? null : await readIfPresent(join(folder, name));
  if (name === undefined || text === null) return null;
  const stub = JobStub.safeParse(parseSealed(text)).data;
  return stub === undefined ? null : { name, stub };
}

/** From the oldest to the newest. */
async function stubNames(folder: string): Promise<string[]> {
  const names = (await listFolder(folder)).map((entry) => entry.name);
  return names.filter((name) => /^\d+\.json$/.test(name)).toSorted();
}

/** Greater than any stub's name. */
const afterAll = '~';

/** Removes the stub that was worked on and the older ones. */
export async function removeStub(paths: DataPaths, build: string, job: string, done: string): Promise<void> {
  const folder = paths.unsettledJob(build, job);
  for (const { name } of await listFolder(folder)) {
    if (name <= done) unlinkFile(join(folder, name));
  }
  await rmdir(folder).catch((thrown: unknown) => {
    if (!isAbsent(thrown) && errnoOf(thrown) !== 'ENOTEMPTY') throw thrown;
  });
}

/**
 * A power cut may leave a stub that cannot be read, or a folder without one: they would keep the gap open for ever. To be
 * called when all that upstream has was looked at, by who has just written the stubs of `made`.
 */
export async function clearTornStubs(paths: DataPaths, build: string, made: ReadonlySet<string>): Promise<void> {
  for (const job of await listStubs(paths, build)) {
    if (!made.has(job) && (await readStub(paths, build, job)) === null) await removeStub(paths, build, job, afterAll);
  }
}

/** Whether any job of the build still has a stub. Reads a few names at the most, however many there are. */
export function hasStubs(paths: DataPaths, build: string): boolean {
  return countStubs(paths, build, 1) > 0;
}

/** How many jobs of the build have a stub; counts no further than `most`. */
export function countStubs(paths: DataPaths, build: string, most: number): number {
  let count = 0;
  try {
    const folder = opendirSync(paths.unsettledBuild(build));
    try {
      for (let entry = folder.readSync(); entry !== null && count < most; entry = folder.readSync()) {
        if (entry.isDirectory()) count += 1;
      }
      return count;
    } finally {
      folder.closeSync();
    }
  } catch (thrown) {
    if (isAbsent(thrown)) return count;
    throw thrown;
  }
}

export async function listStubs(paths: DataPaths, build: string): Promise<string[]> {
  const entries = await listFolder(paths.unsettledBuild(build));
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

/** The uuids of builds with a gap, at the price of their names. */
export async function unsettledBuilds(paths: DataPaths): Promise<Set<string>> {
  return new Set((await listFolder(paths.unsettled)).map(({ name }) => name));
}

/** The names of gaps survive a power cut once this has returned. */
export function syncGaps(paths: DataPaths): Promise<void> {
  return syncFolder(paths.unsettled);
}

/** The uuids of the builds with a gap, at the price of their names. */
export async function listOpenGaps(paths: DataPaths): Promise<string[]> {
  return (await listFolder(paths.unsettled)).map(({ name }) => name);
}

/** After so many small files, each read in one go, others have their turn. */
const readsATurn = 256;

/** Builds with a gap. */
export async function* eachUnsettled(paths: DataPaths): AsyncGenerator<UnsettledBuild> {
  let count = 0;
  for (const build of await listOpenGaps(paths)) {
    const entry = await readUnsettled(paths, build);
    if (entry !== null) yield entry;
    if ((count += 1) % readsATurn === 0) await nextTurn();
  }
}

/** The pipelines of builds with a gap that upstream shows nothing of: slug → since when (ISO 8601). */
export async function unseenPipelines(paths: DataPaths): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const { pipeline, unseenSince } of eachUnsettled(paths)) {
    const known = found.get(pipeline);
    if (unseenSince != null && (known === undefined || unseenSince < known)) found.set(pipeline, unseenSince);
  }
  return found;
}

/**
 * Gaps of which nobody can tell what build they are of, though they are not being closed: their record is damaged, or gone
 * and stubs are left.
 */
export async function damagedGaps(paths: DataPaths): Promise<string[]> {
  const found: string[] = [];
  for (const build of await listOpenGaps(paths)) {
    if ((await readUnsettled(paths, build)) !== null) continue;
    if (writtenAt(paths.unsettledBuildFile(build)) !== null || hasStubs(paths, build)) found.push(build);
  }
  return found;
}

/** Whether a job has a stub that cannot be read, or a folder without any: what is to be done is to be seen anew. */
export async function isTornStub(paths: DataPaths, build: string, job: string): Promise<boolean> {
  return writtenAt(paths.unsettledJob(build, job)) !== null && (await readStub(paths, build, job)) === null;
}

/** Takes away a gap of which nobody can tell what it was of. */
export async function removeGap(paths: DataPaths, build: string): Promise<void> {
  await removeFolder(paths.unsettledBuild(build));
}

/**
 * Ends the gap as it was read; one that was opened again since stays, as does one with a stub that was written meanwhile.
 * Its file is taken aside before it is compared: what is opened after that has a file of its own.
 */
export async function closeUnsettled(paths: DataPaths, { build, ...read }: UnsettledBuild): Promise<void> {
  if (hasStubs(paths, build)) return;
  const aside = paths.unsettledAside(build);
  try {
    await rename(paths.unsettledBuildFile(build), aside);
  } catch (thrown) {
    if (!isAbsent(thrown)) throw thrown;
  }
  const text = await readIfPresent(aside);
  const found = text === null ? null : UnsettledBuild.safeParse(parseSealed(text)).data;
  if (found !== null && found?.opened !== read.opened) return putBack(paths, build);
  unlinkFile(aside);
  try {
    await rmdir(paths.unsettledBuild(build));
  } catch (thrown) {
    if (isAbsent(thrown)) return;
    if (errnoOf(thrown) !== 'ENOTEMPTY') throw thrown;
    // A stub came meanwhile, unless it was the gap itself.
    if (writtenAt(paths.unsettledBuildFile(build)) === null) await openUnsettled(paths, { build, ...read });
  }
}

/** What was taken aside is the gap again, unless that was opened anew since. */
async function putBack(paths: DataPaths, build: string): Promise<void> {
  const aside = paths.unsettledAside(build);
  try {
    await link(aside, paths.unsettledBuildFile(build));
  } catch (thrown) {
    // Another who closes it has put it back, or taken it away, this very moment.
    if (!isAbsent(thrown) && errnoOf(thrown) !== 'EEXIST') return putOver(paths, build);
  }
  unlinkFile(aside);
}

/** Where no link can be had now. It may take the place of one that was opened this very moment: then the gap is open all the same. */
async function putOver(paths: DataPaths, build: string): Promise<void> {
  try {
    await rename(paths.unsettledAside(build), paths.unsettledBuildFile(build));
  } catch (thrown) {
    if (!isAbsent(thrown)) throw thrown;
  }
}

/**
 * A closing that was killed halfway leaves a gap that is put aside, which may have been opened again; or an empty folder,
 * which would be counted as a gap for ever.
 */
export async function removeEmptyGaps(paths: DataPaths): Promise<void> {
  for (const name of await listOpenGaps(paths)) {
    if ((await readIfPresent(paths.unsettledBuildFile(name))) !== null) continue;
    if (writtenAt(paths.unsettledAside(name)) !== null) {
      await putBack(paths, name);
      continue;
    }
    await rmdir(paths.unsettledBuild(name)).catch((thrown: unknown) => {
      if (!isAbsent(thrown) && errnoOf(thrown) !== 'ENOTEMPTY') throw thrown;
    });
  }
}
