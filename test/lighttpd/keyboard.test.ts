/** Pages in a browser whose reader has a keyboard and nothing else. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Browser, chromium, type Locator, type Page } from 'playwright-core';
import { chromiumNeed, findCommand } from '../../src/programs.ts';
import { sampleArtifact, sampleBuild, sampleJob, uuid } from '../pages/samples.ts';
import { type LogScene, startLogScene } from './log-scene.ts';
import { until } from './until.ts';

const executablePath = findCommand(chromiumNeed.commands, '/usr/local/bin:/usr/bin:/bin');
const skip = executablePath === null ? 'no Chromium on this machine' : false;
/** More than the tree has room for, so that the folder comes when it is opened. */
const late = Array.from({ length: 410 }, (_, at) => `late/file-${String(at).padStart(3, '0')}.txt`);

let scene: LogScene;
let browser: Browser;
let builds: string;
let log: string;
before(async () => {
  if (executablePath === null) return;
  scene = await startLogScene();
  for (const [number, beside] of [
    [41, { previous: null, next: 42 }],
    [42, { previous: 41, next: null }],
  ] as const) {
    const id = uuid(number);
    const artifacts = ['early/report.txt', ...late].map((path, at) => sampleArtifact(id, at, path));
    const jobs = [sampleJob(number, { id, artifacts })];
    await scene.addBuild(sampleBuild(jobs, { number, id: uuid(900 + number) }), jobs, beside);
  }
  const part = (name: string): string => `--- ${name}\r\n${`a line of ${name}\r\n`.repeat(4000)}`;
  ({ url: log } = await scene.add(7, ['one', 'two', 'three'].map(part)));
  builds = `http://127.0.0.1:${scene.site.port}/acme/web/builds`;
  const quiet = ['--disable-background-networking', '--no-first-run', '--disable-component-update', '--disable-sync'];
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', ...quiet] });
});
after(async () => {
  await browser?.close();
  await scene?.close();
});

async function open(url: string): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  page.setDefaultTimeout(30_000);
  await page.goto(url);
  return page;
}

/** Goes on with the tab key until it is there, and sees that the way shows where it is. */
async function tabTo(page: Page, wanted: Locator): Promise<void> {
  const hasFocus = (): Promise<boolean> => wanted.evaluate((element) => element.matches(':focus'));
  for (let steps = 0; steps < 200 && !(await hasFocus()); steps += 1) await page.keyboard.press('Tab');
  assert.ok(await hasFocus(), 'the tab key leads there');
  assert.notEqual(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle'), 'none');
}

const chosen = (page: Page): Promise<number> => page.locator('.chosen').count();

describe('with a keyboard alone', { skip, timeout: 120_000 }, () => {
  it('a folder of the tree opens and closes, one whose files come only then too', async () => {
    const page = await open(`${builds}/42/`);
    const early = page.locator('#tree summary', { hasText: 'early/' });
    const report = page.getByRole('link', { name: 'report.txt', exact: true });
    await tabTo(page, early);
    await page.keyboard.press('Enter');
    await report.waitFor();
    await page.keyboard.press('Space');
    await report.waitFor({ state: 'hidden' });
    await tabTo(page, page.locator('#tree summary', { hasText: 'late/' }));
    await page.keyboard.press('Enter');
    const last = page.getByRole('link', { name: 'file-409.txt', exact: true });
    await last.waitFor();
    await tabTo(page, page.getByRole('link', { name: 'file-000.txt', exact: true }));
    await page.close();
  });

  it('a group of a long log folds and unfolds, and the focus stays on it', async () => {
    const page = await open(log);
    await page.locator('#log[data-far][data-ready]').waitFor();
    const group = page.locator('#L1 .fold');
    await tabTo(page, group);
    const before = await group.getAttribute('aria-expanded');
    await page.keyboard.press('Enter');
    await until('the group to change', async () => (await group.getAttribute('aria-expanded')) !== before);
    await page.keyboard.press('Space');
    await until('the group to change back', async () => (await group.getAttribute('aria-expanded')) === before);
    assert.ok(await group.evaluate((element) => element.matches(':focus')));
    await tabTo(page, page.locator('#L4002 .fold'));
    await page.keyboard.press('Enter');
    await page.locator('#L4003:not(.waits)').waitFor();
    assert.equal(await page.locator('#L4003 > span').innerText(), 'a line of two');
    await page.close();
  });

  it('n and p lead to the next build and to the one before', async () => {
    const page = await open(`${builds}/41/`);
    await page.keyboard.press('n');
    await page.waitForURL(`${builds}/42/`);
    await page.keyboard.press('n');
    await page.keyboard.press('p');
    await page.waitForURL(`${builds}/41/`);
    await page.close();
  });

  it('? tells the keys and turns them off, the button at the end turns them on again, and focus comes back', async () => {
    const page = await open(`${builds}/41/`);
    const dialog = page.getByRole('dialog', { name: 'Keys' });
    const box = page.getByRole('checkbox', { name: 'Single keys do this' });
    await page.keyboard.press('j');
    assert.equal(await chosen(page), 1);
    await page.keyboard.press('?');
    await dialog.waitFor();
    await page.keyboard.press('n');
    await tabTo(page, box);
    await page.keyboard.press('Space');
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    assert.ok(await page.evaluate('document.activeElement.closest(".chosen") !== null'), 'where it was before');

    await page.goto(log);
    await page.locator('#log[data-ready]').waitFor();
    for (const key of ['?', 'e', 't', 'g', 'n', '/']) await page.keyboard.press(key);
    assert.equal(new URL(page.url()).hash, '', 'the log has its keys off too');
    assert.equal(await page.locator('#log.times, dialog, input:focus').count(), 0);

    await page.goto(`${builds}/41/`);
    for (const key of ['?', 'j', 'n', '/']) await page.keyboard.press(key);
    assert.equal(await chosen(page), 0);
    assert.equal(await page.locator('dialog, input:focus').count(), 0);
    const keys = page.getByRole('button', { name: 'Keys' });
    await tabTo(page, keys);
    await page.keyboard.press('Enter');
    await tabTo(page, box);
    assert.equal(await box.isChecked(), false);
    await page.keyboard.press('Space');
    await tabTo(page, page.getByRole('button', { name: 'Close' }));
    await page.keyboard.press('Enter');
    assert.ok(await keys.evaluate((element) => element.matches(':focus')));
    await page.keyboard.press('j');
    assert.equal(await chosen(page), 1);
    await page.close();
  });

  it('a key pressed in the dialog does nothing behind it, on the page of a log neither', async () => {
    const page = await open(log);
    await page.locator('#log[data-ready]').waitFor();
    await page.keyboard.press('?');
    await tabTo(page, page.getByRole('button', { name: 'Close' }));
    for (const key of ['e', 't', '/']) await page.keyboard.press(key);
    assert.equal(new URL(page.url()).hash, '');
    assert.equal(await page.locator('#log.times').count(), 0);
    await page.close();
  });
});
