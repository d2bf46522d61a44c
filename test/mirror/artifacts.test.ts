import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { SampleArtifact, SampleBuild } from '../../demo/standin/sample.ts';
import type { ArtifactRecord, JobRecord } from '../../src/model.ts';
import { digestTree, type Mirror, placeOf, startMirror } from './harness.ts';
import { buildOf, downloads, scriptOf, textArtifact, withArtifact, withScript } from './samples.ts';

let mirror: Mirror;
before(async () => {
  mirror = await startMirror();
});
after(() => mirror.stop());

async function mirrored(build: SampleBuild, by: Mirror = mirror): Promise<JobRecord> {
  by.standIn.put(build);
  await by.tell(build);
  await by.settled(build);
  return by.job(build, scriptOf(build).id);
}

const states = ({ artifacts }: JobRecord): Record<string, string> =>
  Object.fromEntries(artifacts.map(({ path, state }) => [path, state]));

function byId(record: JobRecord, { id }: SampleArtifact): ArtifactRecord {
  const artifact = record.artifacts.find((each) => each.id === id);
  assert.ok(artifact, `the record has ${id}`);
  return artifact;
}

/** The bytes where the record says they are. */
function served(build: SampleBuild, { url }: ArtifactRecord): string {
  assert.ok(url !== null);
  const path = url.split('/').map(decodeURIComponent).join('/');
  return readFileSync(join(mirror.paths.build(placeOf(build)), path), 'utf8');
}

const filesOf = (build: SampleBuild): Promise<Record<string, string>> =>
  digestTree(mirror.paths.job(placeOf(build), scriptOf(build).id));

