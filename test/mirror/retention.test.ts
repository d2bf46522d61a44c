import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { SampleBuild } from '../../demo/standin/sample.ts';
import { createHold } from '../../src/queue/hold.ts';
import { takeUpGaps } from '../../src/reconcile/take-up.ts';
import { auditParts } from '../../src/tree/audit.ts';
import { hasBlob } from '../../src/tree/blobs.ts';
import { type DropOrder, markDropped, writeOrder } from '../../src/tree/dropping.ts';
import { dueSince, noteDue } from '../../src/tree/due.ts';
import { jsonLines } from '../../src/tree/json-lines.ts';
import { readMark } from '../../src/tree/marks.ts';
import type { DataPaths } from '../../src/tree/paths.ts';
import { readComparedAt, readReconcileState, writeReconcileState } from '../../src/tree/reconcile-state.ts';
import { writeJobRecord } from '../../src/tree/records.ts';
import type { DropResult } from '../../src/tree/retention.ts';
import { openUnsettled } from '../../src/tree/unsettled.ts';
import { sweepNow } from '../../workers/derived.ts';
import { kitemirror } from '../commands/scene.ts';
import { digestTree, type Mirror, placeOf, startMirror } from './harness.ts';
import { buildOf, scriptOf, textArtifact } from './samples.ts';
import { until } from './until.ts';

const dayMs = 86_400_000;
let mirror: Mirror;
const folder = mkdtempSync(join(tmpdir(), 'kitemirror-rules-'));
const rulesFile = join(folder, 'rules.json');
const writeRules = (age: string): void =>
  writeFileSync(rulesFile, JSON.stringify({ rules: [{ pipelines: 'ruled', artifacts: { age } }] }));

before(async () => {
  writeRules('30d');
  mirror = await startMirror({
    env: {
      KITEMIRROR_RETENTION_ARTIFACTS_AGE: '30d',
      KITEMIRROR_RETENTION_BUILDS_AGE: '365d',
      KITEMIRROR_RETENTION_RULES: rulesFile,
    },
  });
});
after(async () => {
  await mirror.stop();
  rmSync(folder, { recursive: true });
});

/** A build that ended so many days ago, of a pipeline of the test's own. */
function aged(pipeline: string, number: number, days: number, text = `${pipeline} ${number}`): SampleBuild {
  const artifacts = [textArtifact('out/a.txt', text), textArtifact('b\u0001.txt', `odd name ${text}`)];
  return buildOf([artifacts], { pipeline, number, finishedAt: Date.now() - days * dayMs, logBytes: 200 });
}

/** As the policy passes it: by the end that the build has now. */
function orderFor({ id, pipeline, number, finishedAt }: SampleBuild, parts: DropOrder['parts']): DropOrder {
  const where = { organization: 'acme', pipeline: pipeline.slug, pipelineId: pipeline.id, number, build: id };
  const finished_at = new Date(finishedAt ?? 0).toISOString();
  return { version: 1, ...where, parts, reason: 'age', text: 'a test', finished_at, asked_at: finished_at };
}

async function mirrored(...builds: SampleBuild[]): Promise<void> {
  for (const build of builds) {
    mirror.standIn.put(build);
    await mirror.tell(build);
  }
  for (const build of builds) await mirror.settled(build);
}

const run = (...words: string[]) => kitemirror(words, mirror.environment());
const runWith = (env: Record<string, string>, ...words: string[]) =>
  kitemirror(words, { ...mirror.environment(), ...env });

const buildPage = (pipeline: string, number: number): string =>
  readFileSync(mirror.paths.page('acme', pipeline, 'builds', String(number)), 'utf8');

async function retention(): Promise<number> {
  const { code, out, err } = await run('retention', '--json');
  assert.equal(code, 0, err);
  await mirror.idle();
  return (JSON.parse(out) as { builds: number }).builds;
}

interface Simulated {
  drops: { pipeline: string; number: number; parts: string[]; reason: string }[];
  kept: { pipeline: string; number: number; because: string }[];
  freed_bytes: number;
  bytes: number;
  pointers: { folder: string; kind: string; name: string; state: string; from: number; to: number | null }[];
}

