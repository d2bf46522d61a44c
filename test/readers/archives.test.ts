import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { crc32 } from 'node:zlib';
import request from 'supertest';
import type { ArtifactRecord } from '../../src/model.ts';
import { layZip, type ZipFile } from '../../src/tree/zip.ts';
import { sampleArtifact, sampleBuild, sampleJob, uuid } from '../pages/samples.ts';
import { openMirror, type TestMirror } from './mirror.ts';

const folder = mkdtempSync(join(tmpdir(), 'kitemirror-zip-'));
const job = uuid(1);
const base = '/acme/web/builds/42';
const contents: Record<string, Buffer> = {
  'report/index.html': Buffer.from('<h1>report</h1>'),
  'report/a b/ü#?.txt': Buffer.from('umlaut'),
  'empty.txt': Buffer.alloc(0),
  'large.bin': Buffer.alloc(3_000_000, 'kite'),
};
let mirror: TestMirror;

before(async () => {
  mirror = openMirror();
  const artifacts = Object.entries(contents).map(([path, bytes], index): ArtifactRecord => {
    // One record is of before there were such sums.
    const sum = index === 1 ? {} : { crc32: crc32(bytes).toString(16).padStart(8, '0') };
    return { ...sampleArtifact(job, index, path), size: bytes.length, ...sum };
  });
  const jobs = [sampleJob(1, { artifacts })];
  const place = await mirror.add(sampleBuild(jobs), jobs);
  for (const [path, bytes] of Object.entries(contents)) {
    const file = mirror.paths.jobFile(place, job, `artifacts/${path}`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, bytes);
  }
});
after(() => {
  mirror.close();
  rmSync(folder, { recursive: true });
});

async function download(path: string, headers: Record<string, string> = {}) {
  return request(mirror.app)
    .get(path)
    .set(headers)
    .buffer(true)
    .parse((response, done) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => done(null, Buffer.concat(chunks)));
    });
}

/** What unzip makes of it. */
function unpack(archive: Buffer): Map<string, Buffer> {
  const file = join(folder, 'a.zip');
  const into = mkdtempSync(join(folder, 'out-'));
  writeFileSync(file, archive);
  const { status, stdout, stderr } = spawnSync('unzip', ['-o', file, '-d', into], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C.UTF-8' },
  });
  assert.equal(status, 0, stdout + stderr);
  const names = Array.from(stdout.matchAll(/(?:extracting|inflating): (.*?)\s*$/gm), ([, name = '']) => name);
  return new Map(names.map((name) => [name.slice(into.length + 1), readFileSync(name)]));
}

test('all artifacts of a build, and a folder of a job’s, come as an archive of known length', async () => {
  const all = await download(`${base}/artifacts/?archive`);
  assert.equal(all.status, 200);
  assert.equal(all.get('Content-Type'), 'application/zip');
  assert.equal(Number(all.get('Content-Length')), all.body.length);
  assert.match(all.get('Content-Disposition') ?? '', /web-42-artifacts\.zip/);
  const files = unpack(all.body);
  assert.deepEqual([...files.keys()].toSorted(), Object.keys(contents).toSorted());
  for (const [name, bytes] of files) assert.ok(bytes.equals(contents[name] ?? Buffer.from('?')), name);
  const part = unpack((await download(`${base}/jobs/${job}/artifacts/report/?archive`)).body);
  assert.deepEqual([...part.keys()].toSorted(), ['a b/ü#?.txt', 'index.html']);
});

test('a broken download goes on where it ended, and any range is the same bytes', async () => {
  const address = `${base}/artifacts/?archive`;
  const whole = await download(address);
  const etag = whole.get('ETag') ?? '';
  const size = whole.body.length;
  for (const [from, to] of [
    [0, 0],
    [10, 99],
    [100, 2_000_000],
    [size - 300, size - 1],
    [0, size - 1],
  ] as const) {
    const part = await download(address, { Range: `bytes=${from}-${to}`, 'If-Range': etag });
    assert.deepEqual([part.status, part.get('Content-Range')], [206, `bytes ${from}-${to}/${size}`]);
    assert.ok(part.body.equals(whole.body.subarray(from, to + 1)), `${from}-${to}`);
  }
  assert.equal((await download(address, { Range: 'bytes=5-', 'If-Range': '"other"' })).status, 200);
  assert.equal((await download(address, { Range: `bytes=${size}-` })).status, 416);
  assert.equal((await download(address, { 'If-None-Match': etag })).status, 304);
  const head = await request(mirror.app).head(address);
  assert.deepEqual([head.status, head.get('Content-Length')], [200, String(size)]);
});

