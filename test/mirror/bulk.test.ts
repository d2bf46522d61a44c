/** Links in bulk, as a real worker uses them: which way each artifact comes, and what happens when one leads nowhere. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { FaultRule } from '../../demo/standin/faults.ts';
import type { Mirror } from './harness.ts';
import { artifactOf, newBuild, scriptOf, withArtifact } from './samples.ts';
import { until } from './until.ts';
import { asked, checkBytes, mirrorBy, mirrored, spentAttempts, started } from './ways.ts';

describe('a build whose links are to be had', () => {
  for (const way of ['graphql', 'portal'] as const) {
    it(`by ${way} costs no request for any of its artifacts`, async (t) => {
      const mirror = await started(t, way);
      const build = newBuild({ jobs: 12, artifactsPerJob: 20 });
      const record = await mirrored(mirror, build);
      assert.deepEqual([record.complete, record.present], [true, 12 * 21]);
      const { links, ...others } = asked(mirror);
      assert.equal(links, 0);
      assert.ok(others[way] >= 1 && others[way] <= 6, JSON.stringify(others));
      checkBytes(mirror, build);
    });
  }

  it('by REST alone costs one for each', async (t) => {
    const mirror = await started(t, 'rest');
    const build = newBuild({ jobs: 3, artifactsPerJob: 5 });
    const record = await mirrored(mirror, build);
    assert.equal(record.complete, true);
    const { links, graphql, portal: byPortal } = asked(mirror);
    assert.deepEqual([links, graphql, byPortal], [15, 0, 0]);
    checkBytes(mirror, build);
  });

  for (const way of ['portal', 'graphql', 'rest'] as const) {
    it(`is listed once by ${way}, though told of again minutes later, before it is mirrored`, async (t) => {
      let laterMs = 0;
      const mirror = await started(t, way, { standIn: { now: () => Date.now() + laterMs } });
      mirror.standIn.latency.storageMs = 5000;
      const build = newBuild({ jobs: 4, artifactsPerJob: 3 });
      mirror.standIn.put(build);
      const readings = (): number =>
        mirror.standIn.requests.filter(({ path }) => /[/]builds[/]\d+[?]/.test(path)).length;
      for (const reading of [1, 2]) {
        if (reading === 2) laterMs = 4 * 60_000;
        await mirror.tell(build);
        await until(() => readings() === reading, `reading ${reading}`);
        await until(() => mirror.standIn.requests.some(({ at }) => at === 'storage'), 'the jobs to be at work');
      }
      const record = await mirror.settled(build);
      assert.deepEqual([record.complete, record.present], [true, 4 * 4]);
      const lists = mirror.standIn.requests.filter(({ path }) => path.includes('/artifacts?'));
      const { points } = asked(mirror);
      if (way === 'rest') assert.equal(lists.length, 1);
      else assert.ok(points > 0 && points < 2 * 4 * (3 + 3), `${points} points`);
      checkBytes(mirror, build);
    });
  }

  it('by a portal of many small jobs costs few requests besides the logs', { timeout: 120_000 }, async (t) => {
    const mirror = await started(t, 'portal');
    const build = newBuild({ jobs: 60, artifactsPerJob: 3 });
    const record = await mirrored(mirror, build);
    assert.equal(record.complete, true);
    const { rest, portal: byPortal, links } = asked(mirror);
    assert.equal(links, 0);
    assert.ok(rest + byPortal <= 60 + 25, `${rest} REST, ${byPortal} portal`);
  });
});

describe('a link that is no good', () => {
  let mirror: Mirror;
  before(async () => {
    mirror = await mirrorBy('portal');
  });
  beforeEach(() => {
    mirror.standIn.requests.length = 0;
    mirror.standIn.faults.clear();
  });
  after(() => mirror.stop());

  const cases: { name: string; faults: FaultRule[]; asked: number }[] = [
    { name: 'has expired', faults: [{ at: 'storage', kind: 'expired', times: 2 }], asked: 2 },
    {
      name: 'leads to another artifact',
      faults: [{ at: 'portal', kind: 'wrongUrl', artifacts: 'file-2', times: 9 }],
      asked: 4,
    },
    {
      name: 'leads to a host that is not allowed',
      faults: [{ at: 'portal', kind: 'wrongUrl', to: 'http://192.0.2.1/x', times: 9 }],
      asked: 4,
    },
    {
      name: 'is missing',
      faults: [{ at: 'portal', kind: 'partial', as: 'noUrl', artifacts: 'file-3', times: 9 }],
      asked: 4,
    },
    {
      name: 'came with an error',
      faults: [{ at: 'portal', kind: 'partial', as: 'error', artifacts: 'file-3', times: 9 }],
      asked: 4,
    },
    {
      name: 'leads to bytes that are gone',
      faults: [{ at: 'storage', kind: 'status', status: 404, times: 1 }],
      asked: 1,
    },
  ];
  for (const { name, faults, asked: byRest } of cases) {
    it(`because it ${name} costs a request by REST, no attempt, and no other artifact`, async () => {
      const build = newBuild({ jobs: 4, artifactsPerJob: 5 });
      for (const fault of faults) mirror.standIn.faults.add(fault);
      const record = await mirrored(mirror, build);
      assert.deepEqual([record.complete, record.present], [true, 24]);
      assert.equal(asked(mirror).links, byRest);
      assert.deepEqual(spentAttempts(mirror), []);
      checkBytes(mirror, build);
    });
  }

  it('and a SHA-256 that the bytes do not have leave the artifact failed, with what was stated and what came', async () => {
    const stated = 'ab'.repeat(32);
    const plain = newBuild({ jobs: 1, artifactsPerJob: 4 });
    const build = withArtifact(plain, 0, 1, { claims: { sha256: stated } });
    mirror.standIn.put(build);
    await mirror.tell(build);
    const { id } = artifactOf(build, 1);
    const record = await mirror.jobRecord(build, scriptOf(build).id, ({ artifacts }) =>
      artifacts.some((artifact) => artifact.id === id && artifact.state === 'failed'),
    );
    const failed = record.artifacts.find((artifact) => artifact.id === id);
    assert.match(failed?.reason ?? '', new RegExp(`upstream states ${stated} and sent [0-9a-f]{64}`));
    assert.equal(failed?.sha256, null);
  });
});
