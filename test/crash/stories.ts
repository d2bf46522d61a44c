/** What goes on in a mirror while a fault happens to its worker. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { generateBuild } from '../../demo/samples/generate.ts';
import type { SampleBuild } from '../../demo/standin/sample.ts';
import { hideFile } from '../../src/tree/quarantine.ts';
import { listTombstones, newTombstone, writeTombstone } from '../../src/tree/tombstones.ts';
import { type Mirror, placeOf } from '../mirror/harness.ts';
import { newBuild, scriptOf, textArtifact, withScript } from '../mirror/samples.ts';
import { until } from '../mirror/until.ts';
import type { Story } from './cell.ts';
import { type Fault, faults } from './steps.ts';

const patienceMs = 120_000;
/** Of every story, whatever else may happen to it. */
const onDisk: readonly Fault[] = ['kill', 'full', 'EMFILE', 'EMLINK', 'EIO'];

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
const mirror: Story = {
  name: 'mirror',
  faults,
  tell: async (of) => {
    of.standIn.put(fresh);
    await of.tell(fresh);
  },
  end: (of) => of.settled(fresh, patienceMs),
};

/** A mirrored build runs again: one job is retried, and what its first attempt showed gives way to the second. */
const before = sample('again');
const after = retried(before);
const retry: Story = {
  name: 'retry',
  faults,
  prepare: (of) => mirrorOne(of, before),
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
const rename: Story = {
  name: 'rename',
  faults: [...onDisk, 'term', 'ahead', 'back'],
  prepare: (of) => mirrorOne(of, old),
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
  for (const build of [older, newer]) await mirrorOne(of, build);
}

async function untilDropped(of: Mirror): Promise<void> {
  await until(() => !existsSync(of.paths.build(placeOf(older))), 'the older build to go', patienceMs);
  await of.idle(patienceMs);
}

const drop: Story = {
  name: 'drop',
  faults: [...onDisk, 'term', 'ahead', 'back', 'redis-kill', 'redis-flush'],
  waitsForClock: true,
  env: policy,
  prepare: mirrorBoth,
  tell: async (of) => {
    await of.queue.enqueue({ name: 'drop', payload: {} }, { workClass: 'bulk' });
    // Of a sweep that Redis lost, or that a wrong clock kept from new blobs, the next day's makes up: this is that one.
    await of.queue.enqueue({ name: 'sweep', payload: { graceMs: 0 } }, { workClass: 'bulk' });
  },
  end: async (of) => {
    await untilDropped(of);
    await untilSwept(of);
  },
};

/** What a dropped build leaves of bytes that nothing shows is deleted. */
const sweep: Story = {
  name: 'sweep',
  faults: [...onDisk, 'term'],
  env: policy,
  prepare: async (of) => {
    await mirrorBoth(of);
    await of.queue.enqueue({ name: 'drop', payload: {} }, { workClass: 'bulk' });
    await untilDropped(of);
    litter(of);
  },
  tell: (of) => of.queue.enqueue({ name: 'sweep', payload: { graceMs: 0 } }, { workClass: 'bulk' }),
  end: untilSwept,
};

/** Also where a Redis that was flushed knows nothing of the task that is still at it. */
async function untilSwept(of: Mirror): Promise<void> {
  const unshown = (): number => filesBelow(of.paths.blobs).filter((file) => isUnshown(file)).length;
  await until(() => unshown() === 0, 'the sweep', patienceMs);
  await of.idle(patienceMs);
}

function isUnshown(file: string): boolean {
  return /[0-9a-f]{64}$/.test(file) && statSync(file, { throwIfNoEntry: false })?.nlink === 1;
}

/** Files of others, which stay, and what a dead worker left, which goes. */
function litter({ paths }: Mirror): void {
  const foreign = [
    join(paths.blobs, '00', 'notes.txt'),
    join(paths.blobs, 'README'),
    join(paths.tree, 'acme', 'notes.txt'),
  ];
  for (const file of [...foreign, join(paths.staging, 'a-host-99999999-0badcafe-1')]) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, 'of somebody');
  }
}

