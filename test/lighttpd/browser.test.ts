import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Browser, chromium, type Page } from 'playwright-core';
import { chromiumNeed, findCommand } from '../../src/programs.ts';
import { build, openJob, place, put, type Site, startSite } from './site.ts';

const executablePath = findCommand(chromiumNeed.commands, '/usr/local/bin:/usr/bin:/bin');
const skip = executablePath === null ? 'no Chromium on this machine' : false;
const folder = `${build}/jobs/${openJob}/artifacts/report`;
const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAIAAAADCAYAAAC56t6BAAAADklEQVR4nGP4z8AARGAAAA/5Av48D0EnAAAAAElFTkSuQmCC',
  'base64',
);
const evil = '<script>document.title = "ran"; fetch("/-/healthz")</script>';

/** A report as test tools write it, with all that an author of bad will could put in. */
const report: Record<string, string | Buffer> = {
  'index.html': `<!doctype html><title>report</title><link rel=stylesheet href=css/style.css><h1 id=title onclick="document.title='ran'">Report</h1>
    <img src=shot.png onload="document.title='ran'"><a id=next href=detail.html>more</a><iframe src=detail.html></iframe>
    <form id=form action=/-/healthz><button>send</button></form><a id=js href="javascript:document.title='ran'">js</a>${evil}`,
  'css/style.css': '#title { color: rgb(1, 2, 3) }',
  'shot.png': png,
  'detail.html': `<!doctype html><title>detail</title><p>detail</p>${evil}`,
  'vector.svg':
    '<svg xmlns="http://www.w3.org/2000/svg"><title>v</title><script>document.documentElement.setAttribute("ran", "1")</script></svg>',
  'page.xml':
    '<html xmlns="http://www.w3.org/1999/xhtml"><title>x</title><body><script>document.title = "ran"</script></body></html>',
};

let site: Site;
let browser: Browser;
let page: Page;
/** Everything that the mirror was asked for. */
const asked: string[] = [];

before(async () => {
  if (executablePath === null) return;
  site = await startSite();
  for (const [name, content] of Object.entries(report)) {
    put(site.paths, site.paths.jobFile(place, openJob, `artifacts/report/${name}`), content);
  }
  const quiet = ['--disable-background-networking', '--no-first-run', '--disable-component-update', '--disable-sync'];
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', ...quiet] });
  page = await browser.newPage();
  page.on('request', (request) => asked.push(new URL(request.url()).pathname));
});
after(async () => {
  await browser?.close();
  await site?.close();
});

const open = (path: string): ReturnType<Page['goto']> => page.goto(`http://127.0.0.1:${site.port}${path}`);

describe('a report in a browser', { skip }, () => {
  it('looks as its author made it: style, pictures, frames, links', async () => {
    await open(`${folder}/`);
    assert.equal(await page.evaluate("getComputedStyle(document.querySelector('#title')).color"), 'rgb(1, 2, 3)');
    assert.equal(await page.evaluate("document.querySelector('img').naturalWidth"), 2);
    assert.equal(await page.frameLocator('iframe').locator('p').textContent(), 'detail');
    await page.click('#next');
    await page.waitForURL(/detail\.html$/);
    assert.equal(await page.title(), 'detail');
  });

  it('runs nothing and sends nothing', async () => {
    await open(`${folder}/`);
    await page.click('#title');
    await page.click('#js');
    await page.click('button');
    assert.equal(await page.title(), 'report');
    await open(`${folder}/vector.svg`);
    assert.equal(await page.locator('svg').getAttribute('ran'), null);
    await open(`${folder}/page.xml`);
    assert.equal(await page.title(), 'x');
    assert.ok(asked.length > 5);
    assert.ok(!asked.includes('/-/healthz'));
  });

  it('is not to be framed by a page of another site', async () => {
    const frame = await browser.newPage();
    await frame.setContent(`<iframe src="http://127.0.0.1:${site.port}${folder}/detail.html"></iframe>`);
    assert.equal(await frame.frameLocator('iframe').getByText('detail', { exact: true }).count(), 0);
    await frame.close();
  });

  it('cannot be mistaken for a page of ours, nor one of ours for a report', async () => {
    const ours = site.paths.page(...build.slice(1).split('/'));
    mkdirSync(dirname(ours), { recursive: true });
    writeFileSync(ours, `<!doctype html><title>ours</title><style>p { color: rgb(4, 5, 6) }</style><p>ours</p>${evil}`);
    await open(`${build}/`);
    assert.equal(await page.title(), 'ours');
    assert.equal(await page.evaluate("getComputedStyle(document.querySelector('p')).color"), 'rgb(4, 5, 6)');
  });
});
