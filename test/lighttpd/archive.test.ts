/** "Download all" as a reader has it: the gateway writes the archive, and Lighttpd passes it on. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { sampleArtifact, sampleBuild, sampleJob, uuid } from '../pages/samples.ts';
import { type Answer, ask } from './ask.ts';
import { type ReaderSite, startReaderSite } from './reader-site.ts';
import { build, put } from './site.ts';

const job = uuid(1);
const contents = {
  'report/index.html': Buffer.from('<h1>report</h1>'),
  'empty.txt': Buffer.alloc(0),
  // More than Lighttpd holds in memory of an answer.
  'large.bin': Buffer.alloc(8 * 2 ** 20, 'kitemirror'),
};
const folder = mkdtempSync(join(tmpdir(), 'kitemirror-archive-'));
let reader: ReaderSite;

before(async () => {
  reader = await startReaderSite();
  const files = Object.entries(contents);
  const artifacts = files.map(([path, bytes], at) => sampleArtifact(job, at, path, { size: bytes.length }));
  const jobs = [sampleJob(1, { artifacts })];
  const place = await reader.add(sampleBuild(jobs), jobs);
  const { paths } = reader.site;
  for (const [path, bytes] of files) put(paths, paths.jobFile(place, job, `artifacts/${path}`), bytes);
});
after(async () => {
  await reader.close();
  rmSync(folder, { recursive: true });
});

const download = (headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> =>
  ask(reader.site.port, `${build}/artifacts/?archive`, { method, headers });

it('all artifacts of a build come through Lighttpd as one archive of known length, whole or in parts', async () => {
  const { status, headers, body } = await download();
  assert.deepEqual([status, headers['content-type']], [200, 'application/zip']);
  assert.deepEqual([headers['content-length'], headers['transfer-encoding']], [String(body.length), undefined]);
  assert.match(String(headers['content-disposition']), /web-42-artifacts\.zip/);
  const head = await download({}, 'HEAD');
  assert.deepEqual([head.status, head.headers['content-length']], [200, String(body.length)]);

  const file = join(folder, 'all.zip');
  writeFileSync(file, body);
  execFileSync('unzip', ['-q', file, '-d', folder]);
  for (const [path, bytes] of Object.entries(contents)) assert.ok(readFileSync(join(folder, path)).equals(bytes), path);

  const size = body.length;
  const known = { 'If-Range': String(headers.etag) };
  for (const [range, from, to] of [
    ['0-0', 0, 0],
    ['20-5000000', 20, 5_000_000],
    [`${size - 300}-`, size - 300, size - 1],
    ['-100', size - 100, size - 1],
  ] as const) {
    const part = await download({ Range: `bytes=${range}`, ...known });
    assert.deepEqual([part.status, part.headers['content-range']], [206, `bytes ${from}-${to}/${size}`]);
    assert.equal(part.headers['content-length'], String(to - from + 1));
    assert.ok(part.body.equals(body.subarray(from, to + 1)), range);
  }
  assert.equal((await download({ Range: `bytes=${size}-` })).status, 416);
  assert.equal((await download({ Range: 'bytes=5-', 'If-Range': '"other"' })).body.length, size);
});
