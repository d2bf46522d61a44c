import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { SampleBuild } from '../../demo/standin/sample.ts';
import { hasBlob } from '../../src/tree/blobs.ts';
import { writeJobRecord } from '../../src/tree/records.ts';
import { newTombstone, readTombstone, writeTombstone } from '../../src/tree/tombstones.ts';
import { kitemirror } from '../commands/scene.ts';
import { type Mirror, placeOf, startMirror } from './harness.ts';
import { buildOf, scriptOf, textArtifact, withScript } from './samples.ts';

let mirror: Mirror;
const rules = join(mkdtempSync(join(tmpdir(), 'kitemirror-rules-')), 'rules.json');
before(async () => {
  writeFileSync(rules, JSON.stringify({ rules: [{ pipelines: 'dropped', artifacts: { age: '30d' } }] }));
  mirror = await startMirror({ env: { KITEMIRROR_VERIFY_RATE: 'off', KITEMIRROR_RETENTION_RULES: rules } });
});
after(async () => {
  await mirror.stop();
  rmSync(dirname(rules), { recursive: true });
});

const run = (...words: string[]) => kitemirror(words, mirror.environment());

interface Report {
  sha256: string[];
  files: { pipeline: string; path: string; urls: string[] }[];
  purged: number;
  proof: { looked_at: number; left: string[] } | null;
  read_by: { ip: string; who: string | null; url: string; status: number; sure: boolean }[];
}

