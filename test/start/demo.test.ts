/** `npm run demo -- --once`: the main job end to end, as a stranger runs it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { chromium, type Request } from 'playwright-core';
import { sampleBuilds } from '../../demo/samples/builds.ts';
import { chromiumNeed, findCommand } from '../../src/programs.ts';
import { later, root, run, until } from './scene.ts';

const executablePath = findCommand(chromiumNeed.commands, process.env.PATH ?? '');

interface Event {
  readonly event: string;
  readonly folder?: string;
  readonly url?: string;
  readonly number?: number;
  readonly present?: number;
  readonly expected?: number;
  readonly files?: number;
  readonly faults?: readonly string[];
}

test('each sample build is mirrored whole, every byte, page and redirect is as it should be, and nothing is left', async () => {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME };
  const { code, out, err } = await run(
    join(root, 'bin', 'node'),
    [join(root, 'demo', 'main.ts'), '--once', '--json'],
    env,
  );
  assert.equal(code, 0, `${out}\n${err}`);
  const events = out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Event);
  const mirrored = events.filter(({ event }) => event === 'mirrored');
  const builds = sampleBuilds({ now: Date.now() });
  assert.deepEqual(numbersOf(mirrored), numbersOf(builds));
  assert.ok(mirrored.every(({ present, expected }) => present === expected));
  const checked = events.find(({ event }) => event === 'checked');
  assert.deepEqual(checked?.faults, []);
  assert.ok((checked?.files ?? 0) > 400);
  const folder = events.find(({ event }) => event === 'data')?.folder ?? '';
  assert.equal(existsSync(folder), false);
});

test('over TLS, pages and a report are clean in a browser that takes its certificate', {
  skip: executablePath === null ? 'no Chromium on this machine' : false,
}, async (t) => {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME };
  const demo = spawn(join(root, 'bin', 'node'), [join(root, 'demo', 'main.ts'), '--tls', '--json'], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(demo, 'exit');
  later(t, async () => {
    demo.kill('SIGTERM');
    await ended;
  });
  const events: Event[] = [];
  createInterface({ input: demo.stdout }).on('line', (line) => events.push(JSON.parse(line) as Event));
  await until('it can be opened', () => {
    if (demo.exitCode !== null) throw new Error(`the demo ended: ${JSON.stringify(events)}`);
    return events.some(({ event }) => event === 'ready');
  });
  const url = events.find(({ event }) => event === 'ready')?.url ?? '';
  assert.match(url, /^https:\/\/127\.0\.0\.1:\d+\/$/);
  const browser = await chromium.launch({
    executablePath: executablePath ?? '',
    args: ['--no-sandbox', '--disable-gpu'],
  });
  later(t, () => browser.close());
  await assert.rejects(
    browser.newPage().then((page) => page.goto(url)),
    /ERR_CERT_AUTHORITY_INVALID/,
  );
  const page = await browser.newPage({ ignoreHTTPSErrors: true });
  const faults: string[] = [];
  const asked: string[] = [];
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('request', (request: Request) => asked.push(request.url()));
  const build = `${url}acme/web/builds/1405/`;
  await page.goto(url);
  await page.goto(build);
  assert.match(await page.title(), /1405/);
  await page.locator('.annotation.good', { hasText: 'All suites passed: the report' }).waitFor();
  assert.equal(await page.locator('.annotation img').getAttribute('alt'), 'Pass rate');
  await page.waitForFunction('document.querySelector(".annotation img").naturalWidth > 0');
  const report = `${build}artifacts/report/?open`;
  await page.goto(report);
  assert.match(page.url(), /^https:\/\/[0-9a-f]{40}\.localhost:\d+\//);
  assert.deepEqual(faults, []);
  assert.deepEqual(
    asked.filter((each) => !/^(https|data|blob):/.test(each)),
    [],
  );
});

test('an option that does not exist is told with the usage, exit 64', async () => {
  const { code, err } = await run(join(root, 'bin', 'node'), [join(root, 'demo', 'main.ts'), '--onec'], process.env);
  assert.equal(code, 64);
  assert.match(err, /--onec[^]*Usage: npm run demo/);
});

function numbersOf(builds: readonly { readonly number?: number }[]): number[] {
  return builds.map(({ number }) => number ?? 0).toSorted((left, right) => left - right);
}
