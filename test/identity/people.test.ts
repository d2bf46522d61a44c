/** People in a real browser, with a real OpenID provider: in, along, out. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { chromiumNeed, findCommand } from '../../src/programs.ts';
import { ensureKeys } from '../../src/tree/keys.ts';
import type { Place } from '../../src/tree/paths.ts';
import { until } from '../lighttpd/until.ts';
import { addressOf, job, type Mirror, startMirror } from './scene.ts';

const executablePath = findCommand(chromiumNeed.commands, '/usr/local/bin:/usr/bin:/bin');
const skip = executablePath === null ? 'no Chromium on this machine' : false;
const web: Place = { organization: 'acme', folder: 'web', number: 42 };
const sibling: Place = { organization: 'acme', folder: 'web', number: 43 };
const vault: Place = { organization: 'acme', folder: 'vault', number: 7 };
/** What the mirror promises: a change counts within a minute. */
const promisedMs = 60_000;
const artifact = (at: Place, name: string): string => `${addressOf(at)}/jobs/${job}/artifacts/${name}`;
const policy = (more = ''): string => `version: 1
rules:
  - { who: { group: engineering }, read: acme/web@main }
${more}`;

let mirror: Mirror;
let browser: Browser;
let context: BrowserContext;
let page: Page;

async function signIn(name: string): Promise<void> {
  await page.fill('input[name=login]', name);
  await page.fill('input[name=password]', 'any');
  await page.click('button[type=submit]');
  // The provider asks once whether the mirror may know.
  await page.waitForLoadState();
  if (page.url().startsWith(mirror.provider.issuer)) await page.click('button[type=submit]');
  await page.waitForURL((url) => url.origin === mirror.origin);
}

const text = (path: string): Promise<{ status: number; text: string }> =>
  page.evaluate(
    `fetch(${JSON.stringify(path)}).then(async (answer) => ({ status: answer.status, text: await answer.text() }))`,
  );

before(async () => {
  if (executablePath === null) return;
  mirror = await startMirror([web, sibling, vault], policy(), { env: { KITEMIRROR_OIDC_SESSION_SECONDS: '3600' } });
  ensureKeys(mirror.paths.contentKeys);
  mirror.provider.accounts.set('ann', { email: 'Ann@example.com', email_verified: true, groups: ['engineering'] });
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
  context = await browser.newContext();
  page = await context.newPage();
});
after(async () => {
  await browser?.close();
  await mirror?.close();
});

