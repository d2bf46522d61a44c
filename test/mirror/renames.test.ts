import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { makePipeline } from '../../demo/samples/team.ts';
import type { SampleBuild } from '../../demo/standin/sample.ts';
import { openCatalog } from '../../src/search/catalog.ts';
import type { Place } from '../../src/tree/paths.ts';
import { type Mirror, readJson, startMirror } from './harness.ts';
import { buildOf, scriptOf, textArtifact } from './samples.ts';
import { until } from './until.ts';

let mirror: Mirror;
before(async () => {
  mirror = await startMirror();
});
after(() => mirror.stop());

const made = (slug: string, seed: string, number: number, text: string): SampleBuild =>
  buildOf([[textArtifact('who.txt', text)]], { pipeline: slug, pipelineSeed: seed, number });

async function mirrored(build: SampleBuild): Promise<void> {
  mirror.standIn.put(build);
  await mirror.tell(build);
  await mirror.settled(build);
}

const at = (folder: string, number: number): Place => ({ organization: 'acme', folder, number });
/** What the merged view of a build shows; null where there is no such build. */
function shown(folder: string, number: number): string | null {
  const file = join(mirror.paths.merged(at(folder, number)), 'who.txt');
  return existsSync(file) ? readFileSync(file, 'utf8') : null;
}
const pointer = (folder: string): string | null => {
  const file = mirror.paths.pointer('acme', folder, 'latest', 'main', 'passed');
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : null;
};
const aside = (slug: string, seed: string): string => `${slug}~${makePipeline(slug, seed).id.slice(0, 8)}`;

describe('a pipeline that was recreated under its slug', () => {
  it('overwrites nothing: the older builds go aside with their files, pages and pointers', async () => {
    const [one, two] = [made('shop', 'old shop', 1, 'old 1'), made('shop', 'old shop', 2, 'old 2')];
    await mirrored(one);
    await mirrored(two);
    const fresh = made('shop', 'new shop', 1, 'new 1');
    await mirrored(fresh);
    const old = aside('shop', 'old shop');
    assert.deepEqual([shown('shop', 1), shown('shop', 2)], ['new 1', null]);
    assert.deepEqual([shown(old, 1), shown(old, 2)], ['old 1', 'old 2']);
    assert.deepEqual([pointer('shop'), pointer(old)], ['1', '2']);
    for (const [folder, number] of [
      ['shop', 1],
      [old, 1],
      [old, 2],
    ] as const) {
      assert.ok(
        existsSync(mirror.paths.page('acme', folder, 'builds', String(number))),
        `${folder}/${number} has its page`,
      );
    }
    const catalog = openCatalog(mirror.paths.catalog, { readOnly: true });
    try {
      const builds = (folder: string): number[] =>
        catalog.builds({ organization: 'acme', folder, limit: 9 }).map(({ number }) => number);
      assert.deepEqual([builds('shop'), builds(old)], [[1], [2, 1]]);
    } finally {
      catalog.close();
    }
  });

  it('does not confuse deliveries of the older one that come late', async () => {
    const old = made('late', 'old late', 1, 'old');
    await mirrored(old);
    const fresh = made('late', 'new late', 1, 'new');
    await mirrored(fresh);
    await mirror.tell(old);
    await mirror.tell(old, scriptOf(old));
    await mirror.idle();
    assert.deepEqual([shown('late', 1), shown(aside('late', 'old late'), 1)], ['new', 'old']);
    assert.equal(mirror.build(fresh).id, fresh.id);
  });

  it('leaves to the older one what was begun of it: each missing file with its reason', async () => {
    const old = made('begun', 'old begun', 1, 'old');
    const hang = mirror.standIn.faults.add({ at: 'api', path: '/download', kind: 'status', status: 500, times: 1000 });
    mirror.standIn.put(old);
    await mirror.tell(old);
    await mirror.jobRecord(old, scriptOf(old).id, ({ artifacts }) => artifacts[0]?.state === 'failed');
    hang.remove();
    await mirrored(made('begun', 'new begun', 1, 'new'));
    const record = join(mirror.paths.job(at(aside('begun', 'old begun'), 1), scriptOf(old).id), 'job.json');
    const lost = (): boolean =>
      readJson<{ artifacts: { state: string }[] }>(record).artifacts.every(({ state }) => state === 'lost');
    await until(() => existsSync(record) && lost(), 'the old job to be settled', 60_000);
    await mirror.idle();
    assert.equal(shown('begun', 1), 'new');
  });
});

describe('a pipeline that was renamed', () => {
  it('takes its builds along and leaves a pointer; both names stay usable', async () => {
    await mirrored(made('before', 'renamed', 1, 'first'));
    const second = made('after', 'renamed', 2, 'second');
    await mirrored(second);
    assert.deepEqual([shown('after', 1), shown('after', 2), shown('before', 1)], ['first', 'second', null]);
    assert.equal(readFileSync(mirror.paths.movedPointer('acme', 'before'), 'utf8'), 'after\n');
    assert.equal(pointer('after'), '2');
    assert.ok(!existsSync(mirror.paths.pipeline('acme', 'before')));
  });

  it('is known by its old name too: a delivery that was sent before, and a gap that is taken up after a start', async () => {
    const [first, second, third] = [1, 2, 3].map((number) => made('was', 'was', number, `build ${number}`));
    assert.ok(first && second && third);
    await mirrored(first);
    const refusal = mirror.standIn.faults.add({
      at: 'api',
      path: '/download',
      kind: 'status',
      status: 500,
      times: 1000,
    });
    mirror.standIn.put(second);
    await mirror.tell(second);
    await mirror.jobRecord(second, scriptOf(second).id, ({ artifacts }) => artifacts[0]?.state === 'failed');
    refusal.remove();
    const fourth = made('is', 'was', 4, 'build 4');
    mirror.standIn.put(third);
    mirror.standIn.put(fourth);
    await mirror.tell(fourth);
    await mirror.settled(fourth);
    await mirror.stopWorker('SIGTERM');
    await mirror.redis.client.flushall();
    await mirror.startWorker();
    await mirror.tell(third);
    await until(() => [2, 3].every((number) => shown('is', number) === `build ${number}`), 'both builds', 60_000);
    await mirror.idle();
    assert.deepEqual(
      [1, 2, 3, 4].map((number) => shown('is', number) !== null),
      [true, true, true, true],
    );
  });

  it('while its builds are being mirrored loses none of them', async () => {
    const slow = buildOf([Array.from({ length: 12 }, (_, index) => textArtifact(`${index}.txt`, `file ${index}`))], {
      pipeline: 'moving',
      pipelineSeed: 'moving',
      number: 1,
    });
    mirror.standIn.latency.storageMs = 200;
    mirror.standIn.put(slow);
    await mirror.tell(slow);
    await until(
      () =>
        mirror.standIn.requests.some(({ at: side, path }) => side === 'storage' && path.includes(scriptOf(slow).id)),
      'a download',
    );
    const next = made('moved', 'moving', 2, 'next');
    mirror.standIn.put(next);
    await mirror.tell(next);
    await mirror.settled(next);
    mirror.standIn.latency.storageMs = 0;
    const file = mirror.paths.buildFile(at('moved', 1), 'build.json');
    await until(() => existsSync(file) && readJson<{ complete: boolean }>(file).complete, 'the first build', 60_000);
    await mirror.idle();
    assert.ok(!existsSync(mirror.paths.pipeline('acme', 'moving')), 'nothing is begun anew under the old name');
  });
});
