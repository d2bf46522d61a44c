/** Which addresses show some bytes: the jobs' own, the merged and step views', a log's page, and those that quote it. */
import { hasFailed, type JobRecord } from '../model.ts';
import { type DataPaths, fileOf, type Place, stepFolder } from './paths.ts';
import { readViews } from './records.ts';
import { readJobs, walkBuilds } from './walk.ts';

export interface Shown {
  readonly pipeline: string;
  readonly number: number;
  readonly job: string;
  readonly path: string;
  readonly sha256: string;
  /** Decoded paths. */
  readonly urls: readonly string[];
}

/** @param digests whose bytes are looked for · @param onProgress told after each build */
export async function findShown(
  paths: DataPaths,
  digests: ReadonlySet<string>,
  { signal, onProgress }: { signal: AbortSignal; onProgress: (builds: number) => void },
): Promise<Shown[]> {
  const shown: Shown[] = [];
  let seen = 0;
  for await (const place of walkBuilds(paths)) {
    signal.throwIfAborted();
    onProgress((seen += 1));
    const here = (await readJobs(paths, place)).records.flatMap((record) => ofJob(place, record, digests));
    if (here.length > 0) shown.push(...here, ...(await ofViews(paths, place, digests)));
  }
  return shown;
}

function address({ organization, folder, number }: Place): string {
  return `/${organization}/${folder}/builds/${number}`;
}

function ofJob(place: Place, record: JobRecord, digests: ReadonlySet<string>): Shown[] {
  const base = `${address(place)}/jobs/${record.id}`;
  const common = { pipeline: place.folder, number: place.number, job: record.id };
  const artifacts = record.artifacts.flatMap((artifact) => {
    const file = fileOf(artifact);
    if (artifact.sha256 === null || !digests.has(artifact.sha256) || file === null) return [];
    return [{ ...common, path: artifact.path, sha256: artifact.sha256, urls: withFolder(`${base}/${file}`) }];
  });
  const { log } = record;
  if (log === null || log.sha256 === null || !digests.has(log.sha256)) return artifacts;
  // Pages of a failed job quote the lines that say why.
  const quoting = hasFailed(record) ? [`${base}/`, `${address(place)}/`] : [];
  const urls = [`${base}/log.txt`, `${base}/log/`, ...quoting];
  return [...artifacts, { ...common, path: 'log.txt', sha256: log.sha256, urls }];
}

async function ofViews(paths: DataPaths, place: Place, digests: ReadonlySet<string>): Promise<Shown[]> {
  const views = await readViews(paths, place);
  if (views === null) return [];
  const below = Object.entries(views.steps).map(
    ([key, entries]) => [`steps/${stepFolder(key)}/artifacts`, entries] as const,
  );
  return [['artifacts', views.merged] as const, ...below].flatMap(([folder, entries]) =>
    entries
      .filter(({ sha256 }) => digests.has(sha256))
      .map(({ path, job, sha256 }) => ({
        ...{ pipeline: place.folder, number: place.number, job, path, sha256 },
        urls: withFolder(`${address(place)}/${folder}/${path}`),
      })),
  );
}

/** A folder's address shows its index. */
function withFolder(url: string): string[] {
  return url.endsWith('/index.html') ? [url, url.slice(0, -'index.html'.length)] : [url];
}
