import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { SampleBuild } from '../../demo/standin/sample.ts';
import { hasBlob } from '../../src/tree/blobs.ts';
import { kitemirror } from '../commands/scene.ts';
import { type Mirror, placeOf, startMirror } from './harness.ts';
import { buildOf, scriptOf, textArtifact } from './samples.ts';

let mirror: Mirror;
before(async () => {
  mirror = await startMirror({ env: { KITEMIRROR_VERIFY_RATE: 'off' } });
});
after(() => mirror.stop());

const run = (...words: string[]) => kitemirror(words, mirror.environment());

interface Report {
  sha256: string[];
  files: { pipeline: string; path: string; urls: string[] }[];
  purged: number;
  proof: { looked_at: number; left: string[] } | null;
  read_by: { ip: string; who: string | null; url: string; status: number }[];
}

async function purge(...words: string[]): Promise<{ code: number | null; found: Report; err: string }> {
  const { code, out, err } = await run('purge', '--json', ...words);
  assert.match(out, /^\{/, err);
  return { code, found: JSON.parse(out) as Report, err };
}

async function mirrored(change: Partial<SampleBuild>, ...texts: string[]): Promise<SampleBuild> {
  const build = {
    ...buildOf([texts.map((text, index) => textArtifact(`out/${index}.txt`, text))], { logBytes: 300 }),
    ...change,
  };
  mirror.standIn.put(build);
  await mirror.tell(build);
  await mirror.settled(build);
  return build;
}

function own(build: SampleBuild, artifact: number): string {
  return mirror.paths.jobFile(placeOf(build), scriptOf(build).id, `artifacts/out/${artifact}.txt`);
}

function address(build: SampleBuild, artifact: number): string {
  return `/acme/${build.pipeline.slug}/builds/${build.number}/jobs/${scriptOf(build).id}/artifacts/out/${artifact}.txt`;
}

describe('a purge', () => {
  it('by address removes the bytes from every build that shows them, and tells who was sent them', async () => {
    const builds = [await mirrored({}, 'a leaked key', 'harmless'), await mirrored({}, 'a leaked key')];
    const [first, second] = builds as [SampleBuild, SampleBuild];
    mkdirSync(mirror.paths.logs, { recursive: true });
    const line = (url: string, ip: string, status = 200): string =>
      `${JSON.stringify({ ts: '2026-01-01T00:00:00Z', id: 'x', ip, method: 'GET', url, query: '', status, bytes: '12', duration_us: 1, user_agent: 'curl', referer: '', subject: ip === '192.0.2.2' ? 'ann@example.com' : '-' })}\n`;
    const merged = `/acme/${second.pipeline.slug}/builds/${second.number}/artifacts/out/0.txt`;
    const others = line(address(first, 1), '192.0.2.9') + line(address(first, 0), '192.0.2.8', 404);
    writeFileSync(
      join(mirror.paths.logs, 'access.log'),
      `${line(address(first, 0).replace('out', '%6Fut'), '192.0.2.1')}${others}{"torn`,
    );
    writeFileSync(join(mirror.paths.logs, 'access.log.1.gz'), gzipSync(line(merged, '192.0.2.2', 206)));

    const folder = `${address(first, 0).split('/artifacts/')[0]}/artifacts/`;
    appendFileSync(
      join(mirror.paths.logs, 'access.log'),
      `\n${[
        ['archive', '192.0.2.5'],
        ['list', '192.0.2.6'],
      ]
        .map(([query, ip]) => JSON.stringify({ ...JSON.parse(line(folder, ip ?? '')), query }))
        .join('\n')}\n`,
    );

    const sha256 = mirror.job(first, scriptOf(first).id).artifacts[0]?.sha256 ?? '';
    const dry = await purge('--dry-run', `http://mirror.example${address(first, 0)}`);
    assert.deepEqual([dry.code, dry.found.sha256, dry.found.proof], [0, [sha256], null]);
    assert.ok(existsSync(own(first, 0)));
    const { code, found } = await purge(address(first, 0), '--reason', 'rotated');
    assert.deepEqual([code, found.proof?.left, found.purged], [0, [], 2]);
    assert.deepEqual(found.read_by.map(({ ip, who }) => `${ip} ${who}`).toSorted(), [
      '192.0.2.1 null',
      '192.0.2.2 ann@example.com',
      // All of the folder in an archive; who only listed it was sent nothing of the file.
      '192.0.2.5 null',
    ]);
    for (const build of builds) {
      assert.ok(!existsSync(own(build, 0)));
      assert.ok(!existsSync(join(mirror.paths.merged(placeOf(build)), 'out/0.txt')));
      const record = mirror.job(build, scriptOf(build).id).artifacts[0];
      assert.deepEqual([record?.state, record?.url, record?.reason], ['purged', null, 'removed by an operator']);
      assert.equal(mirror.build(build).complete, true);
    }
    assert.ok(!hasBlob(mirror.paths, sha256));
    assert.equal(readFileSync(own(first, 1), 'utf8'), 'harmless');
  });

  it('is for good: neither the same build nor another brings the bytes back', async () => {
    const build = await mirrored({}, 'never again');
    await purge(address(build, 0));
    const again = { ...build, finishedAt: (build.finishedAt ?? 0) + 5000 };
    mirror.standIn.put(again);
    await mirror.tell(again);
    await mirror.settled(again);
    assert.ok(!existsSync(own(build, 0)));
    const other = await mirrored({}, 'never again', 'something else');
    const record = mirror.job(other, scriptOf(other).id);
    assert.deepEqual(
      record.artifacts.map(({ state }) => state),
      ['purged', 'present'],
    );
    assert.ok(!existsSync(own(other, 0)));
    assert.equal(mirror.build(other).complete, true);
  });

  it('of a value takes every file that holds it and the value out of build data, and keeps it nowhere', async () => {
    const value = 'hunter2-"quoted"-secret';
    const build = await mirrored({ message: `deploy with ${value} please` }, `x=${value}\n`, 'clean');
    const input = join(dirname(mirror.paths.root), 'value.txt');
    writeFileSync(input, `${value}\n`);
    const { code, found } = await purge('--value', input);
    assert.deepEqual([code, found.proof?.left], [0, []]);
    assert.ok((found.proof?.looked_at ?? 0) > 10);
    assert.deepEqual(
      found.files.map(({ path }) => path).filter((path, at, all) => all.indexOf(path) === at),
      ['out/0.txt'],
    );
    assert.equal(mirror.build(build).message, 'deploy with [purged] please');
    const left = spawnSync('grep', ['-rlaF', 'hunter2-', mirror.paths.root], { encoding: 'utf8' });
    assert.equal(left.stdout, '');
    const again = { ...build, finishedAt: (build.finishedAt ?? 0) + 5000 };
    mirror.standIn.put(again);
    await mirror.tell(again);
    await mirror.settled(again);
    assert.equal(mirror.build(build).message, 'deploy with [purged] please');
  });

  it('cuts readers off at once, also while no worker runs, and is ended when one does', async () => {
    const build = await mirrored({}, 'cut off at once');
    const file = own(build, 0);
    await mirror.stopWorker();
    const purging = run('purge', address(build, 0));
    const deadline = Date.now() + 30_000;
    while ((statSync(file).mode & 0o777) !== 0 && Date.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(statSync(file).mode & 0o777, 0);
    await mirror.startWorker();
    const { code, out } = await purging;
    assert.equal(code, 0, out);
    assert.match(out, /nothing of it is left/);
    assert.ok(!existsSync(file));
  });

  it('refuses what names nothing, and leaves all as it is', async () => {
    const wrong: [string[], number, RegExp][] = [
      [[], 64, /name an address/],
      [['/acme/web/builds/1/../../../../etc/passwd'], 1, /no file of the mirror/],
      [['--digest', 'abc'], 1, /no SHA-256/],
    ];
    for (const [words, expected, said] of wrong) {
      const { code, err } = await run('purge', ...words);
      assert.equal(code, expected);
      assert.match(err, said);
    }
  });
});
