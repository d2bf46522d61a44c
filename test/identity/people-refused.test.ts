/** People in a real browser whom the provider refuses, and whose session ends by itself. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { seal } from '../../src/identity/seals.ts';
import { identityState } from '../../src/identity/state.ts';
import { chromiumNeed, findCommand } from '../../src/programs.ts';
import type { Place } from '../../src/tree/paths.ts';
import { until } from '../lighttpd/until.ts';
import { addressOf, job, type Mirror, startMirror } from './scene.ts';

const executablePath = findCommand(chromiumNeed.commands, '/usr/local/bin:/usr/bin:/bin');
const skip = executablePath === null ? 'no Chromium on this machine' : false;
const web: Place = { organization: 'acme', folder: 'web', number: 42 };
const file = `${addressOf(web)}/jobs/${job}/artifacts/a.txt`;

let mirror: Mirror;
let browser: Browser;
let context: BrowserContext;
let page: Page;

before(async () => {
  if (executablePath === null) return;
  mirror = await startMirror([web], 'version: 1\nrules:\n  - { who: { signed_in: true }, read: acme/web }\n');
  mirror.provider.accounts.set('ann', { email: 'ann@example.com', email_verified: true, groups: [] });
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
  context = await browser.newContext();
  page = await context.newPage();
});
after(async () => {
  await browser?.close();
  await mirror?.close();
});

const sessions = async (): Promise<string[]> =>
  (await context.cookies(mirror.origin)).filter(({ name }) => name === 'kitemirror').map(({ value }) => value);
const recorded = (action: string): Record<string, unknown>[] => mirror.audit().filter((line) => line.action === action);

describe('a person', { skip }, () => {
  it('whom the provider does not let in is told so by a page, and the audit tells why under its id', async () => {
    await page.goto(`${mirror.origin}${file}`);
    assert.ok(page.url().startsWith(mirror.provider.issuer));
    const back = page.waitForResponse((response) => response.url().startsWith(`${mirror.origin}/-/auth/callback`));
    await page.click('a:text("Cancel")');
    const answer = await back;
    assert.equal(answer.status(), 403);
    assert.match(new URL(answer.url()).search, /error=access_denied/);
    await page.waitForSelector('h1');
    assert.match(await page.innerText('main'), /You were not signed in/);
    assert.equal(await page.getAttribute('a.button', 'href'), '/');
    assert.deepEqual(await sessions(), []);
    const [line, ...more] = recorded('refusal');
    assert.deepEqual([line?.what, more.length], ['login', 0]);
    assert.equal(line?.reason, 'the provider says access_denied: End-User aborted interaction');
    assert.ok((await page.content()).includes(String(line?.request)));
  });

  it('whose session is over goes by the provider and comes back to the same page', async () => {
    await page.goto(`${mirror.origin}${file}`);
    await page.fill('input[name=login]', 'ann');
    await page.fill('input[name=password]', 'any');
    await page.click('button[type=submit]');
    await page.waitForLoadState();
    if (page.url().startsWith(mirror.provider.issuer)) await page.click('button[type=submit]');
    await page.waitForURL(`${mirror.origin}${file}`);
    // The same session, but for its end; a cookie that the browser itself would keep, so that the mirror is what refuses it.
    const [, , , id = '', subject = '', issued = ''] = (await sessions()).join().split('.');
    const [key] = [...(await identityState(mirror.paths).keys.all()).values()];
    assert.ok(key !== undefined);
    const facts = { id, subject, issued: Number(issued), expires: Math.floor(Date.now() / 1000) + 5 };
    const short = seal({ id: key.id, secret: Buffer.from(key.secret, 'hex') }, 'session', facts);
    await context.addCookies([{ name: 'kitemirror', value: short, url: mirror.origin }]);
    const status = async (): Promise<number> =>
      (await mirror.get(file, { headers: { Cookie: `kitemirror=${short}` } })).status;
    assert.equal(await status(), 200);
    await until('it is over', async () => (await status()) === 401);
    await page.goto(`${mirror.origin}${file}`);
    assert.equal(page.url(), `${mirror.origin}${file}`);
    assert.equal(await page.textContent('body'), 'of web 42');
    assert.notDeepEqual(await sessions(), [short]);
    const [first, second] = recorded('login').map((line) => line.id);
    assert.equal(first, id);
    assert.ok(second !== undefined && second !== id, 'a new one, not the old one lengthened');
  });
});