describe('an artifact', () => {
  it('that was uploaded again under its path in its job is superseded by the last', async () => {
    const uploads = ['one', 'two', 'three'].map((text) => textArtifact('same/path.txt', text));
    const build = buildOf([[...uploads, textArtifact('./same//path.txt', 'four')]]);
    const record = await mirrored(build);
    assert.deepEqual(record.artifacts.map(({ state }) => state).toSorted(), [
      'present',
      ...Array<string>(3).fill('superseded'),
    ]);
    const [shown] = record.artifacts.filter(({ state }) => state === 'present');
    assert.ok(shown);
    assert.equal(served(build, shown), 'four');
    assert.deepEqual([record.expected, record.present, record.complete], [2, 2, true]);
    for (const { state, reason, url } of record.artifacts) {
      assert.equal(url === null && reason !== null, state === 'superseded');
    }
  });

  it('that is uploaded again after it was mirrored gives way, with all its names', async () => {
    const [first, second] = [textArtifact('a.txt', 'first'), textArtifact('a.txt', 'second')];
    const before = buildOf([[first]]);
    await mirrored(before);
    const again = withScript(before, 0, { artifacts: [first, second], finishedAt: (before.finishedAt ?? 0) - 1 });
    const record = await mirrored({ ...again, finishedAt: (before.finishedAt ?? 0) + 5000 });
    assert.deepEqual([byId(record, first).state, byId(record, second).state], ['superseded', 'present']);
    assert.equal(served(before, byId(record, second)), 'second');
    assert.equal(readFileSync(join(mirror.paths.merged(placeOf(before)), 'a.txt'), 'utf8'), 'second');
  });

  it('whose upload has not ended is looked at again until it has', async () => {
    const late = textArtifact('late.txt', 'came late', { newForLooks: 2 });
    const build = buildOf([[textArtifact('soon.txt', 'came soon'), late]]);
    const record = await mirrored(build);
    assert.deepEqual(states(record), { 'late.txt': 'present', 'soon.txt': 'present' });
    assert.equal(served(build, byId(record, late)), 'came late');
    assert.equal(record.complete, true);
  });

  it('whose upload failed is errored, and not missed', async () => {
    const record = await mirrored(
      buildOf([[textArtifact('broken.txt', '', { state: 'error' }), textArtifact('ok.txt', 'ok')]]),
    );
    assert.deepEqual(states(record), { 'broken.txt': 'errored', 'ok.txt': 'present' });
    assert.deepEqual([record.expected, record.present, record.complete], [2, 2, true]);
  });

  it('that expired before it was mirrored is lost, with the reason', async () => {
    const expired = textArtifact('old.txt', 'gone', { state: 'expired' });
    const record = await mirrored(buildOf([[expired, textArtifact('kept.txt', 'kept')]]));
    assert.deepEqual(states(record), { 'kept.txt': 'present', 'old.txt': 'lost' });
    assert.match(byId(record, expired).reason ?? '', /expired/);
    assert.deepEqual([record.settled, record.complete, record.expected, record.present], [true, false, 3, 2]);
  });

  it('stays when upstream expires or deletes it later', async () => {
    const [one, two] = [textArtifact('one.txt', '1'), textArtifact('two.txt', '2')];
    const build = buildOf([[one, two]]);
    await mirrored(build);
    const from = mirror.standIn.requests.length;
    const later = {
      ...withArtifact(withArtifact(build, 0, 0, { state: 'expired' }), 0, 1, { state: 'deleted' }),
      finishedAt: (build.finishedAt ?? 0) + 5000,
    };
    const record = await mirrored(later);
    assert.deepEqual([byId(record, one).state, byId(record, two).state, record.complete], ['present', 'present', true]);
    assert.equal(served(build, byId(record, two)), '2');
    assert.equal(downloads(mirror.standIn.requests.slice(from)).size, 0);
  });

  it('that is deleted while it is fetched is lost; one that is replaced is fetched as it is now', async () => {
    const [deleted, replaced] = [textArtifact('deleted.txt', 'x'), textArtifact('replaced.txt', 'old bytes')];
    const build = buildOf([[deleted, replaced]]);
    mirror.standIn.put(build);
    // When the bytes are asked for, upstream has changed its mind since it listed them.
    mirror.standIn.faults.add({ at: 'api', path: `${deleted.id}/download`, kind: 'status', status: 404, times: 9 });
    const gone = mirror.standIn.faults.add({
      at: 'api',
      path: new RegExp(`${deleted.id}$`),
      kind: 'status',
      status: 404,
      times: 9,
    });
    mirror.standIn.faults.add({
      at: 'storage',
      path: 'replaced.txt',
      kind: 'replace',
      content: Buffer.from('NEW BYTES'),
    });
    const record = await mirrored(build);
    gone.remove();
    assert.equal(byId(record, deleted).state, 'lost');
    assert.match(byId(record, deleted).reason ?? '', /gone/);
    assert.equal(byId(record, replaced).state, 'present');
    assert.equal(served(build, byId(record, replaced)), 'old bytes', 'what upstream states is what is stored');
  });

  it('without a digest is refused: nothing could be checked', async () => {
    const record = await mirrored(buildOf([[textArtifact('blind.txt', '?', { claims: { sha1: null } })]]));
    assert.deepEqual(states(record), { 'blind.txt': 'refused' });
    assert.match(record.artifacts[0]?.reason ?? '', /digest/);
    assert.deepEqual([record.settled, record.complete], [true, false]);
  });

  it('of a size that no disk has is refused, and keeps no other waiting', async () => {
    const record = await mirrored(
      buildOf([[textArtifact('huge.bin', 'x', { claims: { size: 9e15 } }), textArtifact('ok.txt', 'ok')]]),
    );
    assert.deepEqual(states(record), { 'huge.bin': 'refused', 'ok.txt': 'present' });
  });

  it('of no bytes at all is a file like others', async () => {
    const empty = textArtifact('empty.txt', '');
    const build = buildOf([[empty]]);
    const record = await mirrored(build);
    assert.deepEqual([byId(record, empty).state, served(build, byId(record, empty))], ['present', '']);
  });

  it('with a name that no disk or URL has is kept under its id, and never outside its job', async () => {
    const paths = [
      '../../escape.txt',
      '/etc/passwd',
      'C:\\Windows\\x',
      'a/../../../b',
      'nul\u0000',
      'lone\ud800',
      'x'.repeat(256),
      '..',
      '.env',
    ];
    const all = paths.map((path) => textArtifact(path, `bytes of ${JSON.stringify(path)}`));
    const build = buildOf([all]);
    const record = await mirrored(build);
    assert.equal(record.complete, true);
    for (const artifact of all) {
      assert.equal(
        served(build, byId(record, artifact)),
        Buffer.from(artifact.content as Uint8Array).toString(),
        artifact.path,
      );
    }
    const files = Object.keys(await filesOf(build)).filter((file) => file.startsWith('artifacts'));
    assert.equal(files.length, paths.length);
    assert.ok(
      files.includes('artifacts/etc/passwd') &&
        files.includes('artifacts/escape.txt') &&
        files.includes('artifacts/.env'),
    );
    assert.ok(!existsSync(join(mirror.paths.tree, 'escape.txt')));
  });

  it('that stands where a later one needs a folder moves, and moves back when that comes to nothing', async () => {
    const file = textArtifact('out', 'a file');
    const inside = textArtifact('out/inside.txt', 'inside');
    const first = buildOf([[file]]);
    const end = first.finishedAt ?? 0;
    assert.equal(byId(await mirrored(first), file).url, `jobs/${scriptOf(first).id}/artifacts/out`);

    const both = { ...withScript(first, 0, { artifacts: [file, inside] }), finishedAt: end + 5000 };
    const second = await mirrored(both);
    assert.deepEqual(states(second), { out: 'present', 'out/inside.txt': 'present' });
    assert.equal(served(first, byId(second, file)), 'a file');
    assert.equal(served(first, byId(second, inside)), 'inside');

    const kept = textArtifact('out', 'a file');
    const fresh = buildOf([[kept, textArtifact('out/inside.txt', 'inside', { state: 'new' })]]);
    mirror.standIn.put(fresh);
    await mirror.tell(fresh, scriptOf(fresh));
    const running = await mirror.jobRecord(fresh, scriptOf(fresh).id, (job) => byId(job, kept).state === 'present');
    assert.match(byId(running, kept).url ?? '', /artifacts-by-id/);
    const failed = withArtifact(fresh, 0, 1, { state: 'error' });
    const third = await mirrored({ ...failed, finishedAt: end + 9000 });
    assert.equal(byId(third, kept).url, `jobs/${scriptOf(fresh).id}/artifacts/out`);
    assert.equal(served(fresh, byId(third, kept)), 'a file');
    assert.deepEqual(
      Object.keys(await filesOf(fresh)).filter((each) => each.startsWith('artifacts')),
      ['artifacts/out'],
      'nothing is left where it was',
    );
  });

  it('keeps its reason when upstream lists it no longer', async () => {
    const failed = textArtifact('failed.txt', '', { state: 'error' });
    const build = buildOf([[failed, textArtifact('ok.txt', 'ok')]]);
    await mirrored(build);
    const later = { ...withArtifact(build, 0, 0, { state: 'deleted' }), finishedAt: (build.finishedAt ?? 0) + 5000 };
    const record = await mirrored(later);
    assert.deepEqual([byId(record, failed).state, record.complete], ['errored', true]);
  });
});

