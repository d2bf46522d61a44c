/**
 * Which addresses show some bytes: the jobs' own, the merged and step views', a log's page, and those that quote it. And which
 * may have shown them before: under the pipeline's earlier names, in views where a later attempt has that place now, and
 * where retention has removed them since.
 */
import { type ArtifactRecord, hasFailed, type JobRecord } from '../model.ts';
import { type DataPaths, fileOf, type Place, parseTreePath, possibleFiles, stepFolder } from './paths.ts';
import { formerFolders } from './pointers.ts';
import { damaged, orDamaged, readBuildRecord, readViews } from './records.ts';
import { readJobs, walkBuilds } from './walk.ts';

export interface Shown {
  readonly pipeline: string;
  readonly number: number;
  readonly job: string;
  readonly path: string;
  readonly sha256: string;
  /** Decoded paths. */
  readonly urls: readonly string[];
  /** Where they may have been before; something else may have been there, too. */
  readonly earlier: readonly string[];
}

/** Whether a file of a job is looked for, by its bytes or by its name. */
export type Sought = (file: { readonly sha256: string; readonly path: string }) => boolean;

/** @param onProgress told after each build */
export async function findShown(
  paths: DataPaths,
  isSought: Sought,
  { signal, onProgress }: { signal: AbortSignal; onProgress: (builds: number) => void },
): Promise<Shown[]> {
  const shown: Shown[] = [];
  let seen = 0;
  for await (const place of walkBuilds(paths)) {
    signal.throwIfAborted();
    onProgress((seen += 1));
    const here = (await readJobs(paths, place)).records.flatMap((record) => ofJob(place, record, isSought));
    if (here.length === 0) continue;
    const former = await formerPlaces(paths, place);
    for (const each of [...here, ...(await ofViews(paths, place, isSought))])
      shown.push(withFormer(each, place, former));
  }
  return shown;
}

function address({ organization, folder, number }: Place): string {
  return `/${organization}/${folder}/builds/${number}`;
}

function ofJob(place: Place, record: JobRecord, isSought: Sought): Shown[] {
  const base = `${address(place)}/jobs/${record.id}`;
  const common = { pipeline: place.folder, number: place.number, job: record.id };
  const artifacts = record.artifacts.flatMap((artifact) => {
    const { sha256, path } = artifact;
    if (sha256 === null || !isSought({ sha256, path })) return [];
    const file = fileOf(artifact);
    // Of what is there no more it is not known which of its places it had.
    const own = possibleFiles(artifact).flatMap((each) => withFolder(`${base}/${each}`));
    const urls = file === null ? [] : withFolder(`${base}/${file}`);
    return [
      { ...common, path, sha256, urls, earlier: [...(file === null ? own : []), ...inViews(place, record, artifact)] },
    ];
  });
  const { log } = record;
  if (log === null || log.sha256 === null) return artifacts;
  const named = { path: 'log.txt', sha256: log.sha256 };
  if (!isSought(named)) return artifacts;
  // Pages of a failed job quote the lines that say why.
  const quoting = hasFailed(record) ? [`${base}/`, `${address(place)}/`] : [];
  const urls = [`${base}/log.txt`, `${base}/log/`, ...quoting];
  return [...artifacts, { ...common, ...named, urls, earlier: [] }];
}

/** Every place that a job's artifact can have in its build's views. */
function inViews(place: Place, { step_key: step }: JobRecord, { path }: Pick<ArtifactRecord, 'path'>): string[] {
  const below = parseTreePath(path);
  if (below === null) return [];
  const views = ['artifacts', ...(step === null ? [] : [`steps/${stepFolder(step)}/artifacts`])];
  return views.flatMap((view) => withFolder(`${address(place)}/${view}/${below}`));
}

async function ofViews(paths: DataPaths, place: Place, isSought: Sought): Promise<Shown[]> {
  const views = await readViews(paths, place);
  if (views === null) return [];
  const below = Object.entries(views.steps).map(
    ([key, entries]) => [`steps/${stepFolder(key)}/artifacts`, entries] as const,
  );
  return [['artifacts', views.merged] as const, ...below].flatMap(([folder, entries]) =>
    entries
      .filter((entry) => isSought(entry))
      .map(({ path, job, sha256 }) => ({
        ...{ pipeline: place.folder, number: place.number, job, path, sha256 },
        urls: withFolder(`${address(place)}/${folder}/${path}`),
        earlier: [],
      })),
  );
}

/** The build's place under each name that its pipeline had, as far as is still known. */
async function formerPlaces(paths: DataPaths, place: Place): Promise<Place[]> {
  const { organization, folder } = place;
  const record = await orDamaged(readBuildRecord(paths, place));
  const names = new Set(await formerFolders(paths, organization, folder));
  // One that went aside had the name without its end; and a record tells the name at the time that it was last read.
  names.add(folder.replace(/~.*$/, ''));
  if (record !== damaged && record !== null) names.add(record.pipeline);
  names.delete(folder);
  return [...names].map((name) => ({ ...place, folder: name }));
}

function withFormer(shown: Shown, place: Place, former: readonly Place[]): Shown {
  const now = address(place);
  const all = [...shown.urls, ...shown.earlier];
  const under = former.flatMap((then) => all.map((url) => `${address(then)}${url.slice(now.length)}`));
  const earlier = new Set([...shown.earlier, ...under]);
  for (const url of shown.urls) earlier.delete(url);
  return { ...shown, earlier: [...earlier] };
}

/** A folder's address shows its index. */
function withFolder(url: string): string[] {
  return url.endsWith('/index.html') ? [url, url.slice(0, -'index.html'.length)] : [url];
}
