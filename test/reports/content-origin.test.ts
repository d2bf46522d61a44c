/** Reports in a real browser: they work in full on the content origin, and reach nothing but their own build. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Browser, type BrowserContext, chromium, type Page, type Request } from 'playwright-core';
import { chromiumNeed, findCommand } from '../../src/programs.ts';
import { findHtmlReports } from '../../src/reports/html-reports.ts';
import type { Place } from '../../src/tree/paths.ts';
import { build, openJob, place, put, type Site, startSite } from '../lighttpd/site.ts';
import { until } from '../lighttpd/until.ts';
import {
  makeAllureReport,
  makeCoverageReport,
  makeMochawesomeReport,
  makePlaywrightReport,
  makeStorybook,
} from './make.ts';
import { appOfManyFiles, appOfOnePage, thief } from './sample-apps.ts';
import { hasReportTools } from './tools.ts';

const executablePath = findCommand(chromiumNeed.commands, process.env['PATH'] ?? '');
const skip = executablePath === null ? 'no Chromium on this machine' : false;
const otherPlace: Place = { ...place, number: 43 };
const artifacts = `${build}/jobs/${openJob}/artifacts`;
const otherArtifacts = `/acme/web/builds/43/jobs/${openJob}/artifacts`;

let site: Site;
let browser: Browser;
let context: BrowserContext;
let made: string;

function record(at: Place, id: string): void {
  put(site.paths, site.paths.buildFile(at, 'build.json'), JSON.stringify({ version: 1, id }));
}

function upload(at: Place, below: string, files: Record<string, string | Buffer>): void {
  for (const [name, content] of Object.entries(files))
    put(site.paths, site.paths.jobFile(at, openJob, `artifacts/${below}/${name}`), content);
}

/** As an agent uploads a folder. */
function uploadFolder(at: Place, below: string, folder: string): void {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    upload(at, below, { [file.slice(folder.length + 1)]: readFileSync(file) });
  }
}

const mirror = (path: string): string => `http://127.0.0.1:${site.port}${path}`;

interface Seen {
  readonly complaints: string[];
  /** What was asked of another host, less what the policy stopped. */
  readonly foreign: Set<string>;
}

/** What a page said to its console, and what it sent beyond its own host. @param known complaints that are the report's own */
function watch(page: Page, known?: RegExp): Seen {
  const seen: Seen = { complaints: [], foreign: new Set() };
  page.on('console', (message) => {
    const said = `${message.text()} ${message.location().url}`;
    // A browser asks for a picture of the whole host, which has none.
    if (message.type() === 'error' && !said.endsWith('/favicon.ico') && known?.test(said) !== true)
      seen.complaints.push(said);
  });
  page.on('pageerror', (error) => seen.complaints.push(error.message));
  const isForeign = (request: Request): boolean => {
    const { protocol, host } = new URL(request.url());
    return /^https?:$/.test(protocol) && !host.endsWith(`.localhost:${site.port}`) && !host.startsWith('127.0.0.1:');
  };
  page.on('request', (request) => {
    if (isForeign(request)) seen.foreign.add(request.url());
  });
  page.on('requestfailed', (request) => {
    if (request.failure()?.errorText === 'csp') seen.foreign.delete(request.url());
  });
  return seen;
}

async function assertQuiet({ complaints, foreign }: Seen): Promise<void> {
  await until('nothing was sent to another host', () => foreign.size === 0);
  assert.deepEqual(complaints, []);
}

before(async () => {
  if (executablePath === null) return;
  site = await startSite();
  record(place, '0190a1b2-aaaa-4000-8000-000000000001');
  record(otherPlace, '0190a1b2-bbbb-4000-8000-000000000002');
  assert.ok(
    hasReportTools(),
    'test/reports/tools has no packages, or others than its lock names: npm test installs them',
  );
  made = mkdtempSync(join(tmpdir(), 'kitemirror-reports-'));
  await makePlaywrightReport(join(made, 'playwright-report'), executablePath);
  makeCoverageReport(join(made, 'coverage'));
  await makeMochawesomeReport(join(made, 'mochawesome-report'));
  await makeAllureReport(join(made, 'allure-report'));
  await makeStorybook(join(made, 'storybook-static'));
  for (const name of ['playwright-report', 'coverage', 'mochawesome-report', 'allure-report', 'storybook-static'])
    uploadFolder(place, name, join(made, name));
  upload(place, 'many-files', appOfManyFiles);
  upload(place, 'one-page', appOfOnePage);
  upload(otherPlace, 'report', { 'index.html': '<!doctype html><title>B</title>secret of B', 'data.json': '"of B"' });
  const quiet = ['--disable-background-networking', '--no-first-run', '--disable-component-update', '--disable-sync'];
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', ...quiet] });
  context = await browser.newContext();
  await context.addCookies([{ name: 'mirror', value: 'session', url: mirror('/') }]);
  await context.addCookies([{ name: 'mirror', value: 'session', url: `http://localhost:${site.port}/` }]);
});
after(async () => {
  await browser?.close();
  await site?.close();
  if (made !== undefined) rmSync(made, { recursive: true, force: true });
});