describe('a build', () => {
  it('of which all had expired is settled, 0 of so many, and never complete', async () => {
    const gone = buildOf(
      [[textArtifact('a', '', { state: 'expired' })], [textArtifact('b', '', { state: 'expired' })]],
      { logBytes: 0 },
    );
    await mirrored(gone);
    const record = mirror.build(gone);
    assert.deepEqual([record.settled, record.complete, record.present], [true, false, 0]);
  });

  it('counts what the settings leave out as excluded, by path and by size', async (t) => {
    const other = await startMirror({
      env: {
        KITEMIRROR_ARTIFACTS: '**,!**/*.tmp,!secret/**',
        KITEMIRROR_MAX_ARTIFACT_BYTES: '10',
        KITEMIRROR_LOGS: 'off',
      },
    });
    t.after(() => other.stop());
    const build = buildOf([
      [
        textArtifact('keep.txt', 'short'),
        textArtifact('a/b.tmp', 'x'),
        textArtifact('secret/.key', 'x'),
        textArtifact('..\\secret\\key', 'x'),
        textArtifact('large.txt', 'more than ten bytes'),
      ],
    ]);
    const record = await mirrored(build, other);
    const { 'keep.txt': keep, ...others } = states(record);
    assert.deepEqual([keep, ...new Set(Object.values(others))], ['present', 'excluded']);
    assert.deepEqual([record.log?.state, record.expected, record.present, record.complete], ['excluded', 1, 1, true]);
    assert.equal(downloads(other.standIn.requests).size, 1);
    assert.ok(!other.standIn.requests.some(({ path }) => path.includes('/log')));
  });
});
