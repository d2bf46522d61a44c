/** A part of a long log that takes long to lay out: whoever asks for it waits, nobody else does. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import request from 'supertest';
import { createIndexer } from '../../src/logs/build-index.ts';
import { writeLogIndex } from '../../src/logs/index-file.ts';
import { sampleBuild, sampleJob, uuid } from '../pages/samples.ts';
import { openMirror, type TestMirror } from './mirror.ts';

const lines = 5000;
const line = `${'\u001b[7mx\u001b[mx'.repeat(180)}\n`;
const path = `/acme/web/builds/42/jobs/${uuid(1)}/log/`;
let mirror: TestMirror;

before(async () => {
  mirror = openMirror();
  const jobs = [sampleJob(1)];
  const place = await mirror.add(sampleBuild(jobs), jobs);
  const bytes = Buffer.from(line.repeat(lines));
  writeFileSync(mirror.paths.jobFile(place, uuid(1), 'log.txt'), bytes);
  const indexer = createIndexer();
  indexer.write(bytes);
  await writeLogIndex(mirror.paths, place, uuid(1), indexer.finish());
});
after(() => mirror.close());

test('while it is laid out other questions are answered as fast as ever', { timeout: 120_000 }, async () => {
  const ask = async (question: string, status: number): Promise<{ text: string; ms: number }> => {
    const begun = performance.now();
    const { text } = await request(mirror.app)
      .get(path + question)
      .expect(status);
    return { text, ms: performance.now() - begun };
  };
  await ask('?from=0', 400);
  const asked = { isDone: false };
  const costly = ask('?from=1', 200).finally(() => (asked.isDone = true));
  const others: number[] = [];
  while (!asked.isDone) others.push((await ask('?from=0', 400)).ms);
  const { text, ms } = await costly;
  assert.match(text, /id="L1"[^]*rel="next"/);
  const slowest = Math.max(...others);
  // Laid out here, the first of them would wait until it is done.
  assert.ok(others.length >= 3 && slowest < ms / 2, `${others.length} answers, ${slowest} of ${ms} ms`);
});

test('a part that is cut short is another where it would not have the line that is asked for', async () => {
  const asked = async (question: string): Promise<string> => (await request(mirror.app).get(path + question)).text;
  assert.doesNotMatch(await asked('?from=1'), /id="L4900"/);
  assert.match(await asked('?line=4900'), /id="L4900"/);
});
