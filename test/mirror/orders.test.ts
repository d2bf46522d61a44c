/** Deliveries in any order, doubled, late or missing: the tree that comes of them is the same. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import type { SampleBuild, ScriptJob } from '../../demo/standin/sample.ts';
import { digestTree, type Mirror, placeOf, startMirror } from './harness.ts';
import { newBuild, scriptsOf, textArtifact } from './samples.ts';

let mirror: Mirror;
before(async () => {
  mirror = await startMirror({ env: { KITEMIRROR_RECONCILE_SECONDS: '1' } });
});
after(() => mirror.stop());

/** Two jobs with files on one path, the second of them retried once: what the merged view shows depends on all three. */
function aBuild(): SampleBuild {
  const build = newBuild({ jobs: 2, artifactsPerJob: 0, finishedAt: Date.now() - 20_000 });
  const [first, second] = scriptsOf(build);
  if (first === undefined || second === undefined) throw new Error('two jobs');
  const retry: ScriptJob = {
    ...second,
    id: second.id.replace(/^.{8}/, 'ffffffff'),
    finishedAt: (second.finishedAt ?? 0) + 500,
    artifacts: [textArtifact('report.txt', 'of the retry'), textArtifact('retry.txt', 'retry')],
  };
  const jobs = [
    { ...first, artifacts: [textArtifact('report.txt', 'of the first'), textArtifact('first.txt', 'first')] },
    { ...second, retriedInJobId: retry.id, artifacts: [textArtifact('report.txt', 'of the second')] },
    retry,
  ];
  return { ...build, jobs };
}

/** What a build's tree holds, without what no two builds share: ids and times. */
async function shapeOf(build: SampleBuild): Promise<unknown> {
  const { paths } = mirror;
  const place = placeOf(build);
  const jobs = scriptsOf(build).map(({ id }) => {
    const { artifacts, log, expected, present, settled, retried } = mirror.job(build, id);
    const files = artifacts.map(({ path, state, sha256, merged }) => ({ path, state, sha256, merged }));
    return { files, log: log?.sha256, expected, present, settled, retried };
  });
  return { jobs, merged: await digestTree(paths.merged(place)), complete: mirror.build(build).complete };
}

test('deliveries in any order, doubled and missing come to the same tree', { timeout: 220_000 }, async () => {
  let expected: unknown = null;
  // 0: the build's end · 1, 2, 3: the end of a job. What is left out entirely is found by comparing.
  const deliveries = fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.boolean()), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(deliveries, async (told) => {
      const build = aBuild();
      mirror.standIn.put(build);
      const jobs = scriptsOf(build);
      for (const [which, waits] of told) {
        await mirror.tell(build, which === 0 ? undefined : jobs[which - 1]);
        if (waits) await mirror.idle();
      }
      await mirror.settled(build);
      const shape = await shapeOf(build);
      expected ??= shape;
      assert.deepEqual(shape, expected);
    }),
    {
      numRuns: 12,
      endOnFailure: true,
      examples: [
        [[]],
        [
          [
            [3, false],
            [0, false],
            [1, true],
            [2, false],
            [0, false],
          ],
        ],
      ],
    },
  );
});