function filesBelow(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** A pipeline is made anew under the slug of another: what is mirrored of the older one goes aside. */
const first = sample('taken');
const second: SampleBuild = newBuild({
  jobs: 1,
  artifactsPerJob: 2,
  bytes: 800,
  pipeline: 'taken',
  pipelineSeed: 'anew',
  number: 7,
});
const reuse: Story = {
  name: 'reuse',
  faults: [...onDisk, 'term'],
  prepare: (of) => mirrorOne(of, first),
  tell: async (of) => {
    of.standIn.put(second);
    await of.tell(second);
  },
  end: (of) => of.settled(second, patienceMs),
};

/** The stored bytes of a file rot; they are read, set aside, and fetched again. */
const rotten = sample('rotten');
const verify: Story = {
  name: 'verify',
  faults: [...onDisk, 'term'],
  prepare: (of) => mirrorOne(of, rotten),
  tell: async (of) => {
    const blob = blobOf(of, rotten, 1);
    writeFileSync(blob, readFileSync(blob).fill('rot'));
    // The worker that mirrored it has begun a pass by itself, which is past the blobs: another begins.
    rmSync(of.paths.verifyCursor, { force: true });
    await of.queue.enqueue({ name: 'verify', payload: {} }, { workClass: 'bulk' });
  },
  end: async (of) => {
    const isSetAside = (): boolean => readdirSync(of.paths.quarantine).length > 0;
    const isMended = (): boolean => filesBelow(of.paths.damaged).length === 0;
    await until(() => isSetAside() && isMended(), 'the repair', patienceMs);
    await of.settled(rotten, patienceMs, ({ complete }) => complete);
  },
};

/** What is derived from the records is gone in part, and the mirror starts as on a backup. */
const ruined = sample('ruined');
const rebuild: Story = {
  name: 'rebuild',
  faults: [...onDisk, 'term'],
  prepare: (of) => mirrorOne(of, ruined),
  tell: async ({ paths }) => {
    const place = placeOf(ruined);
    rmSync(join(paths.job(place, scriptOf(ruined, 1).id), 'artifacts'), { recursive: true, force: true });
    for (const folder of [paths.merged(place), dirname(paths.page('acme', place.folder))])
      rmSync(folder, { recursive: true, force: true });
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${paths.catalog}${suffix}`, { force: true });
    writeFileSync(paths.rebuildDue, '');
    await Promise.resolve();
  },
  end: async (of) => {
    await until(() => !existsSync(of.paths.rebuildDue), 'the rebuild', patienceMs);
    await of.idle(patienceMs);
  },
};

/** A file leaked and is removed everywhere, for good. */
const leaky = sample('leaky');
const purge: Story = {
  name: 'purge',
  faults: [...onDisk, 'term'],
  prepare: (of) => mirrorOne(of, leaky),
  tell: async (of) => {
    const sha256 = of.job(leaky, scriptOf(leaky).id).artifacts[1]?.sha256 ?? '';
    await writeTombstone(of.paths, newTombstone({ sha256: [sha256], literal: null, reason: 'it leaked' }));
    hideFile(of.paths.blob(sha256));
    await of.queue.enqueue({ name: 'purge', payload: {} }, { urgent: true });
  },
  end: async (of) => {
    const isDone = async (): Promise<boolean> =>
      (await listTombstones(of.paths)).every(({ done_at: at }) => at !== null);
    await until(isDone, 'the purge', patienceMs);
    await of.idle(patienceMs);
  },
};

async function mirrorOne(of: Mirror, build: SampleBuild): Promise<void> {
  of.standIn.put(build);
  await of.tell(build);
  await of.settled(build, patienceMs);
}

function blobOf(of: Mirror, build: SampleBuild, artifact: number): string {
  return of.paths.blob(of.job(build, scriptOf(build).id).artifacts[artifact]?.sha256 ?? '');
}

export const stories: readonly Story[] = [mirror, retry, rename, reuse, drop, sweep, verify, rebuild, purge];