async function purge(...words: string[]): Promise<{ code: number | null; found: Report; err: string }> {
  const { code, out, err } = await run('purge', '--json', ...words);
  assert.match(out, /^\{/, err);
  return { code, found: JSON.parse(out) as Report, err };
}

/** @param build or changes to one that has a file for each text */
async function mirrored(change: SampleBuild | Partial<SampleBuild>, ...texts: string[]): Promise<SampleBuild> {
  const made = buildOf([texts.map((text, index) => textArtifact(`out/${index}.txt`, text))], { logBytes: 300 });
  const build = { ...made, ...change };
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

/** As Lighttpd writes it. */
function logLine(url: string, ip: string, status = 200): string {
  const common = { ts: '2026-01-01T00:00:00Z', id: 'x', ip, method: 'GET', url, query: '', status, bytes: '12' };
  return `${JSON.stringify({ ...common, duration_us: 1, user_agent: 'curl', referer: '', subject: '-' })}\n`;
}

function wasSent(url: string, ip: string): void {
  mkdirSync(mirror.paths.logs, { recursive: true });
  appendFileSync(join(mirror.paths.logs, 'access.log'), `\n${logLine(url, ip)}`);
}

const readers = ({ read_by: all }: Report): string[] =>
  all.map(({ ip, sure }) => `${ip}${sure ? '' : ' maybe'}`).toSorted();

describe('a purge tells who was sent the bytes', () => {
  it('also before the pipeline had its name', async () => {
    const of = (pipeline: string, number: number): SampleBuild =>
      buildOf([[textArtifact('out/0.txt', `renamed ${number}`)]], { pipeline, pipelineSeed: 'renamed', number });
    const before = of('old-name', 1);
    await mirrored(before);
    wasSent(address(before, 0), '198.51.100.1');
    await mirrored(of('new-name', 2));
    const now = { ...before, pipeline: of('new-name', 1).pipeline };
    assert.ok(existsSync(own(now, 0)));
    wasSent(address(now, 0), '198.51.100.2');
    const { code, found } = await purge(address(now, 0));
    assert.equal(code, 0);
    assert.deepEqual(readers(found), ['198.51.100.1 maybe', '198.51.100.2']);
  });

  it('also in views where a later attempt has its place now', async () => {
    const first = buildOf([[textArtifact('out/0.txt', 'of the first attempt')]]);
    await mirrored(first);
    const base = `/acme/${first.pipeline.slug}/builds/${first.number}`;
    const step = scriptOf(first).stepKey ?? '';
    wasSent(`${base}/artifacts/out/0.txt`, '198.51.100.3');
    wasSent(`${base}/steps/${step}/artifacts/out/0.txt`, '198.51.100.4');
    const [job] = [scriptOf(first)];
    const id = job.id.replace(/.$/, (last) => (last === 'f' ? 'e' : 'f'));
    const finishedAt = (first.finishedAt ?? 0) + 60_000;
    const artifacts = [textArtifact('out/0.txt', 'of the second attempt')];
    const again = { ...job, id, artifacts, startedAt: first.finishedAt, finishedAt: finishedAt - 1000 };
    const replaced = withScript(first, 0, { retriedInJobId: id });
    await mirrored({ ...replaced, finishedAt, jobs: [...replaced.jobs, again] });
    const merged = join(mirror.paths.merged(placeOf(first)), 'out/0.txt');
    assert.equal(readFileSync(merged, 'utf8'), 'of the second attempt');
    const { code, found } = await purge(address(first, 0));
    assert.equal(code, 0);
    assert.deepEqual(readers(found), ['198.51.100.3 maybe', '198.51.100.4 maybe']);
    assert.equal(readFileSync(merged, 'utf8'), 'of the second attempt');
  });

  it('also of files that retention has removed since', async () => {
    const aged = (number: number, days: number): SampleBuild =>
      buildOf([[textArtifact('out/0.txt', `dropped ${number}`)]], {
        ...{ pipeline: 'dropped', number, finishedAt: Date.now() - days * 86_400_000 },
      });
    const [old] = [await mirrored(aged(1, 40)), await mirrored(aged(2, 1))];
    const { sha256 } = mirror.job(old, scriptOf(old).id).artifacts[0] ?? {};
    wasSent(address(old, 0), '198.51.100.5');
    assert.equal((await run('retention')).code, 0);
    await mirror.idle();
    assert.equal(mirror.job(old, scriptOf(old).id).artifacts[0]?.url, null);
    const { code, found } = await purge('--digest', sha256 ?? '');
    assert.equal(code, 0);
    assert.deepEqual(readers(found), ['198.51.100.5 maybe']);
  });
});

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

  it('of a value keeps it out of what comes later, too, wherever it stands in it', async () => {
    const value = 'correct-horse-battery';
    const input = join(dirname(mirror.paths.root), 'later.txt');
    writeFileSync(input, `${value}\n`);
    assert.equal((await purge('--value', input)).code, 0);
    // Across the pieces that bytes come in, and at the very end.
    const large = Buffer.concat([Buffer.alloc(3 * 1024 * 1024 - 7, 'x'), Buffer.from(value)]);
    const build = buildOf([
      [
        textArtifact('out/0.txt', `the same again: ${value}!`),
        textArtifact('out/1.txt', 'nothing of it'),
        textArtifact('out/2.txt', '', { content: large }),
      ],
    ]);
    await mirrored(withScript(build, 0, { log: { content: Buffer.from(`echo\r\n${value}\r\nok\r\n`) } }));
    const record = mirror.job(build, scriptOf(build).id);
    assert.deepEqual(
      record.artifacts.map(({ path, state, url }) => [path, state, url === null]),
      [
        ['out/0.txt', 'purged', true],
        ['out/1.txt', 'present', false],
        ['out/2.txt', 'purged', true],
      ],
    );
    assert.deepEqual([record.log?.state, record.log?.url], ['purged', null]);
    assert.match(record.log?.reason ?? '', /holds a value that was removed by an operator/);
    assert.equal(mirror.build(build).complete, true);
    const left = spawnSync('grep', ['-rlaF', value, mirror.paths.root], { encoding: 'utf8' });
    assert.equal(left.stdout, '');
  });

  it('of a value takes what is named by it, too, and no later listing brings the name back', async () => {
    const value = 'leaked name 7';
    const named = (): SampleBuild =>
      buildOf([
        [
          textArtifact(`out/${value}.txt`, 'named by it'),
          textArtifact(`${value}/deep/report.txt`, 'below a folder of that name'),
          textArtifact('out/plain.txt', 'stays'),
        ],
      ]);
    const build = await mirrored(named());
    assert.ok(existsSync(join(mirror.paths.merged(placeOf(build)), value, 'deep/report.txt')));
    const input = join(dirname(mirror.paths.root), 'name.txt');
    writeFileSync(input, value);
    const { code, found } = await purge('--value', input);
    assert.deepEqual([code, found.proof?.left, found.purged], [0, [], 2]);
    const shown = new Set(found.files.flatMap(({ urls }) => urls));
    const base = `/acme/${build.pipeline.slug}/builds/${build.number}`;
    assert.ok(shown.has(`${base}/artifacts/${value}/deep/report.txt`) && !shown.has(`${base}/artifacts/out/plain.txt`));
    const again = { ...build, finishedAt: (build.finishedAt ?? 0) + 5000 };
    await mirrored(again);
    for (const each of [again, await mirrored(named())]) {
      const { artifacts, settled } = mirror.job(each, scriptOf(each).id);
      const said = artifacts.map(({ path, state, url }) => `${path}: ${state}${url === null ? '' : ', shown'}`);
      assert.deepEqual(
        said.toSorted((left, right) => (left < right ? -1 : 1)),
        ['[purged]/deep/report.txt: purged', 'out/[purged].txt: purged', 'out/plain.txt: present, shown'],
      );
      assert.deepEqual([settled, mirror.build(each).complete], [true, true]);
    }
    assert.equal(spawnSync('find', [mirror.paths.root, '-name', `*${value}*`], { encoding: 'utf8' }).stdout, '');
    const left = spawnSync('grep', ['-rlaE', 'leaked( |%20)name', mirror.paths.root], { encoding: 'utf8' });
    assert.equal(left.stdout, '');
  });

  it('of a value in names goes on where a run was ended, and does without a record that cannot be read', async () => {
    const value = 'leaked name 8';
    const named = (): SampleBuild => buildOf([[textArtifact(`out/${value}.txt`, 'named by it')]]);
    const [ended, damaged] = [await mirrored(named()), await mirrored(named())];
    // The one has its records done and nothing that is derived of them; the other's record tells nothing any more.
    const record = mirror.job(ended, scriptOf(ended).id);
    const artifacts = record.artifacts.map((each) => ({
      ...each,
      ...({ path: 'out/[purged].txt', state: 'purged', url: null, merged: false } as const),
    }));
    const [place, job] = [placeOf(ended), scriptOf(ended).id];
    rmSync(mirror.paths.jobFile(place, job, `artifacts/out/${value}.txt`));
    await writeJobRecord(mirror.paths, place, { ...record, present: record.present - 1, artifacts });
    writeFileSync(mirror.paths.jobFile(placeOf(damaged), scriptOf(damaged).id, 'job.json'), '{"torn');
    const begun = [`acme/${place.folder}/${place.number}`];
    const tombstone = { ...newTombstone({ sha256: [], literal: Buffer.from(value), reason: 'a test' }), begun };
    await writeTombstone(mirror.paths, tombstone);
    await mirror.queue.enqueue({ name: 'purge', payload: {} });
    await mirror.idle();
    assert.ok((await readTombstone(mirror.paths, tombstone.id))?.done_at);
    await mirror.settled(damaged);
    assert.equal(spawnSync('find', [mirror.paths.root, '-name', `*${value}*`], { encoding: 'utf8' }).stdout, '');
  });

  it('tells how many files it removed, whichever run of the workers came to them', async () => {
    const build = await mirrored({}, 'counted once', 'counted not');
    const sha256 = mirror.job(build, scriptOf(build).id).artifacts[0]?.sha256 ?? '';
    const tombstone = newTombstone({ sha256: [sha256], literal: null, reason: 'a test' });
    await writeTombstone(mirror.paths, tombstone);
    for (let run = 0; run < 2; run += 1) {
      await mirror.queue.enqueue({ name: 'purge', payload: {} });
      await mirror.idle();
      const done = await readTombstone(mirror.paths, tombstone.id);
      assert.ok(done?.done_at);
      assert.equal(done.files, 1);
      // As one that was ended before it could note that it is done.
      await writeTombstone(mirror.paths, { ...done, done_at: null });
    }
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
      [['--digest', 'abc'], 64, /no SHA-256/],
    ];
    for (const [words, expected, said] of wrong) {
      const { code, err } = await run('purge', ...words);
      assert.equal(code, expected);
      assert.match(err, said);
    }
  });
});
