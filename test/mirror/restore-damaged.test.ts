/** A backup with records that a disk has damaged is restored, and Buildkite has the builds no more: nothing that it holds is lost. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, it } from 'node:test';
import type { SampleBuild } from '../../demo/standin/sample.ts';
import { type DataPaths, dataPaths, fileOf } from '../../src/tree/paths.ts';
import { kitemirror } from '../commands/scene.ts';
import { mirrorTexts } from './damage.ts';
import { digestFile, type Mirror, placeOf, startMirror } from './harness.ts';
import { buildOf, scriptOf, scriptsOf, textArtifact } from './samples.ts';
import { until } from './until.ts';

let mirror: Mirror;
before(async () => {
  mirror = await startMirror({ env: { KITEMIRROR_VERIFY_RATE: 'off' } });
});
after(() => mirror.stop());

/** What the records of a build's jobs name, by its place below the data folder: logs, attempts, what no view shows. */
function namedBy(build: SampleBuild): Record<string, string> {
  const files = scriptsOf(build).flatMap(({ id }) => {
    const { artifacts, log } = mirror.job(build, id);
    return [...artifacts, ...(log === null ? [] : [log])].map((file) => {
      const path = mirror.paths.jobFile(placeOf(build), id, fileOf(file) ?? '');
      return [path.slice(mirror.paths.root.length + 1), file.sha256 ?? ''] as const;
    });
  });
  return Object.fromEntries(files);
}

function served(copy: DataPaths, files: Record<string, string>): Record<string, string> {
  const digest = (file: string): string => (existsSync(file) ? digestFile(file) : 'not there');
  return Object.fromEntries(Object.keys(files).map((file) => [file, digest(join(copy.root, file))]));
}

async function swept(copy: DataPaths): Promise<boolean> {
  const text = `nobody shows this at ${Date.now()}`;
  const orphan = copy.blob(createHash('sha256').update(text).digest('hex'));
  writeFileSync(orphan, text);
  await mirror.queue.enqueue({ name: 'sweep', payload: { graceMs: 0 } }, { urgent: true });
  await mirror.idle();
  return !existsSync(orphan);
}

it('the files of every record are there by name, and the sweep waits for those that cannot', async () => {
  const mirrored = (...jobs: string[][]): Promise<SampleBuild> => mirrorTexts(mirror, jobs);
  const job = await mirrored(['damaged'], ['beside it', 'of its own'], ['third']);
  const upstream = await mirrored(['first attempt'], ['second attempt']);
  const both = await mirrored(['nothing tells of which build'], ['nor of this one']);
  const whole = buildOf([[textArtifact('job.json', 'no record'), textArtifact('SHA256SUMS', 'no sums')]]);
  mirror.standIn.put(whole);
  await mirror.tell(whole);
  await mirror.settled(whole);
  await mirror.idle();
  // The bytes that a damaged record named are told by the sums beside it.
  const files = { ...namedBy(job), ...namedBy(upstream), ...namedBy(both), ...namedBy(whole) };

  const copy = dataPaths(join(dirname(mirror.paths.root), 'backup'));
  assert.equal((await kitemirror(['backup', copy.root], mirror.environment())).code, 0);
  const called = join(copy.job(placeOf(whole), scriptOf(whole).id), 'artifacts');
  assert.ok(!existsSync(called), 'what is called as a record is an artifact all the same, and its blob is enough');
  await mirror.stopWorker();
  for (const build of [job, upstream, both, whole]) mirror.standIn.remove('acme', build.pipeline.slug, build.number);
  truncateSync(copy.jobFile(placeOf(job), scriptOf(job).id, 'job.json'), 40);
  truncateSync(copy.buildFile(placeOf(upstream), 'upstream.json'), 40);
  truncateSync(copy.buildFile(placeOf(both), 'upstream.json'), 40);
  truncateSync(copy.buildFile(placeOf(both), 'build.json'), 40);
  const env = { KITEMIRROR_DATA: copy.root };
  await mirror.startWorker(env);
  await until(() => !existsSync(copy.rebuildDue), 'all to be made again', 60_000);
  await mirror.idle();

  assert.equal(await swept(copy), false);
  assert.deepEqual(served(copy, files), files);
  const { code, out } = await kitemirror(['status', '--json'], { ...mirror.environment(), ...env });
  const { sweep, faults } = JSON.parse(out) as { sweep: { held_for: string[] }; faults: string[] };
  const address = `/acme/${both.pipeline.slug}/builds/${both.number}`;
  assert.deepEqual([code, sweep.held_for], [1, [address]]);
  assert.ok(faults.some((fault) => fault.includes('nothing is swept') && fault.includes(address)));

  // Somebody finds one of the two records in an earlier backup; the other is then made again of what is here.
  const found = readFileSync(mirror.paths.buildFile(placeOf(both), 'build.json'));
  writeFileSync(copy.buildFile(placeOf(both), 'build.json'), found);
  assert.equal(await swept(copy), false);
  assert.equal(await swept(copy), true);
  assert.deepEqual(served(copy, files), files);
  assert.equal(existsSync(copy.sweepHeld), false);
  const marker = copy.settledMarker(placeOf(upstream), scriptOf(upstream).id);
  assert.ok(existsSync(marker), 'what was made again later is rebuilt too');
});
