/**
 * The merged view of a build and the views of its steps: which artifact shows under which path, and the hard links that
 * make it so. Derived from the job records; made again from them at will.
 */
import { dirname, join } from 'node:path';
import { MirrorError } from '../errors.ts';
import type { JobRecord, ViewEntry } from '../model.ts';
import { linkBlob, restoreBlob, unlinkFile } from './blobs.ts';
import { isAbsent, listFolder, makeFolders, pruneFolders, syncFolder } from './files.ts';
import { type DataPaths, fileOf } from './paths.ts';

/** Relative to the build's folder: what an artifact's url begins with when it is stored under its own path. */
export function artifactsPrefix(job: string): string {
  return `jobs/${job}/artifacts/`;
}

/**
 * Of the jobs that no later attempt replaced: on one path the job that finished last wins (tie: greater id); where a
 * file and a folder collide the folder wins.
 */
export function mergeJobs(jobs: readonly JobRecord[]): ViewEntry[] {
  const ordered = jobs.filter((job) => !job.retried).toSorted(byEnd);
  const winners = new Map<string, ViewEntry>();
  for (const job of ordered) {
    const prefix = artifactsPrefix(job.id);
    for (const artifact of job.artifacts) {
      if (artifact.state !== 'present' || artifact.sha256 === null || !artifact.url?.startsWith(prefix)) continue;
      const path = fileOf(artifact)?.slice('artifacts/'.length);
      if (path === undefined) continue;
      const { sha256, crc32, size, mime_type: mimeType } = artifact;
      winners.set(path, { path, job: job.id, artifact: artifact.id, sha256, crc32, size, mimeType });
    }
  }
  const folders = foldersOf(winners.keys());
  return [...winners.values()].filter((entry) => !folders.has(entry.path)).toSorted((a, b) => compare(a.path, b.path));
}

/** @returns by step key; jobs without a key are in the merged view alone */
export function mergeSteps(jobs: readonly JobRecord[]): Record<string, ViewEntry[]> {
  const steps = Object.groupBy(
    jobs.filter((job) => job.step_key !== null && job.step_key !== ''),
    (job) => job.step_key ?? '',
  );
  return Object.fromEntries(Object.entries(steps).map(([key, of]) => [key, mergeJobs(of ?? [])]));
}

function byEnd(left: JobRecord, right: JobRecord): number {
  return compare(left.finished_at ?? '', right.finished_at ?? '') || compare(left.id, right.id);
}

function compare(left: string, right: string): number {
  return left < right ? -1 : Number(left > right);
}

function foldersOf(paths: Iterable<string>): Set<string> {
  const folders = new Set<string>();
  for (const path of paths) {
    for (let cut = path.lastIndexOf('/'); cut > 0; cut = path.lastIndexOf('/', cut - 1)) {
      const folder = path.slice(0, cut);
      if (folders.has(folder)) break;
      folders.add(folder);
    }
  }
  return folders;
}

/**
 * Makes a view's folder hold exactly `wanted`.
 * @param build the build's folder, which must be there · @param below the view's folder in it
 * @param before what it holds as far as is known; null: look
 * @param sourceOf the job's own file of an entry: where a blob has lost its name, it is made again from that
 */
export async function linkView(
  paths: DataPaths,
  { build, below }: { readonly build: string; readonly below: string },
  wanted: readonly ViewEntry[],
  before: readonly ViewEntry[] | null,
  sourceOf: (entry: ViewEntry) => string,
): Promise<void> {
  const base = join(build, below);
  const there = new Map<string, string>(
    before === null
      ? (await walk(base, '')).map((path) => [path, ''])
      : before.map((entry) => [entry.path, entry.sha256]),
  );
  const keep = new Set(wanted.map((entry) => entry.path));
  for (const path of there.keys()) {
    if (keep.has(path)) continue;
    unlinkFile(join(base, path));
    pruneFolders(base, dirname(path));
  }
  const changed = wanted.filter(({ path, sha256 }) => there.get(path) !== sha256);
  if (changed.length > 0) makeFolders(build, below, new Set());
  const known = new Set<string>();
  for (const entry of changed) {
    const link = (): boolean => linkBlob(paths, entry.sha256, base, entry.path, known);
    try {
      link();
    } catch (thrown) {
      if (!(thrown instanceof MirrorError) || thrown.code !== 'ERR_TREE_CORRUPT') throw thrown;
      restoreBlob(paths, entry.sha256, sourceOf(entry));
      link();
    }
  }
}

/** Makes the names in these folders survive a power cut; one that is gone again needs nothing. */
export async function syncFolders(folders: Iterable<string>): Promise<void> {
  await Promise.all(
    Array.from(folders, (folder) =>
      syncFolder(folder).catch((thrown: unknown) => {
        if (!isAbsent(thrown)) throw thrown;
      }),
    ),
  );
}

async function walk(base: string, relative: string, files: string[] = []): Promise<string[]> {
  for (const entry of await listFolder(join(base, relative))) {
    const path = relative === '' ? entry.name : `${relative}/${entry.name}`;
    if (entry.isDirectory()) await walk(base, path, files);
    else files.push(path);
  }
  return files;
}
