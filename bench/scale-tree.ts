/** Trees of any size, as the mirror would have written them: blobs of a few bytes, their links, the records, the catalog. */
import { hash } from 'node:crypto';
import { linkSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ArtifactRecord, BuildRecord, BuildSummary, JobRecord } from '../src/model.ts';
import { type Catalog, openCatalog } from '../src/search/catalog.ts';
import { prepareData } from '../src/tree/data.ts';
import { type DataPaths, dataPaths, type Place } from '../src/tree/paths.ts';
import { sealed } from '../src/tree/sealed.ts';
import { buildRecord, summaryOf } from '../workers/build-record.ts';
import { buildFacts, finishedAt, iso, jobFacts, organization, pipeline, uuidOf } from './scale-builds.ts';

export const artifactsPerBuild = 10;
/** On a disk of 4 KiB blocks: a blob for each artifact, folders and records for each build. */
export const bytesPerArtifact = 4096 + (8 * 4096) / artifactsPerBuild;
const buildsATurn = 200;

/** The address of a build's first artifact, from the mirror's root. */
export function artifactAddress(number: number): string {
  return `/${organization}/${pipeline}/builds/${number}/${urlOf(number, 0)}`;
}

/** The data folder of a mirror that holds builds 1 to `builds` and then was stopped. */
export function makeTree(data: string, builds: number, signal: AbortSignal): Promise<DataPaths> {
  return fill(data, builds, signal, (paths, number) => {
    const job = jobRecord(paths, number);
    const build = recordOf(number, job);
    const place: Place = { organization, folder: pipeline, number };
    writeFileSync(paths.jobFile(place, job.id, 'job.json'), sealed(job));
    writeFileSync(paths.buildFile(place, 'build.json'), sealed(build));
    return summaryOf(build);
  });
}

/** The catalog of such a tree without the tree: what a list of builds is compared with. */
export function makeCatalog(data: string, builds: number, signal: AbortSignal): Promise<DataPaths> {
  return fill(data, builds, signal, (_, number) => catalogSummary(number));
}

export function catalogSummary(number: number): BuildSummary {
  return summaryOf(recordOf(number, null));
}

async function fill(
  data: string,
  builds: number,
  signal: AbortSignal,
  make: (paths: DataPaths, number: number) => BuildSummary,
): Promise<DataPaths> {
  const paths = dataPaths(data);
  await prepareData(paths);
  const catalog = openCatalog(paths.catalog);
  try {
    await putBuilds(catalog, 1, builds, (number) => make(paths, number), signal);
    catalog.noteStage('whole');
  } finally {
    catalog.close();
  }
  return paths;
}

/** Notes builds `from` to `to`, many in one transaction. */
export async function putBuilds(
  catalog: Catalog,
  from: number,
  to: number,
  make: (number: number) => BuildSummary,
  signal: AbortSignal,
): Promise<void> {
  for (let number = from; number <= to; number += buildsATurn) {
    catalog.together(() => {
      for (let each = number; each < number + buildsATurn && each <= to; each += 1)
        catalog.put({ folder: pipeline, summary: make(each), lost: 0, withheld: 0 }, () => undefined);
    });
    await nextTurn();
    signal.throwIfAborted();
  }
}

function recordOf(number: number, job: JobRecord | null): BuildRecord {
  const end = iso(finishedAt(number));
  const jobs = job === null ? [] : [jobFacts(number)];
  const view = { version: 1 as const, read_at: end, build: buildFacts(number), jobs, annotations: null };
  const records = new Map(job === null ? [] : [[job.id, job]]);
  return buildRecord({ organization, view, records, learnedFrom: 'webhook', mirroredAt: end });
}

/** Writes the job's blobs and links them into the tree. */
export function jobRecord(paths: DataPaths, number: number): JobRecord {
  const facts = jobFacts(number);
  const artifacts = Array.from({ length: artifactsPerBuild }, (_, at): ArtifactRecord => {
    const content = `artifact ${number}/${at}\n`;
    const sha256 = hash('sha256', content);
    const file = paths.jobFile({ organization, folder: pipeline, number }, facts.id, `artifacts/${pathOf(at)}`);
    if (at === 0) mkdirSync(dirname(file), { recursive: true });
    writeFileSync(paths.blob(sha256), content);
    linkSync(paths.blob(sha256), file);
    return {
      id: uuidOf('artifact', number * artifactsPerBuild + at),
      path: pathOf(at),
      url: urlOf(number, at),
      size: content.length,
      sha1: hash('sha1', content),
      sha256,
      mime_type: 'text/plain',
      state: 'present',
      upstream_state: 'finished',
      reason: null,
      merged: true,
    };
  });
  const end = iso(finishedAt(number));
  const counts = { expected: artifactsPerBuild, present: artifactsPerBuild, settled: true, complete: true };
  const times = { listed_at: end, mirrored_at: end };
  return { ...facts, version: 1, build_id: uuidOf('build', number), ...counts, log: null, artifacts, ...times };
}

function pathOf(at: number): string {
  return `report-${at}.txt`;
}

function urlOf(number: number, at: number): string {
  return `jobs/${uuidOf('job', number)}/artifacts/${pathOf(at)}`;
}
