/** People in a real browser over TLS, and what somebody has planted there before them. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Browser, type BrowserContext, type Cookie, chromium, type Page } from 'playwright-core';
import { chromiumNeed, findCommand } from '../../src/programs.ts';
import { ensureKeys } from '../../src/tree/keys.ts';
import type { Place } from '../../src/tree/paths.ts';
import { addressOf, job, type Mirror, startMirror } from './scene.ts';

const path = '/usr/local/bin:/usr/bin:/bin';
const executablePath = findCommand(chromiumNeed.commands, path);
const skip =
  executablePath === null || findCommand(['openssl'], path) === null ? 'no Chromium or no openssl here' : false;
const web: Place = { organization: 'acme', folder: 'web', number: 42 };
const report = `${addressOf(web)}/jobs/${job}/artifacts/r/`;
const policy = 'version: 1\nrules:\n  - { who: { domain: example.com }, read: acme/web }\n';

let mirror: Mirror;
let browser: Browser;

before(async () => {
  if (skip !== false || executablePath === null) return;
  mirror = await startMirror([web], policy, { isSecure: true });
  ensureKeys(mirror.paths.contentKeys);
  for (const name of ['ann', 'eve'])
    mirror.provider.accounts.set(name, { email: `${name}@example.com`, email_verified: true, groups: [] });
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
});
after(async () => {
  await browser?.close();
  await mirror?.close();
});

async function openBrowser(): Promise<{ context: BrowserContext; page: Page }> {
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  return { context, page: await context.newPage() };
}

async function signIn(page: Page, name: string): Promise<void> {
  await page.goto(`${mirror.origin}/-/auth/login?to=/`);
  await page.fill('input[name=login]', name);
  await page.fill('input[name=password]', 'any');
  await page.click('button[type=submit]');
  // The provider asks whether the mirror may know, in each browser once.
  await page.waitForSelector('input[name=login]', { state: 'detached' });
  await page.waitForLoadState();
  if (page.url().startsWith(mirror.provider.issuer)) await page.click('button[type=submit]');
  await page.waitForURL(`${mirror.origin}/`);
}

const cookieOf = async (context: BrowserContext, name: string, at = mirror.origin): Promise<Cookie | undefined> =>
  (await context.cookies(at)).find((cookie) => cookie.name === name);

describe('over TLS a person', { skip }, () => {
  it('has a cookie that no other host can set, and is told to come by https alone', async () => {
    const { context, page } = await openBrowser();
    await signIn(page, 'ann');
    const cookie = await cookieOf(context, '__Host-kitemirror');
    assert.deepEqual(
      [cookie?.secure, cookie?.httpOnly, cookie?.sameSite, cookie?.path, cookie?.domain],
      [true, true, 'Lax', '/', '127.0.0.1'],
    );
    const answer = await page.goto(`${mirror.origin}${addressOf(web)}/`);
    assert.equal(answer?.status(), 200);
    assert.equal((await answer?.allHeaders())?.['strict-transport-security'], 'max-age=31536000');
    await context.close();
  });

  it('opens a report on its own host, by a cookie that is that host’s', async () => {
    const { context, page } = await openBrowser();
    await signIn(page, 'ann');
    await page.goto(`${mirror.origin}${report}?open`);
    assert.match(page.url(), /^https:\/\/[0-9a-f]{40}\.localhost:/);
    assert.equal(await page.title(), 'of web 42');
    const cookie = await cookieOf(context, '__Host-kitemirror-content', page.url());
    assert.deepEqual([cookie?.secure, cookie?.httpOnly, cookie?.domain], [true, true, new URL(page.url()).hostname]);
    await context.close();
  });

  it('goes on with nothing that was planted: no session, no login, no cookie without the prefix', async () => {
    const eve = await openBrowser();
    await signIn(eve.page, 'eve');
    const planted = (await cookieOf(eve.context, '__Host-kitemirror'))?.value ?? '';
    const { context, page } = await openBrowser();
    const at = { url: mirror.origin, secure: true };
    // The worst that could be: a whole session, and the same under the name that other hosts could set.
    await context.addCookies([{ ...at, name: 'kitemirror', value: planted }]);
    assert.equal((await page.goto(`${mirror.origin}/-/auth/me`))?.status(), 200);
    assert.equal((JSON.parse(await page.innerText('body')) as { kind: string }).kind, 'anonymous');
    await context.addCookies([{ ...at, name: '__Host-kitemirror', value: planted }]);
    await signIn(page, 'ann');
    const own = await cookieOf(context, '__Host-kitemirror');
    assert.notEqual(own?.value, planted);
    await page.goto(`${mirror.origin}/-/auth/me`);
    assert.equal((JSON.parse(await page.innerText('body')) as { name: string }).name, 'ann@example.com');
    // Nor has whoever planted it become somebody else.
    await eve.page.goto(`${mirror.origin}/-/auth/me`);
    assert.equal((JSON.parse(await eve.page.innerText('body')) as { name: string }).name, 'eve@example.com');
    await Promise.all([context.close(), eve.context.close()]);
  });

  it('cannot be signed in as somebody else by the end of a login that another browser has begun', async () => {
    const eve = await openBrowser();
    let end = '';
    eve.page.on('request', (request) => {
      if (request.url().startsWith(`${mirror.origin}/-/auth/callback`)) end = request.url();
    });
    await signIn(eve.page, 'eve');
    assert.match(end, /code=/);
    const { context, page } = await openBrowser();
    const answer = await page.goto(end);
    assert.equal(answer?.status(), 403);
    assert.ok(mirror.audit().some(({ reason }) => /no login was begun here/.test(String(reason))));
    assert.equal(await cookieOf(context, '__Host-kitemirror'), undefined);
    await Promise.all([context.close(), eve.context.close()]);
  });
});
