import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import request from 'supertest';
import { createIndexer } from '../../src/logs/build-index.ts';
import { writeLogIndex } from '../../src/logs/index-file.ts';
import { writePin } from '../../src/tree/pins.ts';
import { sampleBuild, sampleJob, uuid } from '../pages/samples.ts';
import { openMirror } from './mirror.ts';

const mirror = openMirror();
after(() => mirror.close());

test('a build’s page that the worker has not written yet has all that his would have', async () => {
  const job = sampleJob(7, { state: 'failed', exit_status: 1 });
  const build = sampleBuild([job], { number: 7, id: uuid(70), state: 'failed', branch: 'short-lived' });
  const place = await mirror.add(build, [job]);
  const indexer = createIndexer();
  indexer.write(Buffer.from('npm test\nError: the cart is empty\n'));
  await writeLogIndex(mirror.paths, place, job.id, indexer.finish());
  const page = async (): Promise<string> => (await request(mirror.app).get('/acme/web/builds/7/').expect(200)).text;
  const ofJob = await request(mirror.app).get(`/acme/web/builds/7/jobs/${job.id}/`).expect(200);
  assert.match(ofJob.text, /Error: the cart is empty/);
  const before = await page();
  assert.match(before, /Error: the cart is empty/);
  assert.match(before, /kept until <time[^>]+2026-11-21/);
  assert.doesNotMatch(before, /Pinned:/);
  const about = { organization: 'acme', pipeline: 'web', number: 7, reason: null };
  await writePin(mirror.paths, { version: 1, build: build.id, ...about, pinned_at: '2026-11-20T10:00:00.000Z' });
  assert.match(await page(), /Pinned:/);
});