describe('a report made by its own tool, opened from the mirror', { skip, timeout: 200_000 }, () => {
  it('is found among all that its build uploaded', () => {
    const files = readdirSync(made, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const paths = files.map((entry) => join(entry.parentPath, entry.name).slice(made.length + 1));
    assert.deepEqual(
      findHtmlReports(paths)
        .map(({ title, path }) => `${title}: ${path}`)
        .toSorted(),
      [
        'Allure report: allure-report/',
        'Coverage: coverage/',
        'Mochawesome report: mochawesome-report/',
        'Playwright report: playwright-report/',
        'Storybook: storybook-static/',
      ],
    );
  });

  it('of Playwright shows its tests, and the trace of one in its trace viewer', async () => {
    const page = await context.newPage();
    const seen = watch(page);
    await page.goto(mirror(`${artifacts}/playwright-report/?open`));
    assert.match(page.url(), /^http:\/\/[0-9a-f]{40}\.localhost:/);
    await page.getByText('the basket is empty at first').first().click();
    await page.getByRole('link', { name: /trace/i }).first().click();
    await page.waitForURL(/\/trace\/index\.html/);
    await page.getByText('Set content').first().click();
    // Two frames take turns; the service worker makes what is in them out of the trace's zip.
    await until('the page as the test saw it is shown', async () => {
      const shown = await Promise.all(
        page
          .frames()
          .map(async (frame) =>
            frame.url().includes('/trace/snapshot/') ? frame.locator('h1', { hasText: 'Shop' }).count() : 0,
          ),
      );
      return shown.some((count) => count > 0);
    });
    await assertQuiet(seen);
    await page.close();
  });

  it('of Istanbul sorts its table and shows a file', async () => {
    const page = await context.newPage();
    const seen = watch(page);
    await page.goto(mirror(`${artifacts}/coverage/?open`));
    const first = (): Promise<string | null> => page.locator('tbody tr td.file').first().textContent();
    const before = await first();
    await page.locator('th.file').click();
    assert.notEqual(await first(), before);
    await page.getByRole('link', { name: 'basket.js' }).click();
    await page.locator('pre.prettyprint span.kwd').first().waitFor();
    await assertQuiet(seen);
    await page.close();
  });

  it('of mochawesome draws its page, with its own style and fonts', async () => {
    const page = await context.newPage();
    const seen = watch(page);
    await page.goto(mirror(`${artifacts}/mochawesome-report/?open`));
    await page.getByText('takes a card').first().waitFor();
    assert.equal(await page.evaluate('document.fonts.check("12px robotoregular") || document.fonts.size > 0'), true);
    await assertQuiet(seen);
    await page.close();
  });

  it('of Allure leads from its tree to a test that failed, and shows what that saw', async () => {
    const page = await context.newPage();
    // It asks for a file that it did not write; and each report of Allure would tell Google that it is read, which is
    // none of Google's business.
    const stopped = page.waitForEvent('requestfailed', (request) => request.url().includes('googletagmanager'));
    const seen = watch(page, /widgets\/metrics\.json|Loading the script '[^']*googletagmanager[^']*' violates/);
    await page.goto(mirror(`${artifacts}/allure-report/?open`));
    await page.getByText('takes a card').first().click();
    await page.getByText('expected 3 to equal 4').first().waitFor();
    await page.getByText('what the page said').first().click();
    await page.getByText('the till is closed').first().waitFor();
    assert.equal((await stopped).failure()?.errorText, 'csp');
    await assertQuiet(seen);
    await page.close();
  });

  it('of Storybook shows its stories in its frame, one after the other, and the address of each', async () => {
    const page = await context.newPage();
    const seen = watch(page);
    await page.goto(mirror(`${artifacts}/storybook-static/?open`));
    const story = page.frameLocator('#storybook-preview-iframe');
    await story.getByRole('button', { name: 'Pay now' }).waitFor();
    await page.getByRole('link', { name: 'Quiet' }).click();
    await story.getByRole('button', { name: 'Pay later' }).waitFor();
    assert.match(page.url(), /\?path=\/story\/checkout-button--quiet/);
    await page.reload();
    await story.getByRole('button', { name: 'Pay later' }).waitFor();
    await assertQuiet(seen);
    await page.close();
  });
});

describe('a report written by hand, of all that one may be made of', { skip, timeout: 60_000 }, () => {
  it('of many files works in full: modules, frames that talk, workers, stored settings, a service worker', async () => {
    const page = await context.newPage();
    const seen = watch(page);
    await page.goto(mirror(`${artifacts}/many-files/?open`));
    await page.locator('#done').waitFor();
    const told = JSON.parse((await page.locator('#done').textContent()) ?? '') as Record<string, unknown>;
    assert.deepEqual(told, {
      lazy: 'imported',
      index: 2,
      frame: 'rendered Button',
      worker: 42,
      blobWorker: 43,
      wasm: 3,
      stored: 'dark',
      serviceWorker: 'made up by the service worker',
    });
    await assertQuiet(seen);
    await page.close();
  });

  it('of one page routes by hash and query, there and back, and shows attachments in frames', async () => {
    const page = await context.newPage();
    const seen = watch(page);
    const view = page.locator('#view');
    await page.goto(mirror(`${artifacts}/one-page/?open`));
    await view.getByText('overview').waitFor();
    await page.click('#suite');
    await view.getByText('"session"').waitFor();
    const text = 'what the test saw';
    assert.deepEqual(JSON.parse((await view.textContent()) ?? ''), {
      name: 'empty',
      outcome: 'failed',
      ...{ text, inFrame: text, ofBlob: text, written: text },
      ...{ stored: 7, channel: 'heard', session: 'x' },
    });
    await page.reload();
    await view.getByText('"session"').waitFor();
    await page.goBack();
    await view.getByText('overview').waitFor();
    await page.click('#story');
    await view.getByText('story /story/button--primary').waitFor();
    assert.match(page.url(), /\/one-page\/\?path=\/story\/button--primary$/);
    await assertQuiet(seen);
    await page.close();
  });
});

describe('a report of bad will', { skip, timeout: 120_000 }, () => {
  it('can read neither another build, nor the mirror, nor its cookies, by any way a script has', async () => {
    // Where build B's reports are, as its reader's browser has learned.
    const reader = await context.newPage();
    await reader.goto(mirror(`${otherArtifacts}/report/?open`));
    const otherReport = reader.url();
    assert.match(await reader.content(), /secret of B/);
    const targets = [
      mirror(`${artifacts}/coverage/lcov.info`),
      mirror('/'),
      `http://localhost:${site.port}${artifacts}/coverage/lcov.info`,
      otherReport,
      `${otherReport}data.json`,
      // B's files under A's own host.
      `${otherArtifacts}/report/data.json`,
      `${build}/build.json`,
      '/-/healthz',
    ];
    upload(place, 'thief', { 'index.html': thief(targets), 'sw.js': 'addEventListener("fetch", () => {});' });
    const page = await context.newPage();
    const answered: string[] = [];
    page.on('response', (response) => answered.push(response.url()));
    await page.goto(mirror(`${artifacts}/thief/?open`));
    const own = new URL(page.url()).host;
    await page.locator('#loot').waitFor({ timeout: 60_000 });
    const loot = JSON.parse((await page.locator('#loot').textContent()) ?? '') as Record<string, string>;
    assert.ok(Object.keys(loot).length > 40, 'every way was tried');
    assert.deepEqual(
      Object.entries(loot).filter(([, outcome]) => outcome !== 'nothing'),
      [],
    );
    // Not one request was even sent, but for opening a window, which tells the opener nothing.
    const left = answered.filter((url) => /^https?:/.test(url) && new URL(url).host !== own);
    assert.deepEqual(left, [mirror(`${artifacts}/thief/?open`)]);
    await page.close();
    await reader.close();
  });

  it('sets no cookie that the mirror or another build is sent', async () => {
    upload(place, 'cookies', {
      'index.html': `<!doctype html><body><script>
        for (const domain of ['localhost', '.localhost', '127.0.0.1', location.hostname, ''])
          for (const path of ['/', ''])
            document.cookie = 'planted' + domain.length + '=1' + (domain && '; Domain=' + domain) + (path && '; Path=' + path);
        document.body.append('planted: ' + document.cookie);
      </script>`,
    });
    const page = await context.newPage();
    await page.goto(mirror(`${artifacts}/cookies/?open`));
    // Its own it may have.
    assert.match((await page.locator('body').textContent()) ?? '', /planted: planted/);
    for (const url of [
      mirror('/acme/'),
      `http://localhost:${site.port}/acme/`,
      mirror(`${otherArtifacts}/report/?open`),
    ]) {
      const told: (string | undefined)[] = [];
      page.on('request', (request) => void request.allHeaders().then((headers) => told.push(headers['cookie'])));
      await page.goto(url);
      await page.waitForLoadState('networkidle');
      page.removeAllListeners('request');
      assert.ok(told.length > 0);
      assert.ok(!told.some((cookie) => cookie?.includes('planted')), `${url}: ${String(told)}`);
    }
    await page.close();
  });

  it('stays inert on the mirror’s own host, where nothing of it runs', async () => {
    const page = await context.newPage();
    for (const [report, drawn] of [
      ['many-files', '#done'],
      ['storybook-static', '#storybook-preview-iframe'],
    ] as const) {
      await page.goto(mirror(`${artifacts}/${report}/index.html`));
      await page.waitForLoadState('networkidle');
      assert.equal(await page.locator(drawn).count(), 0, report);
    }
    await page.close();
  });
});
