import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { sha1Of } from '../../demo/standin/bytes.ts';
import type { SampleBuild } from '../../demo/standin/sample.ts';
import { digestFile, type Mirror, placeOf, startMirror } from './harness.ts';
import { artifactOf, newBuild, scriptOf, scriptsOf } from './samples.ts';

let mirror: Mirror;
before(async () => {
  mirror = await startMirror();
});
after(() => mirror.stop());

/** As on a day of work: every job's end is told of, and the build's. @returns what was asked of upstream meanwhile */
async function mirrored(build: SampleBuild, timeoutMs: number): Promise<{ api: number; storage: number }> {
  mirror.standIn.put(build);
  const from = mirror.standIn.requests.length;
  for (const job of scriptsOf(build)) await mirror.tell(build, job);
  await mirror.tell(build);
  const record = await mirror.settled(build, timeoutMs);
  const all = scriptsOf(build).reduce((sum, job) => sum + job.artifacts.length + 1, 0);
  assert.deepEqual([record.complete, record.present, record.expected], [true, all, all]);
  const asked = mirror.standIn.requests.slice(from);
  const api = asked.filter(({ at }) => at === 'api').length;
  return { api, storage: asked.length - api };
}

describe('a large build', () => {
  it('of 1,000 artifacts in 40 jobs is complete, N of N, each with its digest', async () => {
    const build = newBuild({ jobs: 40, artifactsPerJob: 25, bytes: (job, at) => 100 + job * 25 + at });
    const { storage } = await mirrored(build, 60_000);
    assert.equal(storage, 1000, 'each is fetched once');
    const jobs = scriptsOf(build);
    for (const [index, job] of jobs.entries()) {
      const record = mirror.job(build, job.id);
      assert.deepEqual([record.present, record.expected, record.complete], [26, 26, true]);
      for (const [place, { path, sha1, sha256, url }] of record.artifacts.entries()) {
        const file = join(mirror.paths.build(placeOf(build)), url ?? '-');
        assert.equal(sha256, digestFile(file));
        assert.equal(sha1, sha1Of(job.artifacts.find((each) => each.path === path)?.content ?? Buffer.of()));
        assert.equal(
          statSync(file).ino,
          statSync(join(mirror.paths.merged(placeOf(build)), path)).ino,
          `${index} ${place}`,
        );
      }
    }
    const sums = readFileSync(mirror.paths.jobFile(placeOf(build), scriptOf(build).id, 'SHA256SUMS'), 'utf8');
    assert.equal(sums.trimEnd().split('\n').length, 26);
  });

  it('of 50,000 artifacts in 2,000 jobs costs upstream no more for each than one of a twentieth', async () => {
    const small = newBuild({ jobs: 100, artifactsPerJob: 25, bytes: 16, logBytes: 16 });
    const large = newBuild({ jobs: 2000, artifactsPerJob: 25, bytes: 16, logBytes: 16 });
    const one = await mirrored(small, 120_000);
    const twenty = await mirrored(large, 600_000);
    assert.deepEqual([one.storage, twenty.storage], [2500, 50_000]);
    // An artifact is resolved by a request of its own, a log is one, a listing has a hundred.
    const least = (jobs: number): number => jobs * 25 + jobs + jobs * 0.25;
    for (const [asked, jobs] of [
      [one, 100],
      [twenty, 2000],
    ] as const) {
      assert.ok(asked.api < least(jobs) * 1.1 + 40, `${asked.api} requests for ${jobs} jobs`);
    }
    assert.ok(existsSync(join(mirror.paths.merged(placeOf(large)), artifactOf(large, 24, 1999).path)));
  });
});
