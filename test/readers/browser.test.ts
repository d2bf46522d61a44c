import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { renderBadge } from '../../src/pages/badge.ts';
import { pageSecurityPolicy } from '../../src/pages/layout.ts';
import { chromiumNeed, findCommand } from '../../src/programs.ts';
import { assetAt } from '../pages/assets.ts';
import { barriers } from '../pages/barriers.ts';
import { everyPage } from '../pages/every-page.ts';
import { hostile, hostileBuild, sampleArtifact, sampleBuild, sampleJob, uuid } from '../pages/samples.ts';

const executablePath = findCommand(chromiumNeed.commands, process.env['PATH'] ?? '');
const skip = executablePath === null ? 'no Chromium on this machine' : false;

const artifacts = [sampleArtifact(uuid(1), 1, 'a/b.txt'), sampleArtifact(uuid(1), 2, `${'long-name-'.repeat(20)}.txt`)];
const long = 'x'.repeat(200);
const ordinary = [sampleJob(1, { artifacts, name: long })];
const pages = new Map([
  ...Array.from(everyPage(hostileBuild(), hostile), ([name, page]) => [`hostile ${name}`, page] as const),
  ...everyPage({ build: sampleBuild(ordinary), jobs: ordinary }, 'text'),
  ...Array.from(
    everyPage({ build: sampleBuild(ordinary), jobs: ordinary }, long),
    ([name, page]) => [`long ${name}`, page] as const,
  ),
]);
const views: [string, BrowserContextOptions][] = [
  ['wide and light', { viewport: { width: 1440, height: 900 }, colorScheme: 'light' }],
  ['360 px and dark', { viewport: { width: 360, height: 740 }, colorScheme: 'dark' }],
];

/** What stands for the pictures, films and sounds of a build. @returns null for another address */
function mediaAt(path: string): { type: string; body: string } | null {
  const [, kind] = /\.(svg|png|image|video|audio)$/.exec(path) ?? [];
  if (kind === undefined || path.startsWith('/-/')) return null;
  if (kind === 'video' || kind === 'audio') return { type: `${kind}/webm`, body: '' };
  return { type: 'image/svg+xml', body: renderBadge('passed') };
}

let browser: Browser;
/** Sends each page with the policy that the gateway and Lighttpd send. */
const server = createServer((request, response) => {
  const [path = ''] = (request.url ?? '').split('?');
  const found = mediaAt(path) ??
    assetAt(path) ?? {
      type: 'text/html; charset=utf-8',
      body: pages.get(decodeURIComponent(path.slice(1))),
    };
  response.writeHead(found.body === undefined ? 404 : 200, {
    'Content-Type': found.type,
    'Content-Security-Policy': pageSecurityPolicy(request.headers.host),
    'X-Content-Type-Options': 'nosniff',
  });
  response.end(found.body);
});

before(async () => {
  if (executablePath === null) return;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const quiet = ['--disable-background-networking', '--no-first-run', '--disable-component-update', '--disable-sync'];
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', ...quiet] });
});
after(async () => {
  await browser?.close();
  server.close();
});

function origin(): string {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return `http://127.0.0.1:${address.port}`;
}

