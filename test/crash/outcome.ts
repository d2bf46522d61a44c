/** What must have become of a mirror in the end, and what nobody may see meanwhile. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../../src/errors.ts';
import { openCatalog } from '../../src/search/catalog.ts';
import { digestTree, type Mirror, stableTree } from '../mirror/harness.ts';
import type { Whole } from './scenario.ts';

/** All that must be the same in the end: files and records, blobs, pages, the catalog; and nothing left over. */
export async function outcome(of: Mirror): Promise<Record<string, unknown>> {
  const pages = Object.keys(await digestTree(of.paths.pages)).filter((name) => !/^(catalog|search)\.sqlite/.test(name));
  const blobs = await digestTree(of.paths.blobs);
  const catalog = openCatalog(of.paths.catalog, { readOnly: true });
  const { storedBytes: _, ...totals } = catalog.totals();
  const builds = catalog.builds({ organization: 'acme', limit: 10 });
  catalog.close();
  return {
    ...(await stableTree(of.paths.tree)),
    pages: pages.toSorted(),
    // Where a file system has no more links to give, the same bytes begin another file.
    blobs: [...new Set(Object.keys(blobs).map((name) => name.replace(/\.\d+$/, '')))].toSorted(),
    'blobs that are not what they are called': Object.entries(blobs).filter(([name, sum]) => !name.includes(sum)),
    totals,
    builds: builds.map(({ number, settled, complete, bytes }) => ({ number, settled, complete, bytes })),
    staging: Object.keys(await digestTree(of.paths.staging)),
    unsettled: Object.keys(await digestTree(of.paths.unsettled)),
  };
}

export function wholeFiles(...states: readonly Record<string, unknown>[]): Whole {
  const whole = new Map<string, Set<unknown>>();
  for (const state of states) {
    for (const [file, digest] of Object.entries(state)) {
      if (typeof digest === 'string') whole.set(file, (whole.get(file) ?? new Set()).add(digest));
    }
  }
  return whole;
}

/** Files under public names that no reader may see: other bytes than upstream has, records that are no JSON. */
export async function tornFiles(of: Mirror, whole: Whole): Promise<string[]> {
  const folder = of.paths.tree;
  const found = await digestMoving(folder);
  return Object.entries(found).flatMap(([file, digest]) => {
    // A start that was killed while it tried the links; no address leads there, and the next start removes it.
    if (probe.test(file)) return [];
    if (file.endsWith('.json')) return isJson(join(folder, file)) ? [] : [file];
    // A job's sums grow with it: what they say of a file is what the file is.
    if (file.endsWith('SHA256SUMS')) return [];
    return digest === 'hidden' || isWhole(file, digest, whole) ? [] : [file];
  });
}

/** Of a tree that builds may go from meanwhile: then it is looked at anew. */
async function digestMoving(folder: string): Promise<Record<string, string>> {
  for (;;) {
    try {
      return await digestTree(folder);
    } catch (thrown) {
      if (errnoOf(thrown) !== 'ENOENT') throw thrown;
    }
  }
}

const probe = /^\.[^/]+\.part$/;
/** A file of a view: the build, and the path below the view. */
const inView = /^(?<build>.+\/builds\/\d+)\/(?:steps\/[^/]+\/)?artifacts\/(?<path>.+)$/;

/** A view shows of a path what any of the jobs has there: whose it is changes while they come in. */
function isWhole(file: string, digest: unknown, whole: Whole): boolean {
  if (whole.get(file)?.has(digest) === true) return true;
  const { build, path } = inView.exec(file)?.groups ?? {};
  if (build === undefined || build.includes('/jobs/')) return false;
  return [...whole].some(
    ([name, digests]) =>
      name.startsWith(`${build}/jobs/`) && name.endsWith(`/artifacts/${path}`) && digests.has(digest),
  );
}

function isJson(file: string): boolean {
  if (!existsSync(file)) return true;
  try {
    JSON.parse(readFileSync(file, 'utf8'));
    return true;
  } catch {
    return false;
  }
}
