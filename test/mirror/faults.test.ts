import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { after, afterEach, before, describe, it } from 'node:test';
import type { FaultRule } from '../../demo/standin/faults.ts';
import type { SampleBuild } from '../../demo/standin/sample.ts';
import type { SeenRequest } from '../../demo/standin/standin.ts';
import type { BuildRecord, JobRecord } from '../../src/model.ts';
import { digestTree, type Mirror, placeOf, startMirror } from './harness.ts';
import { artifactOf, buildOf, newBuild, scriptOf, textArtifact } from './samples.ts';
import { until } from './until.ts';

let mirror: Mirror;
before(async () => {
  mirror = await startMirror();
});
afterEach(() => mirror.standIn.faults.clear());
after(() => mirror.stop());

const size = 600_000;
const large = (): SampleBuild => newBuild({ jobs: 1, artifactsPerJob: 1, bytes: size });
const jobOf = (build: SampleBuild): JobRecord => mirror.job(build, scriptOf(build).id);

/** Mirrors a build under faults of its storage; only what is asked for it is told. */
async function mirrored(
  build: SampleBuild,
  ...rules: FaultRule[]
): Promise<{ record: BuildRecord; asked: SeenRequest[] }> {
  for (const rule of rules) mirror.standIn.faults.add(rule);
  mirror.standIn.put(build);
  const from = mirror.standIn.requests.length;
  await mirror.tell(build);
  const record = await mirror.settled(build);
  return { record, asked: mirror.standIn.requests.slice(from) };
}

const ofStorage = (asked: readonly SeenRequest[]): SeenRequest[] => asked.filter(({ at }) => at === 'storage');
const fileOf = 'file-0.bin';

describe('an upstream that fails', () => {
  it('with 500s, resets, and answers that are no JSON, is asked again until all is there', async () => {
    const kinds = [
      { kind: 'status', status: 500, times: 2 },
      { kind: 'reset' },
      { kind: 'truncate', afterBytes: 20 },
      { kind: 'html' },
      { kind: 'malformed' },
      { kind: 'status', status: 418 },
    ] as const;
    const places = (build: SampleBuild): readonly Pick<FaultRule, 'at' | 'path'>[] => [
      { at: 'api', path: new RegExp(`builds/${build.number}$`) },
      { at: 'api', path: new RegExp(`builds/${build.number}/artifacts$`) },
      { at: 'api', path: `${scriptOf(build).id}/log` },
      { at: 'api', path: `${artifactOf(build).id}/download` },
      { at: 'storage', path: scriptOf(build, 1).id },
    ];
    // Each fault at each place, in a build of its own: so they wait at the same time.
    const builds = [0, 1, 2, 3, 4].flatMap((place) =>
      kinds.map((fault) => {
        const build = newBuild({ jobs: 2, artifactsPerJob: 2 });
        mirror.standIn.put(build);
        const armed = mirror.standIn.faults.add({ ...places(build)[place], ...fault } as FaultRule);
        return { build, armed };
      }),
    );
    await Promise.all(builds.map(({ build }) => mirror.tell(build)));
    for (const { build, armed } of builds) {
      const { complete, present } = await mirror.settled(build);
      assert.deepEqual([complete, present, armed.hits > 0], [true, 6, true]);
    }
  });

  it('with annotations that may not be read, or are nonsense, still has its files mirrored', async () => {
    for (const fault of [{ kind: 'status', status: 403 }, { kind: 'html' }] as const) {
      const { record } = await mirrored(large(), { at: 'api', path: 'annotations', ...fault });
      assert.equal(record.complete, true);
    }
  });

  it('that refuses the token mid-way keeps a gap open and is done when it takes it again', async () => {
    for (const status of [401, 403]) {
      const build = newBuild({ jobs: 1, artifactsPerJob: 3 });
      const refusal = mirror.standIn.faults.add({ at: 'api', path: '/download', kind: 'status', status, times: 1000 });
      mirror.standIn.put(build);
      await mirror.tell(build);
      await mirror.jobRecord(build, scriptOf(build).id, ({ artifacts }) =>
        artifacts.some(({ state }) => state === 'failed'),
      );
      assert.ok(readdirSync(mirror.paths.unsettled).includes(build.id));
      assert.equal(jobOf(build).settled, false);
      refusal.remove();
      // A token that is refused is tried again after a minute; nobody waits that long here.
      await until(async () => (await countOf('active')) === 0, 'the task to be put off');
      await mirror.queue.enqueue(
        { name: 'mirror-job', payload: { ...hintless(build), pipelineId: build.pipeline.id, job: scriptOf(build).id } },
        { urgent: true },
      );
      assert.equal((await mirror.settled(build)).complete, true);
    }
  });
});

