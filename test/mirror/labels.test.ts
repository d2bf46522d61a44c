/** What the policy judges a build by: written before there is a file to judge, and for builds from before there was any. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import type { SampleBuild } from '../../demo/standin/sample.ts';
import { canRead } from '../../src/identity/decide.ts';
import { openCatalog } from '../../src/search/catalog.ts';
import { fillLabels } from '../../src/search/fill-labels.ts';
import { readLabel } from '../../src/tree/labels.ts';
import { digestTree, type Mirror, placeOf, startMirror } from './harness.ts';
import { buildOf, textArtifact } from './samples.ts';
import { until } from './until.ts';

const own = buildOf([[textArtifact('a.txt', 'ours')]], { pipeline: 'web' });
const fork: SampleBuild = {
  ...buildOf([[textArtifact('a.txt', 'theirs')]], { pipeline: 'web' }),
  branch: 'main',
  pullRequest: { id: '7', base: 'main', repository: 'https://github.com/somebody/web.git' },
};

let mirror: Mirror;
before(async () => {
  mirror = await startMirror();
});
after(() => mirror.stop());

const fileOf = (build: SampleBuild): string => mirror.paths.label(placeOf(build));
const label = (build: SampleBuild): string => readFileSync(fileOf(build), 'utf8');
const lineOf = (build: SampleBuild, branch: string): string => `1\t${build.pipeline.id}\t${branch}\n`;

describe('the access label', () => {
  it('is there before the first file is, and again when the build is published', async () => {
    const held = mirror.standIn.faults.add({ at: 'storage', kind: 'status', status: 503, times: 1000 });
    mirror.standIn.put(own);
    await mirror.tell(own);
    await until(() => held.hits > 0, 'the first file to be asked for');
    assert.equal(label(own), lineOf(own, '=main'));
    const files = Object.keys(await digestTree(mirror.paths.build(placeOf(own))));
    assert.deepEqual(
      files.filter((path) => path.endsWith('a.txt')),
      [],
    );
    rmSync(fileOf(own));
    held.remove();
    await mirror.settled(own);
    assert.equal(label(own), lineOf(own, '=main'));
  });

  it('of a fork’s build matches no branch', async () => {
    mirror.standIn.put(fork);
    await mirror.tell(fork);
    await mirror.settled(fork);
    assert.equal(label(fork), lineOf(fork, '-'));
    const rule = { organization: 'acme', pipeline: 'web', pipelineId: null };
    const may = async (build: SampleBuild, branches: string[] | null): Promise<boolean> =>
      canRead(
        { grants: [{ rule: { ...rule, branches }, addresses: null }], address: '10.0.0.1' },
        await readLabel(mirror.paths, placeOf(build)),
      );
    assert.deepEqual([await may(own, ['*']), await may(fork, ['*']), await may(fork, null)], [true, false, true]);
  });

  it('is made for builds that have none, as it was, and for no others', async () => {
    const catalog = openCatalog(mirror.paths.catalog, { readOnly: true });
    try {
      for (const build of [own, fork]) rmSync(fileOf(build));
      assert.equal(await readLabel(mirror.paths, placeOf(own)), null);
      assert.equal(await fillLabels(mirror.paths, catalog), 2);
      assert.deepEqual([label(own), label(fork)], [lineOf(own, '=main'), lineOf(fork, '-')]);
      assert.equal(await fillLabels(mirror.paths, catalog), 0);
    } finally {
      catalog.close();
    }
  });
});
