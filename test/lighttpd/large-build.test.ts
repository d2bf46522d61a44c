/** A build of 56,000 artifacts in a browser: its page is there at once, and what it does not hold comes when it is asked for. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Browser, chromium, type Locator, type Page } from 'playwright-core';
import { chromiumNeed, findCommand } from '../../src/programs.ts';
import { sampleArtifact, sampleBuild, sampleJob, uuid } from '../pages/samples.ts';
import { type ReaderSite, startReaderSite } from './reader-site.ts';
import { assertSoon, firstPaint } from './soon.ts';

const executablePath = findCommand(chromiumNeed.commands, '/usr/local/bin:/usr/bin:/bin');
const skip = executablePath === null ? 'no Chromium on this machine' : false;
const [jobCount, filesPerJob] = [56, 1000];

let reader: ReaderSite;
let browser: Browser;
let address: string;
before(async () => {
  if (executablePath === null) return;
  reader = await startReaderSite();
  const jobs = Array.from({ length: jobCount }, (_, at) => {
    const id = uuid(at + 1);
    const artifacts = Array.from({ length: filesPerJob }, (__, file) =>
      sampleArtifact(id, at * filesPerJob + file, `shard-${at}/suite-${file % 20}/result-${file}.txt`),
    );
    return sampleJob(at + 1, { artifacts, expected: filesPerJob + 1, present: filesPerJob + 1 });
  });
  await reader.add(sampleBuild(jobs), jobs);
  const small = [sampleJob(99, { artifacts: [], expected: 1, present: 1 })];
  await reader.add(sampleBuild(small, { number: 41, id: uuid(100) }), small);
  const results = Array.from({ length: 150 }, (_, suite) =>
    ['shot.png', 'trace.zip'].map((name) => `test-results/suite-${String(suite).padStart(3, '0')}/${name}`),
  ).flat();
  await addPaths(43, results);
  await addPaths(44, ['logs/app.txt', 'logs/old/app.txt', 'report/index.html', 'top.txt', ...flatFiles]);
  await addPaths(
    45,
    Array.from({ length: 5600 }, (_, at) => `pages/${at}.html`),
  );
  address = `${reader.url}/acme/web/builds/42/`;
  const quiet = ['--disable-background-networking', '--no-first-run', '--disable-component-update', '--disable-sync'];
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', ...quiet] });
});
/** So many that the tree is not unfolded, and still whole. */
const flatFiles = Array.from({ length: 40 }, (_, at) => `flat/${at}.bin`);

async function addPaths(number: number, paths: readonly string[]): Promise<void> {
  const id = uuid(number * 1000);
  const artifacts = paths.map((path, at) => sampleArtifact(id, at, path));
  const jobs = [sampleJob(number, { id, artifacts, expected: paths.length + 1, present: paths.length + 1 })];
  await reader.add(sampleBuild(jobs, { number, id: uuid(number * 1000 + 1) }), jobs);
}

after(async () => {
  await browser?.close();
  await reader?.close();
});

async function open(url = address): Promise<{ page: Page; interactive: number; faults: string[] }> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
  page.setDefaultTimeout(60_000);
  await page.goto(url);
  // All of it is parsed and the first of it painted: links, folders and the filter's form work without a script.
  const parsed = await page.evaluate<number>("performance.getEntriesByType('navigation')[0].domInteractive");
  const interactive = Math.max(parsed, await firstPaint(page));
  return { page, interactive, faults };
}

async function load(url?: string): Promise<number> {
  const { page, interactive } = await open(url);
  await page.context().close();
  return interactive;
}

const loadSmall = (): Promise<number> => load(`${reader.url}/acme/web/builds/41/`);

describe('the page of a build of 56,000 artifacts', { skip, timeout: 200_000 }, () => {
  it('is interactive within 300 ms with nothing cached, or hardly later than a small page on a busy machine', async (t) => {
    await assertSoon(t, load, loadSmall);
  });

  it('holds few of its files, and opens a folder in place, down to the last', async () => {
    const { page } = await open();
    assert.ok((await page.locator('.leaf').count()) <= 402);
    const shard = page.locator('#tree > li', { hasText: 'shard-55/' });
    await shard.locator('summary').first().click();
    const suite = shard.locator('li', { hasText: 'suite-7/' }).last();
    await suite.locator('summary').click();
    const file = suite.getByRole('link', { name: 'result-987.txt', exact: true });
    await file.waitFor();
    assert.equal(
      new URL((await file.getAttribute('href')) ?? '').pathname,
      '/acme/web/builds/42/artifacts/shard-55/suite-7/result-987.txt',
    );
    assert.equal(page.url(), address);
    await page.context().close();
  });

  it('finds files that it does not hold as one types', async () => {
    const { page } = await open();
    await page.getByRole('textbox', { name: 'Filter artifacts by path' }).fill('shard-3/suite-5/result-5');
    await page.locator('.found [data-path]').first().waitFor();
    const paths = await page
      .locator('.found [data-path]')
      .evaluateAll((all) => all.map((each) => each.getAttribute('data-path')));
    assert.ok(paths.length > 0 && paths.every((path) => path?.includes('shard-3/suite-5/result-5')), paths.join(' '));
    await page.context().close();
  });

  it('is gone through line by line with j and k, and left with Enter', async () => {
    const { page } = await open();
    const chosen = (): Promise<string> => page.locator('.chosen').innerText();
    await page.keyboard.press('j');
    const first = await chosen();
    await page.keyboard.press('j');
    const second = await chosen();
    assert.notEqual(second, first);
    await page.keyboard.press('k');
    assert.equal(await chosen(), first);
    assert.equal(await page.locator('.chosen').count(), 1);
    await page.keyboard.press('/');
    await page.keyboard.type('jk');
    assert.equal(await page.getByRole('searchbox', { name: /Search builds/ }).inputValue(), 'jk');
    await page.keyboard.press('Escape');
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/jobs\//);
    await page.context().close();
  });
});

