/** The search index as a worker makes it, of what it mirrors and of what it has mirrored before. */
import assert from 'node:assert/strict';
import { globSync, rmSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import type { SampleBuild } from '../../demo/standin/sample.ts';
import { openFullText } from '../../src/search/fulltext.ts';
import { type Mirror, placeOf, startMirror } from './harness.ts';
import { buildOf, textArtifact, withScript } from './samples.ts';
import { until } from './until.ts';

const report = `<testsuite name="cart"><testcase classname="Cart" name="keeps a pelican"/>
  <testcase classname="Cart" name="weighs a flamingo"><failure message="3 is not 4">at cart.js:7</failure></testcase></testsuite>`;

let mirror: Mirror;
let build: SampleBuild;
before(async () => {
  mirror = await startMirror();
  const passed = buildOf([[textArtifact('reports/junit.xml', report), textArtifact('out/heron.bin', 'x')]]);
  build = { ...withScript(passed, 0, { state: 'failed', exitStatus: 1 }), state: 'failed' };
  mirror.standIn.put(build);
  await mirror.tell(build);
  await mirror.settled(build);
});
after(() => mirror.stop());

/** The numbers of the builds that are found; none while the index is only being begun. */
function find(text: string): number[] {
  const index = openFullText(mirror.paths.search, { readOnly: true });
  try {
    const { organization } = placeOf(build);
    return index.find({ organization, text, before: null, limit: 5 }).results.map(({ summary }) => summary.number);
  } catch (thrown) {
    if (thrown instanceof Error && /no such table/.test(thrown.message)) return [];
    throw thrown;
  } finally {
    index.close();
  }
}

async function isFound(): Promise<void> {
  await until(() => find('test:flamingo').length > 0, 'the failing test to be in the index');
  assert.deepEqual(find('test:flamingo'), [build.number]);
  assert.deepEqual(find('test:pelican'), []);
  assert.deepEqual(find('heron'), [build.number]);
}

describe('a build with a JUnit report', () => {
  it('is found by the tests that fail in it, and not by those that pass', isFound);

  it('is found again when the index is made anew, which a start does where it is gone', async () => {
    await mirror.stopWorker();
    for (const file of globSync(`${mirror.paths.search}*`)) rmSync(file);
    await mirror.startWorker();
    await until(() => globSync(mirror.paths.search).length > 0, 'an index');
    await isFound();
  });
});
