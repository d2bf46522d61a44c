import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { after, before, test } from 'node:test';
import request from 'supertest';
import { readLogIndex, writeLogIndex } from '../../src/logs/index-file.ts';
import { indexLog } from '../../src/logs/index-log.ts';
import { sampleBuild, sampleJob } from '../pages/samples.ts';
import { openMirror, type TestMirror } from './mirror.ts';

let mirror: TestMirror;
before(() => {
  mirror = openMirror();
});
after(() => mirror.close());

/** @param lines how many, and how long each is @returns the address of the log's page */
async function addLog(number: number, lines: number, length: number): Promise<string> {
  const text = Array.from({ length: lines }, (_, at) => `line ${at + 1} `.padEnd(length - 1, 'x')).join('\n');
  const facts = { url: null, sha256: null, state: 'present' as const, reason: null, fetched_at: null };
  const job = sampleJob(number, { log: { ...facts, size: text.length } });
  const place = await mirror.add(sampleBuild([job], { number }), [job]);
  const file = mirror.paths.jobFile(place, job.id, 'log.txt');
  writeFileSync(file, text);
  await writeLogIndex(mirror.paths, place, job.id, (await indexLog(file, text.length)).index);
  return `/acme/web/builds/${number}/jobs/${job.id}/log/`;
}

const page = async (path: string): Promise<string> => (await request(mirror.app).get(path).expect(200)).text;

/** The lines that a page has, from 1. */
const linesOf = (text: string): number[] =>
  Array.from(text.matchAll(/<div class="line[^>]* id="L(\d+)"/g), ([, n]) => Number(n));

for (const [number, what, lines, length] of [
  [1, 'a short log', 100, 20],
  [2, 'few lines that are more than one page has', 3000, 500],
  [3, 'lines of which a part has fewer than others', 5000, 2500],
  [4, 'lines of a megabyte', 12, 1e6],
] as const) {
  test(`a hit leads to a page that has its line: ${what}`, { timeout: 60_000 }, async () => {
    const log = await addLog(number, lines, length);
    const line = Math.ceil(lines * 0.9);
    const hits = await page(`${log}?q=${encodeURIComponent(`line ${line} `)}`);
    const links = Array.from(
      hits.matchAll(/<a href="([^"]+)#L(\d+)">\2<\/a>/g),
      ([, href = '', of]) => [href, Number(of)] as const,
    );
    assert.ok(links.length > 0);
    for (const [href, of] of links) {
      const shown = linesOf(
        await page(new URL(href, `http://mirror.test${log}`).href.slice('http://mirror.test'.length)),
      );
      assert.ok(shown.includes(of), `${href} shows ${shown[0]} to ${shown.at(-1)}`);
    }
  });
}

test('a part that has a line has what is above it too, and there is none of a line that there is not', async () => {
  const log = await addLog(5, 30_000, 10);
  const shown = async (line: number): Promise<(number | undefined)[]> => {
    const found = linesOf(await page(`${log}?line=${line}`));
    return [found[0], found.at(-1)];
  };
  assert.deepEqual(await shown(1), [1, 5000]);
  assert.deepEqual(await shown(5000), [1, 5000]);
  assert.deepEqual(await shown(5001), [4001, 9000]);
  assert.deepEqual(await shown(30_000), [29_000, 30_000]);
  await request(mirror.app).get(`${log}?line=30001`).expect(404);
  // Where the log's own page has the line, it has the script too.
  const [place, job] = [{ organization: 'acme', folder: 'web', number: 5 }, log.split('/').at(-3) ?? ''];
  const index = await readLogIndex(mirror.paths, place, job);
  assert.ok(index !== null);
  await writeLogIndex(mirror.paths, place, job, { ...index, shown: 400 });
  assert.deepEqual(await shown(400), [1, 5000]);
  assert.equal(linesOf(await page(log))[0], 1);
  const own = mirror.paths.page('acme', 'web', 'builds', '5', 'jobs', job, 'log');
  mkdirSync(dirname(own), { recursive: true });
  writeFileSync(own, 'its own page');
  await request(mirror.app).get(`${log}?line=400`).expect(302).expect('Location', `${log}#L400`);
  assert.deepEqual(await shown(401), [1, 5000]);
  await request(mirror.app).get(`${log}?line=0`).expect(400);
});