const field = (page: Page): Locator => page.getByRole('textbox', { name: /^Filter/ });

describe('the page of a job of 5,600 artifacts', { skip, timeout: 100_000 }, () => {
  const jobUrl = (): string => `${reader.url}/acme/web/builds/45/jobs/${uuid(45_000)}/`;

  it('is interactive as soon', (t) => assertSoon(t, () => load(jobUrl()), loadSmall));

  it('holds the first of its files, and finds those behind them as one types', async () => {
    const { page, faults } = await open(jobUrl());
    const rows = page.locator('#files tbody > tr');
    assert.equal(await rows.count(), 500);
    assert.equal(await rows.getByText('pages/5599.html').count(), 0);
    await page.getByText('500 of 5600').waitFor();
    await field(page).fill('5599');
    const file = page.locator('.found').getByRole('link', { name: 'pages/5599.html', exact: true });
    await file.waitFor();
    assert.equal(await page.locator('.found > li').count(), 1);
    assert.equal(await rows.first().isVisible(), false);
    assert.equal(await file.getAttribute('href'), `${jobUrl()}artifacts/pages/5599.html`);
    await field(page).fill('');
    await rows.first().waitFor();
    assert.deepEqual(faults, []);
    await page.context().close();
  });
});

describe('a part of a large folder', { skip, timeout: 100_000 }, () => {
  it('that is opened in place ends with how much is left and the way there', async () => {
    const { page } = await open(`${reader.url}/acme/web/builds/45/`);
    await page.locator('#tree summary', { hasText: 'pages/' }).click();
    const lines = page.locator('#tree ul > li');
    await lines.nth(5000).waitFor();
    assert.equal(await lines.count(), 5001);
    const rest = lines.last().getByRole('link', { name: '600 more', exact: true });
    // It is a line of the tree and not the page's own next one.
    assert.equal(await page.locator('a[rel="next"]').count(), 0);
    await rest.click();
    await page.waitForURL(/\/artifacts\/pages\/\?list&after=/);
    assert.equal(await page.locator('#listing > [data-path]').count(), 600);
    await page.context().close();
  });

  it('is filtered with the other parts, and what is found says that it is the first of more', async () => {
    const { page } = await open(`${reader.url}/acme/web/builds/45/artifacts/pages/?list`);
    await field(page).fill('html');
    const found = page.locator('.found > li');
    await found.nth(500).waitFor();
    assert.match(await found.last().innerText(), /^Only the first 500 are shown/);
    await field(page).fill('5599');
    await page.locator('.found').getByText('Only the first').waitFor({ state: 'detached' });
    assert.deepEqual(await found.locator('.is').allInnerTexts(), ['5599.html']);
    await field(page).fill('no such file');
    await page.getByText('No path has this in it.').waitFor();
    await page.context().close();
  });
});

describe('the filter of artifacts', { skip, timeout: 100_000 }, () => {
  it('finds a file in the last of so many folders that the tree has no room for it', async () => {
    const { page } = await open(`${reader.url}/acme/web/builds/43/`);
    const last = page.locator('#tree').getByText('suite-149/', { exact: true });
    assert.equal(await last.count(), 1);
    await field(page).fill('suite-149/trace');
    await page.locator('.found').getByRole('link', { name: 'test-results/suite-149/trace.zip', exact: true }).waitFor();
    await field(page).fill('');
    await last.waitFor({ state: 'attached' });
    assert.equal(await page.locator('.found li').count(), 0);
    await page.context().close();
  });

  it('opens the folders in which it finds something, hides all else, and leaves the tree as it was', async () => {
    const { page } = await open(`${reader.url}/acme/web/builds/44/`);
    const leaves = page.locator('#tree [data-path]');
    const shown = (): Promise<(string | null)[]> =>
      leaves.filter({ visible: true }).evaluateAll((all) => all.map((each) => each.getAttribute('data-path')));
    const before = await shown();
    assert.deepEqual(before, ['top.txt']);
    await page.locator('summary', { hasText: 'report/' }).click();
    await field(page).fill(' APP.txt');
    assert.deepEqual(await shown(), ['logs/old/app.txt', 'logs/app.txt']);
    assert.equal(await page.locator('#tree > li').filter({ visible: true }).count(), 1);
    await field(page).fill('');
    assert.deepEqual(await shown(), ['report/index.html', 'top.txt']);
    await page.context().close();
  });

  it('of a listing looks at the names of its folders and files', async () => {
    const { page } = await open(`${reader.url}/acme/web/builds/43/artifacts/test-results/?list`);
    await field(page).fill('SUITE-14');
    const lines = page.locator('#listing > li').filter({ visible: true });
    assert.equal(await lines.count(), 10);
    assert.match((await lines.last().innerText()) ?? '', /suite-149/);
    await page.context().close();
  });
});
