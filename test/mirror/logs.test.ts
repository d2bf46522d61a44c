import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import type { SampleBuild, SampleLog } from '../../demo/standin/sample.ts';
import type { JobRecord } from '../../src/model.ts';
import { openFullText } from '../../src/search/fulltext.ts';
import { digestFile, type Mirror, placeOf, startMirror } from './harness.ts';
import { buildOf, newBuild, scriptOf, withScript } from './samples.ts';
import { until } from './until.ts';

let mirror: Mirror;
before(async () => {
  mirror = await startMirror();
});
after(() => mirror.stop());

const withLog = (build: SampleBuild, log: SampleLog | null): SampleBuild => withScript(build, 0, { log });
const logOf = (build: SampleBuild): string =>
  readFileSync(mirror.paths.jobFile(placeOf(build), scriptOf(build).id, 'log.txt'), 'utf8');

async function mirrored(build: SampleBuild): Promise<JobRecord> {
  mirror.standIn.put(build);
  await mirror.tell(build);
  await mirror.settled(build);
  return mirror.job(build, scriptOf(build).id);
}

const text = '\u001b_bk;t=1787227200000\u0007ok \ud83e\udd98 \u001b[32mgreen\u001b[0m\r\n';

describe("a job's log", () => {
  it('is kept byte by byte, with its sum on record and in SHA256SUMS', async () => {
    const build = withLog(buildOf([[]]), { content: Buffer.from(text.repeat(1000)) });
    const { log } = await mirrored(build);
    assert.equal(logOf(build), text.repeat(1000));
    const file = mirror.paths.jobFile(placeOf(build), scriptOf(build).id, 'log.txt');
    assert.equal(mirror.build(build).jobs.find(({ id }) => id === scriptOf(build).id)?.log_state, 'present');
    assert.deepEqual(
      [log?.state, log?.size, log?.sha256],
      ['present', Buffer.byteLength(text) * 1000, digestFile(file)],
    );
    const sums = readFileSync(mirror.paths.jobFile(placeOf(build), scriptOf(build).id, 'SHA256SUMS'), 'utf8');
    assert.equal(sums, `${digestFile(file)}  log.txt\n`);
  });

  it('of a failed job is told of on the page of its build, and is found by what it says', async () => {
    const content = Buffer.from(
      '--- :test_tube: Test\nok 1\nTypeError: flamingo is not a function\n🚨 Error: The command exited with status 1\n',
    );
    const build = {
      ...withScript(buildOf([[]]), 0, { state: 'failed', exitStatus: 1, log: { content } }),
      state: 'failed',
    };
    await mirrored(build);
    const { organization, folder, number } = placeOf(build);
    const page = (): string => readFileSync(mirror.paths.page(organization, folder, 'builds', String(number)), 'utf8');
    await until(() => page().includes('log/#L3'), 'the line to be on the page');
    assert.match(page(), /log\/#L3"><bdi>TypeError: flamingo is not a function</);
    const index = openFullText(mirror.paths.search, { readOnly: true });
    const find = () => index.find({ organization, text: 'log:"flamingo is not"', before: null, limit: 5 }).results;
    await until(() => find().length > 0, 'the line to be in the index');
    assert.deepEqual(
      find().map(({ summary }) => summary.number),
      [number],
    );
    index.close();
  });

  it('of many megabytes is streamed', async () => {
    const build = withLog(buildOf([[]]), { content: { repeat: Buffer.from(text), size: 20_000_000 } });
    assert.equal((await mirrored(build)).log?.size, 20_000_000);
  });

  it('that upstream has none of is lost with the reason, when it is too late for it to come', async () => {
    const record = await mirrored(withLog(buildOf([[]]), null));
    assert.deepEqual([record.log?.state, record.settled, record.complete], ['lost', true, false]);
    assert.match(record.log?.reason ?? '', /no log/);
  });

  it('of a job that has only just ended is waited for', async () => {
    const build = withLog(newBuild({ artifactsPerJob: 0, finishedAt: Date.now() }), null);
    mirror.standIn.put(build);
    await mirror.tell(build);
    const waiting = await mirror.jobRecord(
      build,
      scriptOf(build).id,
      ({ log }) => log?.reason === 'upstream has no log yet',
    );
    assert.deepEqual([waiting.settled, waiting.log?.state], [false, 'pending']);
    mirror.standIn.put(withLog(build, { content: Buffer.from('late\n') }));
    await mirror.settled(build);
    assert.equal(logOf(build), 'late\n');
  });

  it('that was fetched while it still grew is fetched anew at the end of its build', async () => {
    const whole = Buffer.from(text.repeat(20));
    const ends = Date.now();
    const build = newBuild({ jobs: 2, artifactsPerJob: 0, finishedAt: ends + 1000 });
    const running = {
      ...withScript(withLog(build, { content: whole, shortForLooks: 1 }), 1, {
        state: 'running',
        finishedAt: null,
        log: null,
      }),
      ...{ state: 'running', finishedAt: null },
    };
    mirror.standIn.put(running);
    await mirror.tell(running, scriptOf(running));
    const early = await mirror.jobSettled(running, scriptOf(running).id);
    assert.equal(early.log?.size, whole.length / 2);
    await mirror.idle();
    mirror.standIn.put(withLog({ ...build, finishedAt: Date.now() + 1000 }, scriptOf(running).log));
    await mirror.tell({ ...build, finishedAt: Date.now() + 1000 });
    await mirror.settled(build);
    assert.equal(mirror.job(build, scriptOf(build).id).log?.size, whole.length);
    assert.equal(logOf(build), whole.toString());
  });

  it('that breaks off is not shown until it is whole', async () => {
    const build = withLog(buildOf([[]]), { content: Buffer.from('x'.repeat(100_000)) });
    const id = scriptOf(build).id;
    mirror.standIn.faults.add({ at: 'api', path: `${id}/log`, kind: 'reset', afterBytes: 50_000 });
    mirror.standIn.put(build);
    await mirror.tell(build);
    const failed = await mirror.jobRecord(build, id, ({ log }) => log?.state === 'failed');
    assert.deepEqual([failed.log?.url, failed.log?.sha256], [null, null]);
    assert.throws(() => logOf(build), { code: 'ENOENT' });
    await mirror.settled(build);
    assert.equal(logOf(build).length, 100_000);
  });

  it("is never some proxy's page", async () => {
    const build = withLog(buildOf([[]]), { content: Buffer.from('the log\n') });
    mirror.standIn.faults.add({ at: 'api', path: `${scriptOf(build).id}/log`, kind: 'html' });
    await mirrored(build);
    assert.equal(logOf(build), 'the log\n');
  });
});