describe('a person', { skip }, () => {
  it('who opens a deep link signs in and arrives where it leads', async () => {
    await page.goto(`${mirror.origin}${artifact(web, 'a.txt')}?x=1&y=2`);
    assert.ok(page.url().startsWith(mirror.provider.issuer));
    await signIn('ann');
    assert.equal(page.url(), `${mirror.origin}${artifact(web, 'a.txt')}?x=1&y=2`);
    assert.equal(await page.textContent('body'), 'of web 42');
    const [cookie] = (await context.cookies(mirror.origin)).filter(({ name }) => name === 'kitemirror');
    assert.deepEqual([cookie?.httpOnly, cookie?.sameSite, cookie?.path], [true, 'Lax', '/']);
    assert.doesNotMatch(cookie?.value ?? '', /ann|engineering/);
  });

  it('reads what the policy says, and finds nothing else', async () => {
    await page.goto(`${mirror.origin}${addressOf(web)}/`);
    assert.equal(await page.title(), 'the page of web');
    assert.equal((await text(artifact(vault, 'a.txt'))).status, 404);
    assert.equal((await text(`${addressOf(vault)}/?list`)).status, 404);
    const me = JSON.parse((await text('/-/auth/me')).text) as Record<string, unknown>;
    assert.deepEqual([me.kind, me.name, me.issuer], ['user', 'ann@example.com', mirror.provider.issuer]);
  });

  it('opens a report of several files on its own host, where it runs', async () => {
    await page.goto(`${mirror.origin}${artifact(web, 'r/')}?open`);
    assert.match(page.url(), /^http:\/\/[0-9a-f]{40}\.localhost:/);
    assert.equal(await page.title(), 'of web 42');
    const reached = page.url();
    const stranger = await browser.newContext();
    const other = await stranger.newPage();
    await other.goto(reached);
    assert.ok(other.url().startsWith(mirror.provider.issuer), 'the address of a report opens nothing by itself');
    await stranger.close();
  });

  it('is led to a report by a ticket that holds for one use at one host', async () => {
    const session = (await context.cookies(mirror.origin)).find(({ name }) => name === 'kitemirror');
    const headers = { Cookie: `kitemirror=${session?.value}` };
    const entry = String((await mirror.get(`${artifact(web, 'r/')}?open`, { headers })).headers.location);
    const { host, pathname, search } = new URL(entry);
    const visit = (at: string): ReturnType<Mirror['get']> => mirror.get(pathname + search, { headers: { Host: at } });
    const first = await visit(host);
    assert.equal(first.status, 302);
    assert.match(String(first.headers['set-cookie']), /^kitemirror-content=v1\.c\..*HttpOnly; SameSite=Lax/);
    // It ends with the session that it was given for.
    const [, life] = /Max-Age=(\d+)/.exec(String(first.headers['set-cookie'])) ?? [];
    assert.ok(Number(life) > 0 && Number(life) <= 3600, life);
    assert.equal((await visit(host)).status, 403);
    const cookie = String(first.headers['set-cookie']).split(';')[0] ?? '';
    const other = `${'0'.repeat(40)}.${host.split('.').slice(1).join('.')}`;
    assert.equal(
      (await mirror.get(artifact(web, 'r/app.js'), { headers: { Host: host, Cookie: cookie } })).status,
      200,
    );
    assert.notEqual(
      (await mirror.get(artifact(web, 'r/app.js'), { headers: { Host: other, Cookie: cookie } })).status,
      200,
    );
    assert.equal(
      (await mirror.get(artifact(vault, 'r/app.js'), { headers: { Host: host, Cookie: cookie } })).status,
      401,
    );
    assert.equal((await mirror.get(artifact(web, 'a.txt'), { headers: { Cookie: cookie } })).status, 401);
  });

  it('who may read two builds reads neither’s files by the cookie of the other’s report', async () => {
    const session = (await context.cookies(mirror.origin)).find(({ name }) => name === 'kitemirror');
    const enter = async (at: Place): Promise<{ host: string; cookie: string }> => {
      const headers = { Cookie: `kitemirror=${session?.value}` };
      const entry = new URL(String((await mirror.get(`${artifact(at, 'r/')}?open`, { headers })).headers.location));
      const { headers: told } = await mirror.get(entry.pathname + entry.search, { headers: { Host: entry.host } });
      return { host: entry.host, cookie: String(told['set-cookie']).split(';')[0] ?? '' };
    };
    const [ours, theirs] = [await enter(web), await enter(sibling)];
    assert.notEqual(ours.host, theirs.host);
    const read = async (host: string, cookie: string, at: Place): Promise<number> =>
      (await mirror.get(artifact(at, 'r/app.js'), { headers: { Host: host, Cookie: cookie } })).status;
    assert.deepEqual(
      [await read(ours.host, ours.cookie, web), await read(theirs.host, theirs.cookie, sibling)],
      [200, 200],
    );
    assert.equal(await read(theirs.host, ours.cookie, sibling), 401, 'another host');
    assert.equal(await read(theirs.host, ours.cookie, web), 401, 'another host, its own file');
    assert.equal(await read(ours.host, ours.cookie, sibling), 404, 'its own host, another build’s file');
  });

  it('reads more or less as the policy changes, within a minute and without a new login', async () => {
    await page.goto(`${mirror.origin}${addressOf(web)}/`);
    mirror.policy(policy('  - { who: { user: ann@example.com }, read: acme/vault }'));
    await until('the vault is open', async () => (await text(artifact(vault, 'a.txt'))).status === 200, promisedMs);
    mirror.policy('version: 1\nrules: [}');
    mirror.policy(policy());
    await until('it is closed again', async () => (await text(artifact(vault, 'a.txt'))).status === 404, promisedMs);
  });

  it('who leaves a group loses what it read, without a new login', async () => {
    mirror.provider.accounts.set('ann', { email: 'ann@example.com', email_verified: true, groups: [] });
    await until('the group is gone', async () => (await text(artifact(web, 'a.txt'))).status === 404, promisedMs);
    mirror.provider.accounts.set('ann', { email: 'ann@example.com', email_verified: true, groups: ['engineering'] });
    await until('the group is back', async () => (await text(artifact(web, 'a.txt'))).status === 200, promisedMs);
  });

  it('makes a link that others read by, until it may not be read any more', async () => {
    const body = JSON.stringify({ path: artifact(web, 'a.txt') });
    const asked = `{ method: 'POST', headers: { 'Content-Type': 'application/json' }, body: ${JSON.stringify(body)} }`;
    const made = await page.evaluate(`fetch('/-/auth/links', ${asked}).then((answer) => answer.text())`);
    const link = JSON.parse(String(made)) as { url: string };
    const path = link.url.slice(mirror.origin.length);
    assert.equal((await mirror.get(path)).text, 'of web 42');
    assert.equal((await mirror.get(path.replace('a.txt', 'r/app.js'))).status, 401);
  });

  it('is named in the head of each page, and led from there to the way out', async () => {
    await page.goto(`${mirror.origin}/acme/`);
    const account = page.locator('a.account');
    await until('the page says who is signed in', async () => (await account.textContent()) === 'ann@example.com');
    await account.click();
    assert.match(await page.innerText('main'), /Signed in as ann@example\.com/);
    assert.ok((await page.content()).includes(mirror.provider.issuer));
  });

  it('who signs out is out, here and wherever the cookie went', async () => {
    const session = (await context.cookies(mirror.origin)).find(({ name }) => name === 'kitemirror');
    // Without a script: a form, and the page that it leads to.
    await page.goto(`${mirror.origin}/-/auth/`);
    await page.click('button:text("Sign out")');
    await page.waitForSelector('h1:text("Not signed in")');
    assert.equal(page.url(), `${mirror.origin}/-/auth/`);
    assert.equal(await page.getAttribute('a.button', 'href'), '/-/auth/login?to=%2F');
    assert.deepEqual(
      (await context.cookies(mirror.origin)).map(({ name }) => name).filter((name) => name === 'kitemirror'),
      [],
    );
    const told = await mirror.get('/-/auth/logout', { method: 'POST' });
    assert.equal(told.headers['clear-site-data'], '"cache", "cookies", "storage"');
    const headers = { Cookie: `kitemirror=${session?.value}` };
    await until(
      'the session is void',
      async () => (await mirror.get(artifact(web, 'a.txt'), { headers })).status === 401,
    );
    const kinds = mirror.audit().map(({ action, who }) => `${String(action)} ${String(who)}`);
    assert.ok(kinds.includes('login ann@example.com') && kinds.includes('logout ann@example.com'));
  });
});
