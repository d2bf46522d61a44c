/**
 * Process: compares all builds of a list with a catalog, as the worker does, and then once more when nothing is new. Its
 * arguments are the data folder, the API's address, and since when; it sends what that took.
 */
import { Agent } from 'undici';
import { createBuildList } from '../src/buildkite/build-list.ts';
import { createRest } from '../src/buildkite/rest.ts';
import { createLog } from '../src/log.ts';
import { type CompareParts, type Counts, compareStep, emptyCounts, lookBack } from '../src/reconcile/compare.ts';
import { openCatalog } from '../src/search/catalog.ts';
import { dataPaths } from '../src/tree/paths.ts';
import { peakBytes } from './process.ts';
import { organization } from './scale-builds.ts';

export interface Compared {
  readonly counts: Counts;
  readonly requests: number;
  /** Of this process. */
  readonly cpuSeconds: number;
}

export interface ReconcileRun {
  readonly all: Compared;
  readonly nothingNew: Compared;
  readonly peakBytes: number;
}

const [, , data = '', apiUrl = '', since = ''] = process.argv;
const never = new AbortController().signal;
const paths = dataPaths(data);
const catalog = openCatalog(paths.catalog);
const dispatcher = new Agent();
const rest = createRest({
  apiUrl: new URL(apiUrl),
  token: () => 'bench',
  dispatcher,
  budget: { spend: () => Promise.resolve(), settle: () => undefined },
  workClass: 'reconcile',
});
const parts: CompareParts = {
  paths,
  queue: { enqueue: () => Promise.reject(new Error('a build of the bench is mirrored already')) },
  organization,
  list: createBuildList(rest),
  catalog,
  rules: { includesPipeline: () => true, includesBranch: () => true },
  log: createLog('worker', 'error'),
};

async function compare(): Promise<Compared> {
  const counts = emptyCounts();
  const before = process.cpuUsage();
  let requests = 0;
  for (let isComplete = false; !isComplete; ) {
    const step = await compareStep(parts, never);
    for (const name of Object.keys(counts) as (keyof Counts)[]) counts[name] += step.counts[name];
    requests += step.requests;
    isComplete = step.isComplete;
  }
  const { user, system } = process.cpuUsage(before);
  return { counts, requests, cpuSeconds: (user + system) / 1e6 };
}

await lookBack(parts, since);
const all = await compare();
const nothingNew = await compare();
const run: ReconcileRun = { all, nothingNew, peakBytes: peakBytes(process.pid) };
process.send?.(run);
catalog.close();
await dispatcher.close();
process.disconnect();