describe('a download', () => {
  it('that breaks off goes on where it ended, and asks for nothing twice', async () => {
    for (const kind of ['reset', 'truncate'] as const) {
      const build = large();
      const { record, asked } = await mirrored(build, { at: 'storage', path: fileOf, kind, afterBytes: 400_000 });
      assert.equal(record.complete, true);
      const transfers = ofStorage(asked);
      assert.deepEqual(
        transfers.map(({ status }) => status),
        [200, 206],
      );
      const start = Number(/^bytes=(\d+)-$/.exec(transfers[1]?.range ?? '')?.[1]);
      assert.ok(start > 0 && start <= 400_000, `it went on at ${start}`);
      assert.equal(transfers[1]?.bytes, size - start);
    }
  });

  it('that breaks off again and again comes to its end', async () => {
    const breaks = [100_000, 80_000, 60_000].map(
      (afterBytes): FaultRule => ({ at: 'storage', path: fileOf, kind: 'reset', afterBytes }),
    );
    const { record, asked } = await mirrored(large(), ...breaks);
    assert.equal(record.complete, true);
    assert.equal(ofStorage(asked).filter(({ status }) => status === 200).length, 1);
  });

  it('of wrong bytes is never shown: fetched again, or failed with both sums until it is right', async () => {
    const once = await mirrored(large(), { at: 'storage', path: fileOf, kind: 'corrupt' });
    assert.equal(once.record.complete, true);

    const build = large();
    const fault = mirror.standIn.faults.add({ at: 'storage', path: fileOf, kind: 'corrupt', times: 1000 });
    mirror.standIn.put(build);
    await mirror.tell(build);
    const failed = await mirror.jobRecord(
      build,
      scriptOf(build).id,
      ({ artifacts }) => artifacts[0]?.state === 'failed',
    );
    assert.match(
      failed.artifacts[0]?.reason ?? '',
      new RegExp(`states ${failed.artifacts[0]?.sha1} and sent [0-9a-f]{40}`),
    );
    assert.deepEqual(Object.keys(await digestTree(mirror.paths.merged(placeOf(build)))), []);
    fault.remove();
    assert.equal((await mirror.settled(build)).complete, true);
  });

  it('of another length than is stated is never shown', async () => {
    for (const by of [-1, 1, 1_000_000]) {
      const { record } = await mirrored(large(), { at: 'storage', path: fileOf, kind: 'resize', by });
      assert.equal(record.complete, true);
    }
  });

  it('over a link that has expired gets a new one', async () => {
    const build = large();
    const { record, asked } = await mirrored(build, { at: 'storage', path: fileOf, kind: 'expired' });
    assert.equal(record.complete, true);
    assert.equal(asked.filter(({ path }) => path.endsWith('/download')).length, 2);
  });

  it('whose link expires in its middle goes on over another', async () => {
    const { record, asked } = await mirrored(
      large(),
      { at: 'storage', path: fileOf, kind: 'reset', afterBytes: 300_000 },
      { at: 'storage', path: fileOf, kind: 'expired' },
    );
    assert.equal(record.complete, true);
    assert.deepEqual(
      ofStorage(asked).map(({ status }) => status),
      [200, 403, 206],
    );
  });

  it('that leads to a host which is not allowed is refused, and nothing is asked there', async () => {
    const forbidden = {
      'metadata.bin': 'http://169.254.169.254/latest/meta-data/iam/',
      'api.bin': `${mirror.standIn.address.apiUrl}/v2/organizations/acme`,
      'redis.bin': 'http://127.0.0.1:6379/',
      'file.bin': 'file:///etc/passwd',
      'login.bin': mirror.standIn.address.storageUrl.replace('http://', 'http://user:password@'),
      'suffix.bin': mirror.standIn.address.storageUrl.replace('127.0.0.1', '127.0.0.1.evil.example'),
      'nowhere.bin': 'http://:::/',
    };
    const says: Record<string, RegExp> = { 'nowhere.bin': /no address/, 'login.bin': /with a login in its address/ };
    const all = Object.entries(forbidden).map(([path, location]) => textArtifact(path, 'x', { location }));
    const build = buildOf([[...all, textArtifact('good.txt', 'good')]]);
    const { record, asked } = await mirrored(build);
    assert.deepEqual([record.settled, record.complete, record.present], [true, false, 2]);
    for (const { path, state, reason, url } of jobOf(build).artifacts) {
      if (path === 'good.txt') continue;
      assert.deepEqual([path, state, url], [path, 'refused', null]);
      assert.match(reason ?? '', says[path] ?? /KITEMIRROR_DOWNLOAD_HOSTS/);
      assert.doesNotMatch(reason ?? '', /password|meta-data/, 'a link is no reason to show');
    }
    assert.equal(ofStorage(asked).length, 1);
    assert.ok(!asked.some(({ at, path }) => at === 'api' && path === '/v2/organizations/acme'));
  });

  it('is followed over redirects that stay where they may, and refused when one leads astray or there is no end', async () => {
    const { storageUrl } = mirror.standIn.address;
    const build = buildOf([['hop.txt', 'astray.txt', 'loop.txt'].map((path) => textArtifact(path, path))]);
    const { record } = await mirrored(
      build,
      { at: 'storage', path: 'hop.txt', kind: 'redirect', to: 'self', times: 2 },
      { at: 'storage', path: 'astray.txt', kind: 'redirect', to: 'http://169.254.169.254/latest/', times: 1000 },
      { at: 'storage', path: 'loop.txt', kind: 'redirect', to: 'self', times: 1000 },
    );
    assert.ok(storageUrl.startsWith('http://127.0.0.1'));
    assert.equal(record.settled, true);
    const states = Object.fromEntries(jobOf(build).artifacts.map(({ path, state, reason }) => [path, [state, reason]]));
    assert.deepEqual(states['hop.txt'], ['present', null]);
    assert.match(String(states['astray.txt']), /refused.*169\.254\.169\.254/);
    assert.match(String(states['loop.txt']), /refused.*redirected more than/);
  });

  it('never has the token with it', () => {
    const storage = mirror.standIn.requests.filter(({ at }) => at === 'storage');
    assert.ok(storage.length > 10);
    assert.deepEqual(
      storage.filter(({ authorization }) => authorization),
      [],
    );
    assert.ok(mirror.standIn.requests.filter(({ at }) => at === 'api').every(({ authorization }) => authorization));
  });

  it('leaves nothing in staging', async () => {
    await mirror.idle();
    await until(() => readdirSync(mirror.paths.staging).length === 0, 'an empty staging folder', 2000);
  });
});

describe('the API', () => {
  it('that leads elsewhere is not followed: the token stays at its host', async () => {
    const build = large();
    const { record, asked } = await mirrored(build, {
      ...({ at: 'api', path: /builds\/\d+$/, kind: 'redirect' } as const),
      to: `${mirror.standIn.address.storageUrl}/steal`,
    });
    assert.equal(record.complete, true);
    assert.ok(!asked.some(({ at, path }) => at === 'storage' && path.includes('steal')));
  });
});

async function countOf(state: string): Promise<number> {
  const counts = await mirror.queue.counts();
  return counts.reduce((sum, each) => sum + (each.state === state ? each.count : 0), 0);
}

function hintless(build: SampleBuild) {
  const { organization, folder } = placeOf(build);
  return { organization, pipeline: folder, number: build.number, build: build.id };
}
