import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { chromium } from 'playwright-core';
import type { SampleBuild } from '../../demo/standin/sample.ts';
import { chromiumNeed, findCommand } from '../../src/programs.ts';
import { ask } from '../lighttpd/ask.ts';
import { freePort, settings, spawnLighttpd } from '../lighttpd/site.ts';
import { type Mirror, placeOf, startMirror } from './harness.ts';
import { buildOf, scriptOf, withScript } from './samples.ts';
import { until } from './until.ts';

const executablePath = findCommand(chromiumNeed.commands, '/usr/local/bin:/usr/bin:/bin');
const skip = executablePath === null ? 'no Chromium on this machine' : false;
const root = join(import.meta.dirname, '..', '..');

let mirror: Mirror;
let gateway: ChildProcess;
let lighttpd: ChildProcess;
let port: number;
before(async () => {
  mirror = await startMirror();
  const env = { ...mirror.environment(), BUILDKITE_API_TOKEN: '' };
  gateway = spawn(process.execPath, [join(root, 'src', 'gateway.ts'), '--supervised'], {
    env,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  port = await freePort();
  ({ child: lighttpd } = spawnLighttpd(settings(mirror.paths.root, port)));
  const answers = async (): Promise<boolean> => (await ask(port, '/acme/').catch(() => null))?.status === 200;
  await until(answers, 'the gateway behind Lighttpd', 60_000);
});
after(async () => {
  for (const child of [lighttpd, gateway]) {
    if (child === undefined || child.exitCode !== null) continue;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  }
  await mirror?.stop();
});

/** A build that runs: its first job has ended, the others are under way and print so many bytes a second. */
async function running(jobs: number, log: string, bytesPerSecond: number): Promise<SampleBuild> {
  const now = Date.now();
  let build: SampleBuild = { ...buildOf(Array.from({ length: jobs }, () => [])), state: 'running', finishedAt: null };
  for (let index = 1; index < jobs; index += 1) {
    const content = Buffer.from(log);
    const change = { state: 'running', startedAt: now, finishedAt: null, exitStatus: null };
    build = withScript(build, index, { ...change, log: { content, bytesPerSecond } });
  }
  mirror.standIn.put(build);
  await mirror.tell(build, scriptOf(build));
  await until(() => existsSync(mirror.paths.buildFile(placeOf(build), 'build.json')), 'the build is known', 60_000);
  return build;
}

const addressOf = ({ pipeline, number }: SampleBuild): string => `/acme/${pipeline.slug}/builds/${number}/`;
const logOf = (build: SampleBuild, index: number): string =>
  `${addressOf(build)}jobs/${scriptOf(build, index).id}/log/`;
const readings = (build: SampleBuild): number =>
  mirror.standIn.requests.filter(({ path, range }) => range !== null && path.includes(`/${build.pipeline.slug}/`))
    .length;

describe("a running job's log", { timeout: 200_000 }, () => {
  it('is watched in a browser as it grows, and to its end', { skip }, async () => {
    const lines = Array.from({ length: 3000 }, (_, at) => `line ${at} <script>alert(${at})</script>\r\n`);
    const text = `--- Prepare\r\n+++ Test\r\n${lines.join('')}`;
    const build = await running(2, text, Math.ceil(text.length / 12));
    const browser = await chromium.launch({
      executablePath: executablePath ?? '',
      args: ['--no-sandbox', '--disable-gpu'],
    });
    try {
      const page = await browser.newPage();
      const wrong: string[] = [];
      page.on('dialog', (dialog) => (wrong.push(dialog.message()), void dialog.dismiss()));
      page.on('pageerror', (error) => wrong.push(error.message));
      page.on('console', (message) => wrong.push(message.text()));
      page.setDefaultTimeout(60_000);
      await page.goto(`http://127.0.0.1:${port}${addressOf(build)}`);
      await page.getByRole('link', { name: 'live log' }).click();
      assert.equal(await page.locator('#live').innerText(), 'live');
      await page.locator('#log .line').first().waitFor();
      const seen = async (): Promise<number> =>
        Number(/line (\d+)/.exec(await page.locator('#log .line').last().innerText())?.[1] ?? -1);
      const first = await seen();
      assert.ok(first < 2999, `the first look shows line ${first}`);
      await until(async () => (await seen()) > first, 'more lines', 60_000);
      await until(async () => (await seen()) === 2999, 'the last line', 60_000);
      assert.match(await page.locator('#told').innerText(), /the end of \d+/);
      assert.equal(await page.locator('#log script').count(), 0);

      const finishedAt = Date.now();
      mirror.standIn.put(
        withScript(build, 1, { state: 'passed', finishedAt, exitStatus: 0, log: { content: Buffer.from(text) } }),
      );
      await page.getByText('ended', { exact: true }).waitFor();
      await page.getByText('job passed · its whole log is mirrored').waitFor();
      await page.getByRole('link', { name: 'Read the whole log' }).click();
      await page.locator('#log[data-ready]').waitFor();
      assert.match(page.url(), /\/log\/$/);
      assert.deepEqual(wrong, []);
    } finally {
      await browser.close();
    }
  });

  it('needs no script: the page asks for itself again', async () => {
    const build = await running(2, 'one\r\ntwo\r\n', 1000);
    let body = '';
    await until(
      async () => (body = String((await ask(port, `${logOf(build, 1)}?live`)).body)).includes('<span>two</span>'),
      'the lines',
      60_000,
    );
    assert.match(body, /<noscript><meta http-equiv="refresh" content="10"><\/noscript>/);
    assert.match(body, /id="L2"/);
  });

  it('is read only so often, however many watch however many jobs', async () => {
    const build = await running(13, 'x\r\n'.repeat(1000), 1000);
    const began = Date.now();
    const watchers = Array.from({ length: 12 }, (_, index) => `${logOf(build, index + 1)}?live&format=json`);
    while (Date.now() - began < 8000) {
      const answers = await Promise.all([...watchers, ...watchers].map((path) => ask(port, path)));
      for (const { status, headers } of answers)
        assert.deepEqual([status, headers['cache-control']], [200, 'no-store']);
    }
    const most = 2 * Math.ceil((Date.now() - began) / 5000 + 1);
    const found = readings(build);
    assert.ok(found > 0 && found <= most, `${found} readings, at most ${most}`);
  });

  it('of a job that the build does not list is not asked for', async () => {
    const build = await running(2, 'x\r\n', 1000);
    const [known, unknown] = [scriptOf(build, 1).id, '0191e0c4-0000-4000-8000-0000000fffff'];
    const elsewhere = await running(2, 'x\r\n', 1000);
    for (const path of [
      `${addressOf(build)}jobs/${unknown}/log/?live`,
      `${addressOf(build)}jobs/${scriptOf(elsewhere, 1).id}/log/?live&format=json`,
      `${addressOf(build)}jobs/constructor/log/?live`,
      `/acme/${build.pipeline.slug}/builds/999/jobs/${known}/log/?live`,
      `/acme/elsewhere/builds/1/jobs/${known}/log/`,
    ]) {
      assert.equal((await ask(port, path)).status, 404, path);
    }
    await mirror.idle();
    assert.equal(readings(build) + readings(elsewhere), 0);
  });
});