/** Everything that a page of ours must never cause. */
function watch(page: Page): string[] {
  const seen: string[] = [];
  page.on('dialog', (dialog) => {
    seen.push(`dialog ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('console', (message) => seen.push(`console ${message.text()}`));
  page.on('pageerror', (error) => seen.push(`error ${error.message}`));
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(`${origin()}/`) && !url.startsWith('data:')) seen.push(`request ${url}`);
  });
  return seen;
}

for (const [view, options] of views) {
  test(`every page loads without a foreign script, a fault, a barrier or a foreign request, and fits: ${view}`, {
    skip,
    timeout: 300_000,
  }, async () => {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    const seen = watch(page);
    const wide: string[] = [];
    for (const name of pages.keys()) {
      await page.goto(`${origin()}/${encodeURIComponent(name)}`);
      assert.deepEqual(seen, [], name);
      const scripts = await page.locator('script').evaluateAll((all) => all.map((each) => each.getAttribute('src')));
      assert.ok(
        scripts.every((src) => src?.startsWith('/-/assets/')),
        name,
      );
      assert.equal(await page.locator('iframe, object, embed, base, img:is([src^="/"], [src*=":"])').count(), 0, name);
      assert.equal(await page.locator('main h1').count(), 1, name);
      const over = await page.evaluate<number>(
        'document.documentElement.scrollWidth - document.documentElement.clientWidth',
      );
      if (over > 0) wide.push(`${name} is ${over} px too wide`);
      if (!/^(hostile|long) /.test(name)) assert.deepEqual(await barriers(page), [], name);
    }
    assert.deepEqual(wide, []);
    await context.close();
  });
}

test('a hostile page survives being clicked and hovered everywhere', { skip, timeout: 120_000 }, async () => {
  const page = await browser.newPage();
  const seen = watch(page);
  for (const name of ['build', 'compare', 'pictures', 'tests', 'a file of image']) {
    await page.goto(`${origin()}/${encodeURIComponent(`hostile ${name}`)}`);
    for (const summary of await page.locator('summary').all()) await summary.dispatchEvent('click');
    for (const link of await page.locator('main a').all()) await link.dispatchEvent('mouseover');
    const links = await page.evaluate<string[]>('Array.from(document.querySelectorAll("a"), (link) => link.protocol)');
    assert.deepEqual(new Set(links), new Set(['http:']), name);
    assert.deepEqual(seen, [], name);
  }
  await page.close();
});

test('a keyboard alone reaches the content, and what has the focus shows it', { skip, timeout: 60_000 }, async () => {
  const page = await browser.newPage();
  await page.goto(`${origin()}/build`);
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate('document.activeElement.textContent'), 'Skip to content');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate('document.querySelector("main").contains(document.activeElement)'), true);
  assert.notEqual(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle'), 'none');
  await page.close();
});

test('instants are told relative to now, and told again as time goes by; facts keep the instant beside it', {
  skip,
  timeout: 60_000,
}, async () => {
  const page = await browser.newPage();
  await page.clock.install({ time: '2026-11-20T11:04:00.000Z' });
  await page.goto(`${origin()}/builds`);
  const time = page.locator('.rows time').first();
  assert.deepEqual(
    [await time.textContent(), await time.getAttribute('title')],
    ['2 hr. ago', '2026-11-20T09:04:00.000Z'],
  );
  await page.clock.fastForward('01:00:00');
  assert.equal(await time.textContent(), '3 hr. ago');
  await page.goto(`${origin()}/build`);
  assert.equal(await page.locator('.facts time').last().textContent(), '2026-11-20 09:04\u00a0UTC\n3 hr. ago');
  await page.close();
});

test('a line to copy has a button that copies it whole, where there is no clipboard to write to as well', {
  skip,
  timeout: 60_000,
}, async () => {
  const context = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] });
  const reader = await context.newPage();
  await reader.goto(`${origin()}/error`);
  for (const isSecure of [true, false]) {
    const page = await context.newPage();
    // As in a page that came by http from another machine.
    if (!isSecure) await page.addInitScript('Object.defineProperty(navigator, "clipboard", { value: undefined })');
    await page.goto(`${origin()}/build`);
    const line = page.locator('pre.copy').nth(Number(isSecure));
    const text = await line.locator('code').textContent();
    assert.match(text ?? '', /^curl -f.* 'http:\/\/mirror\.test\/acme\/web\/builds\/42\//);
    await line.getByRole('button', { name: 'Copy' }).click();
    await line.getByRole('button', { name: 'Copied' }).waitFor();
    await reader.bringToFront();
    assert.equal(await reader.evaluate('navigator.clipboard.readText()'), text);
    await page.close();
  }
  const page = await context.newPage();
  await page.addInitScript(
    'Object.defineProperty(navigator, "clipboard", { value: undefined }); document.execCommand = () => false',
  );
  await page.goto(`${origin()}/build`);
  const line = page.locator('pre.copy').first();
  await line.getByRole('button', { name: 'Copy' }).click();
  await line.getByRole('button', { name: 'Not copied' }).waitFor();
  await context.close();
});
