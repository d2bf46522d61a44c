/** What is derived of a build whose gap is closed: by tasks that Redis alone knows of, and may lose. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, it, type TestContext } from 'node:test';
import type { SampleBuild } from '../../demo/standin/sample.ts';
import { createReportReader } from '../../src/reports/report-reader.ts';
import { openCatalog } from '../../src/search/catalog.ts';
import { openSearch, type Search } from '../../src/search/search.ts';
import { dueSince, listDue, noteDue, strikeDue } from '../../src/tree/due.ts';
import { type DataPaths, dataPaths } from '../../src/tree/paths.ts';
import { logPage } from '../../workers/log-pages.ts';
import { publishBuild } from '../../workers/publish-build.ts';
import { keepsAll } from '../pages/samples.ts';
import { type Mirror, placeOf, startMirror } from './harness.ts';
import { buildOf, scriptOf, textArtifact } from './samples.ts';
import { until } from './until.ts';

let mirror: Mirror;
before(async () => {
  mirror = await startMirror();
});
after(() => mirror.stop());

async function mirrored(
  build: SampleBuild = buildOf([[textArtifact('a.txt', 'a')]], { logBytes: 300 }),
): Promise<SampleBuild> {
  mirror.standIn.put(build);
  await mirror.tell(build);
  await mirror.settled(build);
  await mirror.idle();
  return build;
}

const nothingDue = () => until(async () => (await listDue(mirror.paths)).length === 0, 'all that is derived', 30_000);

it('is due for no longer than it takes', async () => {
  await mirrored();
  await nothingDue();
});

it('is made after Redis has lost its tasks', async () => {
  const build = await mirrored();
  await mirror.stopWorker('SIGKILL');
  const [place, job] = [placeOf(build), scriptOf(build).id];
  const { paths } = mirror;
  // As it is between the end of the gap and the first of these tasks.
  const pages = [paths.page('acme', place.folder), paths.page(), logPage(paths, place, job)];
  for (const page of pages) rmSync(page);
  rmSync(dirname(paths.page('acme', place.folder, 'builds', String(place.number))), { recursive: true });
  const left = [`publish-pipeline/acme/${place.folder}`, `index-log/${build.id}/${job}`, `publish-build/${build.id}`];
  for (const identity of left) noteDue(paths, identity);
  // Retention may have taken a build away meanwhile: nothing of it can be behind.
  const dropped = '0f000000-0000-4000-8000-000000000009';
  mkdirSync(dirname(paths.droppedBuild(dropped)), { recursive: true });
  writeFileSync(paths.droppedBuild(dropped), '');
  noteDue(paths, `publish-build/${dropped}`);
  noteDue(paths, 'publish-pipeline/acme/moved-away');
  await mirror.redis.client.flushall();
  await mirror.startWorker();
  await nothingDue();
  for (const page of [...pages, paths.page('acme', place.folder, 'builds', String(place.number))])
    assert.ok(existsSync(page), page);
});

it('is made where the worker died and Redis was emptied right after the gap was closed', async () => {
  const build = buildOf([[textArtifact('b.txt', 'b')]], { logBytes: 300 });
  mirror.standIn.put(build);
  await mirror.tell(build);
  const { paths } = mirror;
  await until(() => existsSync(paths.buildFile(placeOf(build), 'build.json')), 'the build');
  await until(() => readdirSync(paths.unsettled).length === 0, 'the gap to be closed');
  await mirror.stopWorker('SIGKILL');
  await mirror.redis.client.flushall();
  await mirror.startWorker();
  const place = placeOf(build);
  await until(() => existsSync(paths.page('acme', place.folder)), 'the page of the pipeline', 30_000);
  await until(() => existsSync(logPage(paths, place, scriptOf(build).id)), 'the page of the log', 30_000);
  await nothingDue();
});

it('tells the builds on both sides of a new one, also where the worker died before it had told them', async () => {
  const number = (at: number) => ({ pipeline: 'neighbours', number: at });
  const [older, between, newer] = [5, 6, 7].map((at) => buildOf([[textArtifact('a.txt', 'a')]], number(at))) as [
    SampleBuild,
    SampleBuild,
    SampleBuild,
  ];
  const { paths } = mirror;
  for (const build of [newer, older]) await mirrored(build);
  await nothingDue();
  const pageOf = (build: SampleBuild): string =>
    readFileSync(paths.page('acme', 'neighbours', 'builds', String(build.number)), 'utf8');
  const leads = (build: SampleBuild, to: SampleBuild): boolean => pageOf(build).includes(`href="../${to.number}/"`);
  assert.deepEqual([leads(older, newer), leads(newer, older)], [true, true]);
  await mirrored(between);
  await nothingDue();
  assert.deepEqual([leads(older, between), leads(newer, between)], [true, true]);
  // As a crash leaves it behind the build's record and before the catalog.
  await mirror.stopWorker('SIGKILL');
  const catalog = openCatalog(paths.catalog);
  catalog.remove(between.id, () => undefined);
  catalog.close();
  for (const [build, beside] of [
    [older, newer],
    [newer, older],
  ] as const)
    writeFileSync(
      paths.page('acme', 'neighbours', 'builds', String(build.number)),
      pageOf(build).replace(`href="../${between.number}/"`, `href="../${beside.number}/"`),
    );
  assert.equal(leads(older, between), false);
  await mirror.startWorker();
  const { organization, pipeline, number: at, id } = mirror.build(between);
  const payload = { organization, pipeline, number: at, build: id, pipelineId: between.pipeline.id };
  await mirror.queue.enqueue({ name: 'publish-build', payload });
  await until(() => leads(older, between) && leads(newer, between), 'both to lead to it', 30_000);
  await nothingDue();
});

it('stays due where a neighbour asks for it while it is published', async () => {
  const build = await mirrored();
  await nothingDue();
  await mirror.stopWorker();
  const { paths, queue } = mirror;
  const [catalog, search, reports] = [openCatalog(paths.catalog), openSearch(paths.search), createReportReader()];
  const identity = `publish-build/${build.id}`;
  const settings = { url: 'http://mirror.test', ruleFor: () => keepsAll };
  const onDamaged = (): void => assert.fail('nothing is damaged');
  const publish = async (meanwhile: () => Promise<void>): Promise<void> => {
    const put: Search['put'] = async (document) => {
      await meanwhile();
      await search.put(document);
    };
    const worker = { paths, queue, catalog, reports, settings, onDamaged, search: { ...search, put } };
    const { organization, pipeline, number } = mirror.build(build);
    await publishBuild(worker, { organization, pipeline, number, build: build.id, pipelineId: build.pipeline.id });
  };
  noteDue(paths, identity);
  const since = dueSince(paths, identity);
  await publish(() =>
    until(() => {
      noteDue(paths, identity);
      return dueSince(paths, identity) !== since;
    }, 'the clock to move'),
  );
  assert.notEqual(dueSince(paths, identity), null);
  await publish(async () => undefined);
  assert.equal(dueSince(paths, identity), null);
  catalog.close();
  await Promise.all([search.close(), reports.close()]);
  await mirror.startWorker();
  await nothingDue();
});

it('is noted under any name that a pipeline can have', async (t) => {
  const paths = folderOfOurs(t);
  const identity = `publish-pipeline/${'o'.repeat(128)}/${'p'.repeat(128)}~0f000000-0000-4000-8000-000000000001`;
  noteDue(paths, identity);
  assert.deepEqual(await listDue(paths), [identity]);
  strikeDue(paths, identity, dueSince(paths, identity));
  assert.deepEqual([await listDue(paths), readdirSync(paths.due)], [[], []]);
});

it('stays due where it is asked for once more while it is made', async (t) => {
  const paths = folderOfOurs(t);
  noteDue(paths, 'publish-pipeline/acme/web');
  const since = dueSince(paths, 'publish-pipeline/acme/web');
  assert.notEqual(since, null);
  await until(() => {
    noteDue(paths, 'publish-pipeline/acme/web');
    return dueSince(paths, 'publish-pipeline/acme/web') !== since;
  }, 'the clock to move');
  strikeDue(paths, 'publish-pipeline/acme/web', since);
  assert.deepEqual(await listDue(paths), ['publish-pipeline/acme/web']);
  strikeDue(paths, 'publish-pipeline/acme/web', dueSince(paths, 'publish-pipeline/acme/web'));
  assert.deepEqual(await listDue(paths), []);
});

/** That no worker looks into. */
function folderOfOurs(t: TestContext): DataPaths {
  const root = mkdtempSync(join(tmpdir(), 'kitemirror-due-'));
  t.after(() => rmSync(root, { recursive: true }));
  return dataPaths(root);
}
