import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { crc32, inflateSync } from 'node:zlib';
import { sampleBuilds } from '../../demo/samples/builds.ts';
import { sha1Of, sizeOf } from '../../demo/standin/bytes.ts';
import { isScript, type SampleArtifact, type SampleBuild, type ScriptJob } from '../../demo/standin/sample.ts';
import { ask, buildPath, home, type Row, rows, started } from './ask.ts';

const now = Date.UTC(2026, 7, 20, 12);
const builds = sampleBuilds({ now });
const scripts: ScriptJob[] = builds.flatMap((build) => build.jobs.filter(isScript));
const artifacts: SampleArtifact[] = scripts.flatMap((job) => job.artifacts);

function build(pipeline: string, number: number): SampleBuild {
  const found = builds.find((each) => each.pipeline.slug === pipeline && each.number === number);
  assert.ok(found);
  return found;
}

function textOf(artifact: SampleArtifact | undefined): string {
  assert.ok(artifact?.content instanceof Uint8Array);
  return Buffer.from(artifact.content).toString();
}

describe('the sample builds', () => {
  it('are a handful with some hundred artifacts, over before now, each with ids of its own', () => {
    assert.ok(builds.length >= 8 && builds.length <= 12);
    assert.ok(artifacts.length >= 150 && artifacts.length <= 400);
    assert.ok(builds.every((each) => each.finishedAt !== null && each.finishedAt < now));
    const ids = [...builds, ...builds.flatMap((each) => each.jobs), ...artifacts].map((each) => each.id);
    assert.equal(new Set(ids).size, ids.length);
    for (const job of scripts) {
      const paths = job.artifacts.map((artifact) => artifact.path);
      assert.equal(new Set(paths).size, paths.length, job.name);
    }
  });

  it('are the same for the same time', () => {
    assert.deepEqual(sampleBuilds({ now }), builds);
  });

  it('have what a team has: two branches, a pull request, a fork, a retry, a matrix, a gate, a trigger', () => {
    const branches = new Set(builds.map((each) => each.branch));
    assert.ok(branches.has('main') && branches.has('feature/checkout-redesign') && branches.has('lena-dev:main'));
    assert.equal(builds.filter((each) => each.pullRequest !== null).length, 2);
    assert.ok(builds.some((each) => each.state === 'failed') && builds.some((each) => each.blocked));
    const replaced = scripts.find((job) => job.retriedInJobId !== null);
    const next = scripts.find((job) => job.id === replaced?.retriedInJobId);
    assert.deepEqual([replaced?.state, next?.state, next?.retrySource?.jobId], ['failed', 'passed', replaced?.id]);
    assert.equal(
      new Set(
        build('web', 1405)
          .jobs.filter(isScript)
          .map((job) => JSON.stringify(job.matrix)),
      ).size,
      7,
    );
    const types = new Set(build('web', 1405).jobs.map((job) => job.type));
    assert.deepEqual([...types].toSorted(), ['manual', 'script', 'trigger', 'waiter']);
    assert.ok(artifacts.some((artifact) => artifact.state === 'error'));
    assert.ok(artifacts.some((artifact) => sizeOf(artifact.content) === 48 * 1024 * 1024));
    assert.ok(artifacts.some((artifact) => sizeOf(artifact.content) === 0));
    assert.ok(artifacts.some((artifact) => artifact.path.startsWith('.next/')));
  });

  it('hold pictures that are whole PNGs', () => {
    const pictures = artifacts.filter((artifact) => artifact.path.endsWith('.png'));
    assert.ok(new Set(pictures.map((artifact) => sha1Of(artifact.content))).size >= 8);
    for (const { content } of pictures.slice(0, 12)) {
      assert.ok(Buffer.isBuffer(content));
      const [width, height] = [content.readUInt32BE(16), content.readUInt32BE(20)];
      const data = content.subarray(41, content.length - 16);
      assert.equal(content.readUInt32BE(33), data.length);
      assert.equal(content.readUInt32BE(content.length - 16), crc32(content.subarray(37, content.length - 16)));
      assert.equal(inflateSync(data).length, (width * 3 + 1) * height);
    }
  });

  it('tell of a failed test alike in XML and in the log', () => {
    const failed = build('web', 1402)
      .jobs.filter(isScript)
      .find((job) => job.exitStatus === 1);
    assert.ok(failed?.log);
    const xml = textOf(failed.artifacts.find((artifact) => artifact.path === 'test-results/junit.xml'));
    assert.match(xml, /<testsuites name="web" tests="28" failures="2"/);
    assert.equal(xml.match(/<failure /g)?.length, 2);
    assert.ok(!/&(?!amp;|lt;|gt;|quot;)/.test(xml));
    const log = Buffer.from(failed.log.content as Uint8Array).toString();
    assert.match(log, /2 failed/);
    for (const part of ['~~~ ', '--- ', '^^^ +++', '\u001b[31m', '\r\u001b[K']) assert.ok(log.includes(part), part);
    for (const line of log.split('\r\n').slice(0, -1)) {
      assert.equal(line.slice(0, 7) + line.slice(20, 21), '\u001b_bk;t=\u0007');
    }
  });

  it('hold a report whose every link leads to one of its files', () => {
    const report = build('web', 1405)
      .jobs.filter(isScript)
      .find((job) => job.stepKey === 'report');
    const paths = new Set(report?.artifacts.map((artifact) => artifact.path));
    let links = 0;
    for (const artifact of report?.artifacts.filter(({ path }) => path.endsWith('.html')) ?? []) {
      for (const [, link = ''] of textOf(artifact).matchAll(/(?:href|src)="([^"]+)"/g)) {
        const target = new URL(link, `http://report/${artifact.path}`).pathname.slice(1);
        assert.ok(paths.has(target), `${artifact.path} → ${link}`);
        links += 1;
      }
    }
    assert.ok(links > 30);
  });

  it('write one path in several jobs with different bytes', () => {
    const shared = build('web', 1405)
      .jobs.filter(isScript)
      .flatMap((job) => job.artifacts);
    const coverage = shared.filter((artifact) => artifact.path === 'coverage/lcov.info');
    assert.equal(new Set(coverage.map((artifact) => sha1Of(artifact.content))).size, 6);
  });

  it('come out of the stand-in as they went in', async (t) => {
    const standIn = await started(t);
    for (const each of builds) standIn.put(each);
    assert.equal((await rows(standIn, `${home}/builds?per_page=100`)).length, builds.length);
    const retried = build('web', 1403);
    for (const job of retried.jobs.filter(isScript)) {
      for (const listed of await rows(standIn, `${buildPath(retried)}/jobs/${job.id}/artifacts?per_page=100`)) {
        const download = await ask(standIn, String(listed.download_url));
        const link = (await download.json()) as Row;
        if (listed.state === 'error') {
          assert.equal(download.status, 404);
          continue;
        }
        const bytes = Buffer.from(await (await ask(standIn, String(link.url))).arrayBuffer());
        assert.equal(createHash('sha1').update(bytes).digest('hex'), listed.sha1sum, String(listed.path));
      }
    }
  });
});
