import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { sha1Of } from '../../demo/standin/bytes.ts';
import type { SampleBuild } from '../../demo/standin/sample.ts';
import type { JobRecord } from '../../src/model.ts';
import { digestTree, type Mirror, type MirrorOptions, placeOf, stableTree, startMirror } from './harness.ts';
import { newBuild, scriptsOf } from './samples.ts';
import { until } from './until.ts';

async function started(t: TestContext, options: MirrorOptions = {}): Promise<Mirror> {
  const mirror = await startMirror(options);
  t.after(() => mirror.stop());
  return mirror;
}

const sizes = (job: number, place: number): number => [40_000, 700, 300_000][(job + place) % 3] ?? 0;
const sample = (): SampleBuild =>
  newBuild({ jobs: 6, artifactsPerJob: 8, bytes: sizes, path: (job, at) => `${job}/${at}.bin` });
const build = sample();

/** What upstream has of each artifact, by its path; in these builds each path is there once. */
const sumsOf = (build: SampleBuild): Map<string, string> =>
  new Map(scriptsOf(build).flatMap((job) => job.artifacts.map(({ path, content }) => [path, sha1Of(content)])));

interface Watch {
  /** Looks at what is visible, again and again, until it is told to end. */
  end(): Promise<{ looks: number; torn: string[] }>;
}

/**
 * Reads every file under a public name of a build as a client may at any time: its bytes must be what upstream has, and
 * each record must be whole.
 */
