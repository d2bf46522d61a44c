/** What goes on while a fault happens, and what must have become of it in the end. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { generateBuild } from '../../demo/samples/generate.ts';
import type { SampleBuild } from '../../demo/standin/sample.ts';
import { openCatalog } from '../../src/search/catalog.ts';
import { digestTree, type Mirror, placeOf, stableTree } from '../mirror/harness.ts';
import { newBuild, scriptOf, textArtifact, withScript } from '../mirror/samples.ts';
import { until } from '../mirror/until.ts';

export interface Scenario {
  readonly name: string;
  /** Settings of the worker under test. */
  readonly env?: Readonly<Record<string, string>>;
  /** Before the fault, undisturbed; nothing where the scenario begins with an empty mirror. */
  readonly prepare?: (mirror: Mirror) => Promise<void>;
  /** What upstream has then, and what the worker under test is told. */
  readonly tell: (mirror: Mirror) => Promise<void>;
  /** Waits for the end, however often it was disturbed. */
  readonly end: (mirror: Mirror) => Promise<unknown>;
}

const patienceMs = 120_000;

/** Two jobs: a path that both have, a small and a large file, a name that has no place in a tree, logs. */
function sample(pipeline: string): SampleBuild {
  const bytes = (_job: number, at: number): number => (at === 0 ? 700 : 300_000);
  const path = (_job: number, at: number): string => `out/${at}.bin`;
  const build = newBuild({ jobs: 2, artifactsPerJob: 2, bytes, path, pipeline, pipelineSeed: pipeline, number: 7 });
  return withScript(build, 1, ({ artifacts }) => ({
    artifacts: [...artifacts, textArtifact('report/index.html', '<h1>ok</h1>'), textArtifact('a/../b', 'odd')],
  }));
}

const fresh = sample('fresh');
const mirror: Scenario = {
  name: 'mirror',
  tell: async (of) => {
    of.standIn.put(fresh);
    await of.tell(fresh);
  },
  end: (of) => of.settled(fresh, patienceMs),
};

/** A mirrored build runs again: one job is retried, and what its first attempt showed gives way to the second. */
const before = sample('again');
const after = retried(before);
const retry: Scenario = {
  name: 'retry',
  prepare: async (of) => {
    of.standIn.put(before);
    await of.tell(before);
    await of.settled(before, patienceMs);
  },
  tell: async (of) => {
    of.standIn.put(after);
    await of.tell(after);
  },
  end: (of) => of.settled(after, patienceMs, (record) => record.jobs.length === after.jobs.length),
};

function retried(build: SampleBuild): SampleBuild {
  const old = scriptOf(build);
  // The same paths and sizes with other bytes: what must never be mixed up.
  const artifacts = old.artifacts.map(({ path }, at) => textArtifact(path, (at === 0 ? 'x' : 'y').repeat(700)));
  const again = { ...old, id: '0f000000-0000-4000-8000-000000000001', artifacts };
  const finishedAt = (build.finishedAt ?? 0) + 60_000;
  const { jobs } = withScript(build, 0, { retriedInJobId: again.id });
  return { ...build, finishedAt, jobs: [...jobs, { ...again, finishedAt: finishedAt - 1000 }] };
}

/** A pipeline's slug changes; its next event moves all that is mirrored of it. */
const old = sample('old-name');
const renamed: SampleBuild = {
  ...old,
  pipeline: { ...old.pipeline, slug: 'new-name' },
  finishedAt: (old.finishedAt ?? 0) + 60_000,
};
const rename: Scenario = {
  name: 'rename',
  prepare: async (of) => {
    of.standIn.put(old);
    await of.tell(old);
    await of.settled(old, patienceMs);
  },
  tell: async (of) => {
    of.standIn.put(renamed);
    await of.tell(renamed);
  },
  end: (of) => of.settled(renamed, patienceMs),
};

/** Of two builds the policy lets the older one go. */
const dayMs = 86_400_000;
const newer = sample('kept');
const older: SampleBuild = {
  ...generateBuild({ pipeline: 'kept', pipelineSeed: 'kept', number: 6, jobs: 2, artifactsPerJob: 2, bytes: 900 }),
  finishedAt: Date.now() - 3 * dayMs,
};
const policy = { KITEMIRROR_RETENTION_BUILDS_AGE: '2d', KITEMIRROR_RETENTION_ARTIFACTS_AGE: '1d' };

async function mirrorBoth(of: Mirror): Promise<void> {
  for (const build of [older, newer]) {
    of.standIn.put(build);
    await of.tell(build);
    await of.settled(build, patienceMs);
  }
}

async function untilDropped(of: Mirror): Promise<void> {
  await until(() => !existsSync(of.paths.build(placeOf(older))), 'the older build to go', patienceMs);
  await of.idle(patienceMs);
}

const drop: Scenario = {
  name: 'drop',
  env: policy,
  prepare: mirrorBoth,
  tell: (of) => of.queue.enqueue({ name: 'drop', payload: {} }, { workClass: 'bulk' }),
  end: untilDropped,
};

/** What a dropped build leaves of bytes that nothing shows is deleted. */
const sweep: Scenario = {
  name: 'sweep',
  env: policy,
  prepare: async (of) => {
    await mirrorBoth(of);
    await of.queue.enqueue({ name: 'drop', payload: {} }, { workClass: 'bulk' });
    await untilDropped(of);
  },
  tell: (of) => of.queue.enqueue({ name: 'sweep', payload: { graceMs: 0 } }, { workClass: 'bulk' }),
  end: async (of) => {
    const unshown = (): number =>
      filesBelow(of.paths.blobs).filter((file) => statSync(file, { throwIfNoEntry: false })?.nlink === 1).length;
    await until(() => unshown() === 0, 'the sweep', patienceMs);
    await of.idle(patienceMs);
  },
};

function filesBelow(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

export const scenarios: readonly Scenario[] = [mirror, retry, rename, drop, sweep];

/** All that must be the same in the end: files and records, blobs, pages, the catalog; and nothing left over. */
export async function outcome(of: Mirror): Promise<Record<string, unknown>> {
  const pages = Object.keys(await digestTree(of.paths.pages)).filter((name) => !name.startsWith('catalog.sqlite'));
  const blobs = await digestTree(of.paths.blobs);
  const catalog = openCatalog(of.paths.catalog, { readOnly: true });
  const { storedBytes: _, ...totals } = catalog.totals();
  const builds = catalog.builds({ organization: 'acme', limit: 10 });
  catalog.close();
  return {
    ...(await stableTree(of.paths.tree)),
    pages: pages.toSorted(),
    blobs: Object.keys(blobs).toSorted(),
    'blobs that are not what they are called': Object.entries(blobs).filter(([name, sum]) => !name.includes(sum)),
    totals,
    builds: builds.map(({ number, settled, complete, bytes }) => ({ number, settled, complete, bytes })),
    staging: Object.keys(await digestTree(of.paths.staging)),
    unsettled: Object.keys(await digestTree(of.paths.unsettled)),
  };
}

/** The digests that a file may have under each public name, from undisturbed states before and after. */
export type Whole = ReadonlyMap<string, ReadonlySet<unknown>>;

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
  const found = await digestTree(folder);
  return Object.entries(found).flatMap(([file, digest]) => {
    if (file.endsWith('.json')) return isJson(join(folder, file)) ? [] : [file];
    // A job's sums grow with it: what they say of a file is what the file is.
    if (file.endsWith('SHA256SUMS')) return [];
    return whole.get(file)?.has(digest) === true ? [] : [file];
  });
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