async function simulated(): Promise<Simulated> {
  const { code, out, err } = await run('retention', '--dry-run', '--json');
  assert.equal(code, 0, err);
  return JSON.parse(out) as Simulated;
}

describe('retention', () => {
  it('drops the artifacts of an old build, says so in its records, and keeps log and latest', async () => {
    const [old, latest] = [aged('parts', 1, 40), aged('parts', 2, 39)];
    await mirrored(old, latest);
    const before = mirror.job(old, scriptOf(old).id);
    assert.equal(await retention(), 1);
    const record = mirror.job(old, scriptOf(old).id);
    for (const { state, reason, url, merged } of record.artifacts) {
      assert.deepEqual([state, url, merged], ['dropped', null, false]);
      assert.match(reason ?? '', /retention: older than 30d/);
    }
    assert.equal(record.log?.state, 'present');
    assert.deepEqual([record.expected, record.present, record.settled, record.complete], [1, 1, true, true]);
    const build = mirror.build(old);
    assert.deepEqual([build.expected, build.present, build.complete, build.stored?.artifacts], [1, 1, true, 0]);
    const folder = mirror.paths.build(placeOf(old));
    const left = Object.keys(await digestTree(folder)).map((file) => file.replace(scriptOf(old).id, 'JOB'));
    assert.deepEqual(left, [
      'build.json',
      'jobs/JOB/SHA256SUMS',
      'jobs/JOB/job.json',
      'jobs/JOB/log.txt',
      'upstream.json',
    ]);
    assert.equal(mirror.job(latest, scriptOf(latest).id).artifacts[0]?.state, 'present');
    assert.ok(before.artifacts.every(({ state }) => state === 'present'));
    const page = readFileSync(mirror.paths.page('acme', 'parts', 'builds', '1', 'jobs', scriptOf(old).id), 'utf8');
    assert.match(page, /removed by retention/);
    assert.match(buildPage('parts', 1), /The build is kept until /);
    assert.match(buildPage('parts', 2), /Artifacts are kept until .*; longer while it is the latest that passed/s);
    const audit = readdirSync(mirror.paths.audit).map((name) => readFileSync(join(mirror.paths.audit, name), 'utf8'));
    assert.match(audit.join(''), new RegExp(`"action":"drop".*"pipeline":"parts","number":1.*older than 30d`));
  });

  it('does not fetch again what it has dropped, when the build is told of again', async () => {
    const [old, latest] = [aged('again', 1, 40), aged('again', 2, 39)];
    await mirrored(old, latest);
    await retention();
    const asked = mirror.standIn.requests.filter(({ at }) => at === 'storage').length;
    const again = { ...old, finishedAt: (old.finishedAt ?? 0) + 5000 };
    mirror.standIn.put(again);
    await mirror.tell(again);
    await mirror.settled(again);
    assert.equal(mirror.job(old, scriptOf(old).id).artifacts[0]?.state, 'dropped');
    assert.equal(mirror.standIn.requests.filter(({ at }) => at === 'storage').length, asked);
  });

  it('removes a whole build with all that leads to it, and does not mirror it again', async () => {
    const [ancient, latest] = [aged('whole', 1, 400), aged('whole', 2, 1)];
    await mirrored(ancient, latest);
    const { drops, pointers, freed_bytes: freed } = await simulated();
    assert.deepEqual(
      drops.filter(({ pipeline }) => pipeline === 'whole').map(({ parts }) => parts),
      [['build']],
    );
    assert.ok(freed > 0);
    assert.ok(
      pointers.some(
        ({ kind, name, from, to }) => kind === 'commits' && name === ancient.commit && from === 1 && to === null,
      ),
    );
    await retention();
    const place = placeOf(ancient);
    for (const folder of [mirror.paths.build(place), dirname(mirror.paths.views(place))])
      assert.ok(!existsSync(folder));
    assert.ok(!existsSync(mirror.paths.pointer('acme', 'whole', 'commits', ancient.commit, 'any')));
    assert.ok(!readFileSync(mirror.paths.page('acme', 'whole', 'builds'), 'utf8').includes('/builds/1/'));
    await mirror.tell(ancient);
    await mirror.idle();
    assert.ok(!existsSync(mirror.paths.build(place)));
    assert.deepEqual(readdirSync(mirror.paths.unsettled), []);
    assert.deepEqual(readdirSync(mirror.paths.dropping), []);
    // A job of it was retried since: that is no old build any more.
    const again = { ...ancient, finishedAt: Date.now() + 1000 };
    mirror.standIn.put(again);
    await mirror.tell(again);
    assert.equal((await mirror.settled(again)).complete, true);
    assert.equal(existsSync(mirror.paths.droppedBuild(ancient.id)), false);
  });

  describe('a build that ran again before it was removed whole, which nobody had heard of', () => {
    /** Removed by its old end, while upstream has shown a later one for three days. */
    async function removedUnheard(pipeline: string): Promise<SampleBuild> {
      const [ancient, latest] = [aged(pipeline, 1, 400), aged(pipeline, 2, 1)];
      await mirrored(ancient, latest);
      const again = { ...ancient, finishedAt: Date.now() - 3 * dayMs };
      mirror.standIn.put(again);
      await retention();
      assert.ok(!existsSync(mirror.paths.build(placeOf(ancient))));
      return again;
    }

    async function isWholeAgain(build: SampleBuild): Promise<void> {
      assert.equal((await mirror.settled(build)).complete, true);
      assert.equal(existsSync(mirror.paths.droppedBuild(build.id)), false);
    }

    it('is mirrored anew when a delivery tells of it', async () => {
      const again = await removedUnheard('heard');
      await mirror.tell(again);
      await isWholeAgain(again);
    });

    it('is mirrored anew when a comparison finds it', async () => {
      const again = await removedUnheard('compared');
      assert.equal((await run('reconcile', '--since', '5d')).code, 0);
      await isWholeAgain(again);
    });

    it('is mirrored anew when a backfill finds it', async () => {
      const again = await removedUnheard('filled');
      assert.equal((await run('backfill', '--since', '5d', '--pipeline', 'filled')).code, 0);
      await isWholeAgain(again);
    });

    it('is mirrored anew when its gap outlived the task that knew its end', async () => {
      const again = await removedUnheard('taken-up');
      const where = { organization: 'acme', pipeline: 'taken-up', number: 1, build: again.id };
      const since = new Date(again.finishedAt ?? 0).toISOString();
      await openUnsettled(mirror.paths, { version: 1, ...where, pipelineId: null, since, learnedFrom: 'reconcile' });
      await takeUpGaps(mirror.paths, mirror.queue);
      await isWholeAgain(again);
    });
  });

  it('keeps a pinned build until the pin is removed', async () => {
    const [old, latest] = [aged('pinned', 1, 40), aged('pinned', 2, 39)];
    await mirrored(old, latest);
    const { code, out, err } = await run('pin', 'pinned/1', '--reason', 'shipped', '--json');
    assert.equal(code, 0, err);
    assert.match(out, /"pipeline":"pinned","number":1,"reason":"shipped"/);
    await until(() => buildPage('pinned', 1).includes('Pinned: '), 'the page to tell of the pin');
    assert.deepEqual(
      (await simulated()).kept.find(({ pipeline, number }) => pipeline === 'pinned' && number === 1)?.because,
      'pinned',
    );
    await retention();
    assert.equal(mirror.build(old).stored?.artifacts, 2);
    assert.equal((await run('pin', '--remove', `http://mirror.example/acme/pinned/builds/1/`)).code, 0);
    await until(() => !buildPage('pinned', 1).includes('Pinned: '), 'the page to tell of the pin no more');
    await retention();
    assert.equal(mirror.build(old).stored?.artifacts, 0);
  });

  it('removes nothing by its age while the clock is far beyond the last comparison, and says so', async () => {
    const [old, latest] = [aged('clock', 1, 40), aged('clock', 2, 39)];
    await mirrored(old, latest);
    await until(async () => (await readComparedAt(mirror.paths)) !== null, 'the first comparison');
    const state = await readReconcileState(mirror.paths);
    assert.ok(state !== null);
    // Of two clocks that differ it is the same which one is told to be wrong.
    await writeReconcileState(mirror.paths, { ...state, mark: new Date(Date.now() - 2 * dayMs).toISOString() });
    const dry = await run('retention', '--dry-run');
    assert.match(dry.out, /no limit of age applies: the clock is 47h \d+m beyond the last complete comparison/);
    const { out } = await run('retention', '--json');
    assert.match(out, /"builds":0,"ages_wait":"the clock is 47h/);
    assert.ok(mirror.output.some((line) => line.includes('no limit of age applies')));
    assert.equal(mirror.build(old).stored?.artifacts, 2);
    await writeReconcileState(mirror.paths, state);
    assert.equal(await retention(), 1);
  });

  it('counts bytes as freed only where no other build shows them', async () => {
    const shared = [aged('shared', 1, 40, 'the same bytes'), aged('shared', 2, 39, 'the same bytes')];
    await mirrored(...shared);
    const before = await simulated();
    const own = before.drops.filter(({ pipeline }) => pipeline === 'shared');
    assert.deepEqual(
      own.map(({ number }) => number),
      [1],
    );
    assert.equal(before.drops.length, 1);
    assert.ok(before.bytes > 0);
    assert.equal(before.freed_bytes, 0);
    await retention();
    assert.deepEqual((await simulated()).drops, []);
  });

  it('keeps a whole build whose folder holds a file that no record names', async () => {
    const [ancient, latest] = [aged('foreign', 1, 400), aged('foreign', 2, 1)];
    await mirrored(ancient, latest);
    const file = join(mirror.paths.build(placeOf(ancient)), 'notes.txt');
    writeFileSync(file, 'mine');
    assert.equal(await retention(), 0);
    assert.equal(readFileSync(file, 'utf8'), 'mine');
    assert.ok(mirror.output.some((line) => line.includes('notes.txt')));
  });

  it('keeps a build of which a record cannot be read, and reports it', async () => {
    const [old, latest] = [aged('torn', 1, 40), aged('torn', 2, 39)];
    await mirrored(old, latest);
    const file = mirror.paths.jobFile(placeOf(old), scriptOf(old).id, 'job.json');
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.slice(0, 50));
    const { code, out } = await run('retention', '--dry-run', '--json');
    assert.equal(code, 1);
    assert.match(out, /"unreadable":\[\{"pipeline":"torn","number":1/);
    const real = await run('retention', '--json');
    assert.equal(real.code, 1);
    assert.match(real.out, /"builds":0,.*"unreadable":\[\{"pipeline":"torn","number":1/);
    await mirror.idle();
    assert.ok(existsSync(join(dirname(file), 'artifacts', 'out', 'a.txt')));
    writeFileSync(file, text);
  });

  it('tells how many builds it kept that the policy would remove, and why', async () => {
    const [old, latest] = [aged('told', 1, 40), aged('told', 2, 39)];
    await mirrored(old, latest);
    assert.equal((await run('pin', 'told/1')).code, 0);
    const dry = await simulated();
    const { code, out } = await run('retention', '--json');
    await mirror.idle();
    assert.equal(code, 0);
    const { kept } = JSON.parse(out) as { kept: Record<string, number> };
    for (const because of ['pinned', 'latest'])
      assert.equal(kept[because], dry.kept.filter((each) => each.because === because).length, because);
    assert.ok(Number(kept['pinned']) > 0 && Number(kept['latest']) > 0);
    assert.equal(mirror.build(old).stored?.artifacts, 2);
  });

  it('removes nothing by another policy than the workers go by, and says which setting differs', async () => {
    const [old, latest] = [aged('differs', 1, 40), aged('differs', 2, 39)];
    await mirrored(old, latest);
    const looser = { KITEMIRROR_RETENTION_ARTIFACTS_AGE: '2y' };
    for (const [wanted, ...words] of [[0, '--dry-run'] as const, [78] as const]) {
      const { code, out, err } = await runWith(looser, 'retention', '--json', ...words);
      assert.equal(code, wanted, out);
      assert.match(out, /"differs":\[\{"setting":"KITEMIRROR_RETENTION_ARTIFACTS_AGE","here":"2y","worker":"30d"\}/);
      assert.match(err, /KITEMIRROR_RETENTION_ARTIFACTS_AGE is 2y here and 30d there/);
    }
    assert.equal(mirror.build(old).stored?.artifacts, 2);
    assert.equal(await retention(), 1);
  });

  it('is left by a worker that was asked for it by another policy', async () => {
    const [old, latest] = [aged('asked', 1, 40), aged('asked', 2, 39)];
    await mirrored(old, latest);
    await mirror.queue.enqueue({ name: 'drop', payload: { policy: { KITEMIRROR_RETENTION_BYTES: '1' } } });
    await mirror.idle();
    const mark = await readMark(mirror.paths, 'drop');
    assert.ok(mark !== null);
    const { refused } = mark.result as DropResult;
    assert.ok(refused?.some(({ setting, worker }) => setting === 'KITEMIRROR_RETENTION_BYTES' && worker === 'none'));
    assert.equal(mirror.build(old).stored?.artifacts, 2);
    assert.equal(await retention(), 1);
  });

  it('goes by the rules of the file as it is now, and by the last good ones while they cannot be used', async () => {
    const [old, latest] = [aged('ruled', 1, 40), aged('ruled', 2, 39)];
    await mirrored(old, latest);
    const ofRuled = async () => (await simulated()).drops.filter(({ pipeline }) => pipeline === 'ruled').length;
    assert.equal(await ofRuled(), 1);
    writeRules('2y');
    assert.equal(await ofRuled(), 0);
    assert.equal(await retention(), 0);
    assert.equal(mirror.build(old).stored?.artifacts, 2);
    writeFileSync(rulesFile, '{');
    await until(
      () => mirror.output.some((line) => line.includes('those before stay in force') && line.includes('JSON')),
      'the fault to be told',
    );
    await mirror.queue.enqueue({ name: 'drop', payload: {} });
    await mirror.idle();
    assert.equal(mirror.build(old).stored?.artifacts, 2);
    writeRules('30d');
    assert.equal(await retention(), 1);
  });

  it('says so where a removal fails, and ends it soon when nothing is in its way any more', async () => {
    const [old, latest] = [aged('in-the-way', 1, 40), aged('in-the-way', 2, 39)];
    await mirrored(old, latest);
    mkdirSync(mirror.paths.audit, { recursive: true });
    const aside = `${mirror.paths.audit}.aside`;
    renameSync(mirror.paths.audit, aside);
    writeFileSync(mirror.paths.audit, 'a file where a folder belongs');
    const { code, err } = await run('retention', '--json');
    assert.equal(code, 1);
    assert.match(err, /the worker broke off/);
    assert.ok(readdirSync(mirror.paths.dropping).includes(`${old.id}.json`));
    rmSync(mirror.paths.audit);
    renameSync(aside, mirror.paths.audit);
    await until(() => readdirSync(mirror.paths.dropping).length === 0, 'the order to be struck out', 60_000);
    assert.equal(mirror.job(old, scriptOf(old).id).artifacts[0]?.state, 'dropped');
    await mirror.idle();
  });

  it('has swept what it removed also where another build cannot be removed', async () => {
    const [stuck, old, latest] = [aged('one-stuck', 1, 41), aged('one-stuck', 2, 40), aged('one-stuck', 3, 39)];
    await mirrored(stuck, old, latest);
    const sha256 = mirror.job(old, scriptOf(old).id).artifacts[0]?.sha256 ?? '';
    // A folder in the place of a file, which none of ours takes away.
    const file = mirror.paths.jobFile(placeOf(stuck), scriptOf(stuck).id, 'artifacts/out/a.txt');
    rmSync(file);
    mkdirSync(join(file, 'of somebody'), { recursive: true });
    assert.equal((await run('retention', '--json')).code, 1);
    await until(() => !hasBlob(mirror.paths, sha256), 'the blob of the other to be swept');
    rmSync(file, { recursive: true });
    await until(() => mirror.job(stuck, scriptOf(stuck).id).artifacts[0]?.state === 'dropped', 'the end', 60_000);
    await mirror.idle();
  });

  describe('a removal that waits while a task has the build', () => {
    /** `work` happens when the verdict is passed and the removal waits. */
    async function whileItWaits(build: SampleBuild, work: () => Promise<unknown>): Promise<void> {
      const identity = `publish-build/${build.id}`;
      const held = await createHold(mirror.redis.client).take(identity, false);
      assert.ok(held !== null);
      const done = retention();
      const isWanted = async () => (await mirror.redis.client.exists(`kitemirror:wanted:${identity}`)) === 1;
      await until(isWanted, 'the removal to wait');
      await work();
      await held.release();
      assert.equal(await done, 0);
      assert.ok(existsSync(join(mirror.paths.build(placeOf(build)), 'build.json')));
      assert.deepEqual(readdirSync(mirror.paths.dropping), []);
      assert.equal(existsSync(mirror.paths.droppedBuild(build.id)), false);
    }

    async function ancientOf(pipeline: string): Promise<[SampleBuild, SampleBuild]> {
      const builds: [SampleBuild, SampleBuild] = [aged(pipeline, 1, 400), aged(pipeline, 2, 1)];
      await mirrored(...builds);
      return builds;
    }

    it('does not happen once the build is pinned', async () => {
      const [ancient] = await ancientOf('pinned-late');
      await whileItWaits(ancient, async () => {
        assert.equal((await run('pin', 'pinned-late/1')).code, 0);
      });
    });

    it('does not happen once the build runs again', async () => {
      const [ancient] = await ancientOf('again-late');
      const again = { ...ancient, finishedAt: Date.now() - dayMs };
      await whileItWaits(ancient, async () => {
        mirror.standIn.put(again);
        await mirror.tell(again);
        await until(() => existsSync(mirror.paths.unsettledBuild(again.id)), 'the gap');
      });
      assert.equal((await mirror.settled(again)).complete, true);
      assert.equal(await retention(), 0);
    });

    it('does not happen once the build is the latest that passed', async () => {
      const [ancient, latest] = await ancientOf('latest-late');
      await whileItWaits(ancient, async () => {
        const again = { ...latest, state: 'failed', finishedAt: Date.now() - 1000 };
        mirror.standIn.put(again);
        await mirror.tell(again);
        await until(() => mirror.build(latest).state === 'failed' && mirror.build(latest).settled, 'the failure');
        await until(() => !existsSync(mirror.paths.unsettledBuild(latest.id)), 'its gap to be closed');
      });
    });
  });

  it('does not execute an order whose removal never began when the build has run again since', async () => {
    const [ancient, latest] = [aged('untouched', 1, 400), aged('untouched', 2, 1)];
    await mirrored(ancient, latest);
    await writeOrder(mirror.paths, orderFor(ancient, ['build']));
    const again = { ...ancient, finishedAt: Date.now() - dayMs };
    mirror.standIn.put(again);
    await mirror.tell(again);
    await mirror.settled(again);
    assert.equal(await retention(), 0);
    assert.equal(mirror.build(again).complete, true);
    assert.deepEqual(readdirSync(mirror.paths.dropping), []);
  });

  it('ends the removal of a whole build that has begun before it mirrors the build anew', async () => {
    const [ancient, latest] = [aged('ended-first', 1, 400), aged('ended-first', 2, 1)];
    await mirrored(ancient, latest);
    const folder = mirror.paths.build(placeOf(ancient));
    const whole = Object.keys(await digestTree(folder));
    await mirror.stopWorker('SIGKILL');
    // As a crash leaves it between its folder and what the views are.
    const order = orderFor(ancient, ['build']);
    await writeOrder(mirror.paths, order);
    await markDropped(mirror.paths, order);
    rmSync(folder, { recursive: true });
    const again = { ...ancient, finishedAt: Date.now() - dayMs };
    mirror.standIn.put(again);
    await mirror.tell(again);
    await mirror.startWorker();
    assert.equal((await mirror.settled(again)).complete, true);
    assert.deepEqual(Object.keys(await digestTree(folder)), whole);
    assert.deepEqual(readdirSync(mirror.paths.dropping), []);
    assert.equal(existsSync(mirror.paths.droppedBuild(again.id)), false);
  });

  it('takes no more of a pinned build than a removal that was broken off has recorded', async () => {
    const [old, latest] = [aged('half', 1, 40), aged('half', 2, 39)];
    await mirrored(old, latest);
    const job = mirror.job(old, scriptOf(old).id);
    assert.equal((await run('pin', 'half/1')).code, 0);
    const order = orderFor(old, ['artifacts']);
    await writeOrder(mirror.paths, order);
    const reason = `removed by retention: ${order.text}`;
    const gone = { state: 'dropped', reason, url: null, merged: false } as const;
    const artifacts = job.artifacts.map((each) => (each.path === 'out/a.txt' ? { ...each, ...gone } : each));
    const counts = { expected: job.expected - 1, present: job.present - 1 };
    await writeJobRecord(mirror.paths, placeOf(old), { ...job, ...counts, artifacts });
    await retention();
    const files = Object.keys(await digestTree(mirror.paths.job(placeOf(old), job.id)));
    assert.ok(!files.includes('artifacts/out/a.txt'), files.join());
    assert.equal(mirror.build(old).stored?.artifacts, 1);
    const left = mirror.job(old, job.id).artifacts.map(({ path, state }) => (path === 'out/a.txt' ? 'gone' : state));
    assert.deepEqual(left.toSorted(), ['gone', 'present']);
    assert.deepEqual(readdirSync(mirror.paths.dropping), []);
  });

  it('ends a removal that was broken off, and the sweep deletes what nothing shows', async () => {
    const [old, latest] = [aged('broken-off', 1, 40), aged('broken-off', 2, 39)];
    await mirrored(old, latest);
    const job = mirror.job(old, scriptOf(old).id);
    const sha256 = job.artifacts[0]?.sha256 ?? '';
    const order = orderFor(old, ['artifacts']);
    await mirror.stopWorker('SIGKILL');
    // As a crash leaves it between the record and the names: recorded as dropped, and still there.
    await writeOrder(mirror.paths, order);
    const reason = `removed by retention: ${order.text}`;
    const dropped = { state: 'dropped', reason, url: null, merged: false } as const;
    const artifacts = job.artifacts.map((each) => ({ ...each, ...dropped }));
    await writeJobRecord(mirror.paths, placeOf(old), { ...job, artifacts, expected: 1, present: 1 });
    await mirror.startWorker();
    await retention();
    await until(() => readdirSync(mirror.paths.dropping).length === 0, 'the order to be struck out');
    const files = Object.keys(await digestTree(mirror.paths.build(placeOf(old))));
    assert.ok(!files.some((file) => file.endsWith('a.txt')), files.join());
    await until(() => !hasBlob(mirror.paths, sha256), 'the blob to be swept');
    await until(
      async () => (await sweptOnRecord(mirror.paths)) > 0,
      'the sweep to be on record, with its bytes and its reason',
    );
    await until(() => dueSince(mirror.paths, sweepNow) === null, 'the sweep to be due no more');
  });

  it('has swept what an earlier run took the names from and did not live to tell of', async () => {
    await mirrored(aged('not-told', 1, 1));
    await mirror.stopWorker('SIGKILL');
    // As a crash leaves it behind the last build: no order any more, and no sweep in the queue.
    const sha256 = 'd0'.repeat(32);
    mkdirSync(dirname(mirror.paths.blob(sha256)), { recursive: true });
    writeFileSync(mirror.paths.blob(sha256), 'shown by nothing');
    noteDue(mirror.paths, sweepNow);
    await mirror.startWorker();
    await retention();
    await until(() => !hasBlob(mirror.paths, sha256), 'the blob to be swept');
    await until(() => dueSince(mirror.paths, sweepNow) === null, 'the sweep to be due no more');
  });
});

async function sweptOnRecord(paths: DataPaths): Promise<number> {
  let bytes = 0;
  for (const { name } of auditParts(paths))
    for await (const line of jsonLines(join(paths.audit, name)))
      if (line['action'] === 'sweep' && Number(line['files']) > 0 && line['reason'] !== '')
        bytes += Number(line['bytes']);
  return bytes;
}