function watch(t: TestContext, mirror: Mirror): Watch {
  const sums = sumsOf(build);
  const folder = mirror.paths.build(placeOf(build));
  const torn: string[] = [];
  let looks = 0;
  const ended = new AbortController();
  const look = (): void => {
    for (const file of filesBelow(folder)) {
      const bytes = readIfThere(join(folder, file));
      if (bytes === null) continue;
      looks += 1;
      if (file.endsWith('.json')) {
        if (!isJson(bytes)) torn.push(file);
      } else if (/(^|\/)artifacts\//.test(file)) {
        const path = file.replace(/^.*?artifacts\//, '');
        if (createHash('sha1').update(bytes).digest('hex') !== sums.get(path)) torn.push(file);
      } else if (!/(log\.txt|SHA256SUMS)$/.test(file)) torn.push(`${file}, which is no public name`);
    }
  };
  const running = (async () => {
    while (!ended.signal.aborted) {
      look();
      await sleep(40);
    }
  })();
  const end = async (): Promise<{ looks: number; torn: string[] }> => {
    ended.abort();
    await running;
    return { looks, torn };
  };
  t.after(end);
  return { end };
}

function filesBelow(folder: string): string[] {
  try {
    const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
  } catch {
    // A folder that came or went while it was listed: the next look will see it.
    return [];
  }
}

function readIfThere(file: string): Buffer | null {
  try {
    return readFileSync(file);
  } catch {
    return null;
  }
}

function isJson(bytes: Buffer): boolean {
  try {
    JSON.parse(bytes.toString());
    return true;
  } catch {
    return false;
  }
}

/** As it is when nothing went wrong: made by a mirror that was left alone. */
const expected = undisturbed();

async function undisturbed(): Promise<Record<string, unknown>> {
  const mirror = await startMirror();
  try {
    mirror.standIn.put(build);
    await mirror.tell(build);
    await mirror.settled(build);
    return await stableTree(mirror.paths.build(placeOf(build)));
  } finally {
    await mirror.stop();
  }
}

const present = (mirror: Mirror, build: SampleBuild): number =>
  filesBelow(join(mirror.paths.build(placeOf(build)), 'jobs')).filter((file) => /\/artifacts\//.test(file)).length;

/** After the first requests, after the first files, with most of them there, and when only derived things are to be made. */
const moments: Record<string, (mirror: Mirror) => boolean> = {
  'when it has only just asked': ({ standIn }) => standIn.requests.length > 1,
  'at the first files': (mirror) => present(mirror, build) > 0,
  'among the last files': (mirror) => present(mirror, build) > 40,
  'while it publishes': (mirror) => present(mirror, build) === 48,
};

// A dead worker's tasks go to another after 15 s: the tests wait for that at the same time.
describe('a worker that is killed', { concurrency: true }, () => {
  for (const [name, isNow] of Object.entries(moments)) {
    it(`${name} is no reason for a torn file, and the rest is done by the next`, async (t) => {
      const mirror = await started(t, { standIn: { latency: { apiMs: 10, storageMs: 15 } } });
      mirror.standIn.put(build);
      const watching = watch(t, mirror);
      await mirror.tell(build);
      await until(() => isNow(mirror), 'the moment to kill it at', 60_000);
      await mirror.stopWorker('SIGKILL');
      await mirror.startWorker();
      const record = await mirror.settled(build, 90_000);
      assert.equal(record.complete, true);
      const { looks, torn } = await watching.end();
      assert.ok(looks > 100, `${looks} looks`);
      assert.deepEqual([...new Set(torn)], []);
      assert.deepEqual(await stableTree(mirror.paths.build(placeOf(build))), await expected);
      assert.deepEqual(readdirSync(mirror.paths.staging), []);
      assert.deepEqual(readdirSync(mirror.paths.unsettled), []);
    });
  }

  it('fetches what it had not put on record, and nothing more', async (t) => {
    const mirror = await started(t);
    const small = newBuild({ jobs: 3, artifactsPerJob: 4, bytes: 2000 });
    const [, second] = scriptsOf(small);
    mirror.standIn.put(small);
    const hang = mirror.standIn.faults.add({ at: 'storage', path: `${second?.id}/out/1/file-0.bin`, kind: 'hang' });
    await mirror.tell(small);
    const done = (job: JobRecord): boolean => job.settled;
    for (const job of scriptsOf(small)) if (job !== second) await mirror.jobRecord(small, job.id, done);
    await until(() => hang.hits > 0, 'the download that hangs');
    await mirror.stopWorker('SIGKILL');
    const from = mirror.standIn.requests.length;
    await mirror.startWorker();
    assert.equal((await mirror.settled(small, 60_000)).complete, true);
    const again = mirror.standIn.requests.slice(from).filter(({ at }) => at === 'storage');
    assert.ok(
      again.length <= 4 && again.every(({ path }) => path.includes(second?.id ?? '-')),
      `${again.length} downloads`,
    );
  });

  it('politely gives its tasks back, and the next goes on at once', async (t) => {
    const small = newBuild({ jobs: 2, artifactsPerJob: 30, bytes: 1000 });
    const mirror = await started(t, { standIn: { latency: { storageMs: 30 } }, env: { KITEMIRROR_CONCURRENCY: '2' } });
    mirror.standIn.put(small);
    await mirror.tell(small);
    await until(() => present(mirror, small) > 4, 'the first files');
    await mirror.stopWorker('SIGTERM');
    assert.deepEqual(readdirSync(mirror.paths.staging), [], 'nothing is left half done');
    await mirror.startWorker();
    assert.equal((await mirror.settled(small, 20_000)).complete, true);
  });
});

describe('a Redis', { concurrency: true }, () => {
  it('that is flushed loses no build: the next start takes up what is open', async (t) => {
    const other = sample();
    const mirror = await started(t, { standIn: { latency: { storageMs: 20 } }, env: { KITEMIRROR_CONCURRENCY: '2' } });
    for (const each of [build, other]) mirror.standIn.put(each);
    await mirror.tell(build);
    await mirror.tell(other);
    await until(() => present(mirror, build) > 2, 'the first files');
    await mirror.stopWorker('SIGKILL');
    await mirror.redis.client.flushall();
    await mirror.startWorker();
    for (const each of [build, other]) assert.equal((await mirror.settled(each, 60_000)).complete, true);
    assert.deepEqual(await stableTree(mirror.paths.build(placeOf(build))), await expected);
  });

  it('that is flushed, or killed, while a worker goes on leaves whole files and gaps on record; a delivery ends them', async (t) => {
    const mirror = await started(t, { standIn: { latency: { storageMs: 20 } }, env: { KITEMIRROR_CONCURRENCY: '2' } });
    mirror.standIn.put(build);
    const watching = watch(t, mirror);
    await mirror.tell(build);
    await until(() => present(mirror, build) > 2, 'the first files');
    await mirror.redis.client.flushall();
    await until(() => present(mirror, build) > 10, 'some more files', 60_000);
    await mirror.redis.kill();
    await mirror.redis.start();
    await until(() => mirror.redis.client.ping().then(() => true), 'the new Redis');
    await mirror.queue.ping();
    // As the receiver does when it finds that its mark is gone: it tells of everything again.
    await until(
      () =>
        mirror.tell(build).then(
          () => true,
          () => false,
        ),
      'the delivery to be enqueued',
    );
    assert.equal((await mirror.settled(build, 90_000)).complete, true);
    assert.deepEqual((await watching.end()).torn, []);
    assert.deepEqual(Object.keys(await digestTree(mirror.paths.unsettled)), []);
  });
});
