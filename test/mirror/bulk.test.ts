/** Links in bulk, as a real worker uses them: which way each artifact comes, and what happens when one leads nowhere. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it, type TestContext } from 'node:test';
import type { FaultRule } from '../../demo/standin/faults.ts';
import type { SampleBuild } from '../../demo/standin/sample.ts';
import type { StandInOptions } from '../../demo/standin/standin.ts';
import { graphqlToken } from '../../demo/standin/tokens.ts';
import { bulkDocument } from '../../src/buildkite/bulk-query.ts';
import { digestFile, type Mirror, placeOf, startMirror } from './harness.ts';
import { artifactOf, newBuild, scriptOf, scriptsOf, withArtifact } from './samples.ts';

const portal = { slug: 'kitemirror', token: `bkpat_${'cd'.repeat(27)}`, document: bulkDocument };
type Way = 'graphql' | 'portal' | 'rest';

/** A mirror of which the first worker has ended: its ways are set when the addresses are known. */
async function mirrorBy(way: Way | 'both', standIn: StandInOptions = {}, more = {}): Promise<Mirror> {
  const mirror = await startMirror({ standIn: { portals: [portal], ...standIn } });
  await mirror.stopWorker();
  const byPortal = {
    BUILDKITE_PORTAL_URL: mirror.standIn.portalUrl(portal.slug),
    BUILDKITE_PORTAL_TOKEN: portal.token,
  };
  await mirror.startWorker({
    BUILDKITE_GRAPHQL_URL: mirror.standIn.graphqlUrl,
    BUILDKITE_GRAPHQL: way === 'graphql' || way === 'both' ? 'on' : 'off',
    BUILDKITE_API_TOKEN: graphqlToken.token,
    ...(way === 'portal' || way === 'both' ? byPortal : {}),
    ...more,
  });
  return mirror;
}

async function started(t: TestContext, ...[way, standIn, more]: Parameters<typeof mirrorBy>): Promise<Mirror> {
  const mirror = await mirrorBy(way, standIn, more);
  t.after(() => mirror.stop());
  return mirror;
}

async function mirrored(mirror: Mirror, build: SampleBuild) {
  mirror.standIn.put(build);
  await mirror.tell(build);
  return mirror.settled(build);
}

function asked(mirror: Mirror) {
  const { requests } = mirror.standIn;
  return {
    rest: requests.filter(({ at }) => at === 'api').length,
    links: requests.filter(({ at, path }) => at === 'api' && path.endsWith('/download')).length,
    graphql: requests.filter(({ at }) => at === 'graphql').length,
    portal: requests.filter(({ at }) => at === 'portal').length,
  };
}

/** Every byte of the build is what upstream has, and each record has the SHA-256 of its file. */
function checkBytes(mirror: Mirror, build: SampleBuild): void {
  for (const job of scriptsOf(build)) {
    for (const { sha256, path, state } of mirror.job(build, job.id).artifacts) {
      assert.equal(state, 'present', path);
      assert.equal(digestFile(mirror.paths.jobFile(placeOf(build), job.id, `artifacts/${path}`)), sha256);
    }
  }
}

const spentAttempts = (mirror: Mirror): string[] =>
  mirror.output.filter((line) => line.includes('not complete yet') || line.includes('task has failed'));

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