test('folders of records, empty and unknown ones have no archive', async () => {
  for (const path of ['/jobs/?archive', '/artifacts/none/?archive', `/jobs/${job}/?archive`, '/steps/?archive'])
    assert.ok(
      [200, 404].includes((await download(base + path)).status) &&
        (await download(base + path)).get('Content-Type') !== 'application/zip',
      path,
    );
});

test('sums that are made first are a reader’s three as well', { timeout: 120_000 }, async () => {
  const old = Array.from({ length: 2 }, (_, index) =>
    sampleArtifact(uuid(45), 50 + index, `old-${index}.bin`, { size: 64 * 2 ** 20 }),
  );
  const jobs = [sampleJob(45, { artifacts: old })];
  const place = await mirror.add(sampleBuild(jobs, { number: 45, id: uuid(145) }), jobs);
  mkdirSync(join(mirror.paths.job(place, uuid(45)), 'artifacts'));
  for (const { path, size } of old) {
    const fd = openSync(mirror.paths.jobFile(place, uuid(45), `artifacts/${path}`), 'w');
    ftruncateSync(fd, size);
    closeSync(fd);
  }
  const url = '/acme/web/builds/45/artifacts/?archive';
  const statuses = await Promise.all(
    [1, 2, 3, 4].map(async () => (await request(mirror.app).head(url).buffer(false)).status),
  );
  assert.deepEqual(
    [200, 429].map((status) => statuses.filter((each) => each === status).length),
    [3, 1],
  );
});

test('a reader gets three at once; the fourth is asked to wait, and has its turn when one is done', {
  timeout: 60_000,
}, async () => {
  const big = sampleArtifact(job, 9, 'sparse.bin', { size: 256 * 2 ** 20, crc32: '00000000' });
  const jobs = [sampleJob(1, { artifacts: [big] })];
  const place = await mirror.add(sampleBuild(jobs, { number: 43, id: uuid(43) }), jobs);
  mkdirSync(join(mirror.paths.job(place, job), 'artifacts'));
  const fd = openSync(mirror.paths.jobFile(place, job, 'artifacts/sparse.bin'), 'w');
  ftruncateSync(fd, big.size);
  closeSync(fd);
  const server = createServer(mirror.app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/acme/web/builds/43/artifacts/?archive`;
  const ask = async (headers: Record<string, string> = {}): Promise<IncomingMessage> => {
    const [response] = (await once(get(url, { agent: false, headers }), 'response')) as [IncomingMessage];
    return response;
  };
  // Nobody reads them, so they are on their way as long as we like.
  const held = await Promise.all([ask(), ask(), ask()]);
  const refused = await ask();
  assert.deepEqual([held.map(({ statusCode }) => statusCode), refused.statusCode], [[200, 200, 200], 429]);
  assert.ok(Number(refused.headers['retry-after']) > 0);
  // What a reader says of its own address makes no other reader of it; what the gate says of it does.
  const forged = await ask({ 'X-Forwarded-For': '198.51.100.1' });
  const other = await ask({ 'X-Kitemirror-Address': '198.51.100.1' });
  assert.deepEqual([forged.statusCode, other.statusCode], [429, 200]);
  held[0]?.destroy();
  let again = await ask();
  const until = Date.now() + 30_000;
  while (again.statusCode === 429 && Date.now() < until) again = await ask();
  assert.equal(again.statusCode, 200);
  for (const response of [...held, refused, forged, other, again]) response.destroy();
  server.closeAllConnections();
  server.close();
});

test('more than 65,535 files, and files of more than 4 GiB, are listed as they are', async () => {
  const many = Array.from(
    { length: 66_000 },
    (_, index): ZipFile => ({ name: `f/${index}`, size: 0, crc32: 0, file: '/nowhere' }),
  );
  const large = ['a', 'b'].map((name): ZipFile => ({ name, size: 3 * 2 ** 30, crc32: 1, file: '/nowhere' }));
  const sets: [number, ZipFile[], RegExp][] = [
    [0, many, / 66000 files/],
    // The files' own bytes are left out: the list is behind them.
    [11 * 2 ** 30, [...large, { name: 'c', size: 5 * 2 ** 30, crc32: 2, file: '/nowhere' }], /\n11811160064 +3 files/],
  ];
  for (const [bytes, files, expected] of sets) {
    const zip = layZip(files, new Date('2026-11-25T10:00:00Z'));
    const file = join(folder, 'listed.zip');
    const fd = openSync(file, 'w');
    ftruncateSync(fd, zip.size);
    let at = bytes === 0 ? 0 : bytes + 3 * 31 + 20;
    for await (const part of zip.read(at, zip.size - 1)) at += writeSync(fd, part, 0, part.length, at);
    closeSync(fd);
    const { stdout } = spawnSync('unzip', ['-l', file], { encoding: 'utf8', maxBuffer: 1 << 26 });
    assert.match(stdout, expected);
    assert.match(stdout, /2026-11-25 10:00/);
  }
});
