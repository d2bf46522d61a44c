import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Browser, chromium, type Page } from 'playwright-core';
import { chromiumNeed, findCommand } from '../../src/programs.ts';
import { barriers } from '../pages/barriers.ts';
import { ask } from './ask.ts';
import { type LogScene, startLogScene } from './log-scene.ts';
import { assertSoon, firstPaint } from './soon.ts';
import { until } from './until.ts';

const executablePath = findCommand(chromiumNeed.commands, '/usr/local/bin:/usr/bin:/bin');
const skip = executablePath === null ? 'no Chromium on this machine' : false;
const esc = '\u001b';
const stamp = (at: number): string => `${esc}_bk;t=${1787227200000 + at}\u0007`;
const needle = 'Error: the needle was not found in the haystack';

/** 300 MB, with groups, colours, and what is looked for far within. */
function* largeLog(): Generator<Buffer> {
  const lines = Array.from({ length: 2000 }, (_, at) => {
    if (at % 1000 === 0) return `${stamp(at)}--- :package: Part ${at}\r\n`;
    return `${stamp(at)}${esc}[32m✓${esc}[0m compiles module ${at} of the application, and of all that it depends upon ${esc}[90m(${at % 97} ms)${esc}[0m\r\n`;
  });
  const block = Buffer.from(lines.join('').repeat(10));
  yield Buffer.from(`${stamp(0)}~~~ Preparing\r\n${stamp(1)}$ make\r\n`);
  for (let bytes = 0; bytes < 300e6; bytes += block.length) {
    yield block;
    if (bytes < 200e6 && bytes + block.length >= 200e6)
      yield Buffer.from(`${stamp(5)}${esc}[31mError: the nee${esc}[1mdle${esc}[0m was not found in the haystack\r\n`);
  }
  yield Buffer.from(
    `${stamp(6)}${esc}[31m🚨 Error: The command exited with status 1${esc}[0m\r\n${stamp(7)}^^^ +++\r\n`,
  );
}

const smallLog = [
  `${stamp(0)}~~~ Preparing working directory\r\n${stamp(90)}$ git fetch İİİ Kebab\r\n`,
  `${stamp(1000)}--- :npm: Installing\r\n${stamp(1100)}10 %\r${esc}[K50 %\r${esc}[Kdone\r\n`,
  `${stamp(2000)}--- Tests\r\n${stamp(2100)}<script>alert(1)</script><img src=x onerror=alert(2)>\r\n`,
  `${stamp(2200)}${esc}]1339;url='javascript:alert(3)';content='click me'\u0007 ${esc}]8;;https://example.com/\u0007a link${esc}]8;;\u0007\r\n`,
  `${stamp(2300)}${esc}[31mAssertionError: expected 3, got 4${esc}[0m\r\n${stamp(2400)}🚨 Error: The command exited with status 1\r\n^^^ +++\r\n`,
];

/** Each colour and style in each place that a line can stand in: below headers and in them, plain, chosen and failing. */
const colours = [30, 31, 32, 33, 34, 35, 36, 37, 90, 91, '38;5;196', '38;5;240', '48;5;240', '48;5;196']
  .flatMap((color) =>
    ['', ';2', ';7', ';1;2;7'].map((style) => `${esc}[${color}${style}mcolour ${color}${style}${esc}[0m`),
  )
  .concat(`${esc}[2mfaint${esc}[0m`)
  .join(' ');
const link = `${esc}[2m${esc}]8;;https://example.com/\u0007a link${esc}]8;;\u0007${esc}[0m`;
const colouredLog = [
  `${stamp(0)}~~~ :hammer: Preparing ${colours}\r\n${stamp(90)}${colours}\r\n`,
  `${stamp(5000)}--- :unknown-emoji: Building ${colours}\r\n${stamp(5100)}${colours}\r\n${stamp(5200)}${colours}\r\n`,
  `${stamp(9000)}+++ Tests\r\n${stamp(9100)}${link} ${colours}\r\n🚨 Error: The command exited with status 1\r\n`,
];

const views = [
  ['wide and light', { colorScheme: 'light' }],
  ['360 px and dark', { colorScheme: 'dark', viewport: { width: 360, height: 740 } }],
] as const;

let scene: LogScene;
let browser: Browser;
let large: Awaited<ReturnType<LogScene['add']>>;
let small: Awaited<ReturnType<LogScene['add']>>;
let coloured: Awaited<ReturnType<LogScene['add']>>;
before(async () => {
  if (executablePath === null) return;
  scene = await startLogScene();
  small = await scene.add(1, smallLog);
  large = await scene.add(2, largeLog());
  coloured = await scene.add(3, colouredLog);
  const quiet = ['--disable-background-networking', '--no-first-run', '--disable-component-update', '--disable-sync'];
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', ...quiet] });
});
after(async () => {
  await browser?.close();
  await scene?.close();
});

/** A page, and everything that a page of ours must never cause. */
async function open(
  url: string,
  options: Parameters<Browser['newPage']>[0] = {},
): Promise<{ page: Page; seen: string[] }> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, ...options });
  const seen: string[] = [];
  page.on('dialog', (dialog) => {
    seen.push(`dialog ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('console', (message) => seen.push(`console ${message.text()}`));
  page.on('pageerror', (error) => seen.push(`error ${error.message}`));
  page.on('request', (request) => {
    if (new URL(request.url()).host !== `127.0.0.1:${scene.site.port}` && !request.url().startsWith('data:'))
      seen.push(request.url());
  });
  page.setDefaultTimeout(40_000);
  await page.goto(url);
  if (options?.javaScriptEnabled !== false) await page.locator('#log[data-ready]').waitFor();
  return { page, seen };
}

const tooWide = (page: Page): Promise<number> =>
  page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth');

const textOfLine = (page: Page, line: number): Promise<string> => page.locator(`#L${line} > span`).innerText();

describe('a log of 300 MB', { skip, timeout: 230_000 }, () => {
  it('is painted first within 300 ms with nothing cached, or hardly later than a small one on a busy machine', async (t) => {
    const load = async ({ url }: { url: string }): Promise<number> => {
      const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
      const page = await context.newPage();
      await page.goto(url);
      await page.locator('#log[data-ready]').waitFor({ timeout: 40_000 });
      const painted = await firstPaint(page);
      await context.close();
      return painted;
    };
    await assertSoon(
      t,
      () => load(large),
      () => load(small),
    );
  });

  it('scrolls to its end and back, by ranges of the file alone, with few elements', async () => {
    const { page, seen } = await open(large.url);
    const { lines } = large.index;
    const bytes: number[] = [];
    page.on('response', (response) => {
      if (response.url().endsWith('/log.txt')) bytes.push(Number(response.headers()['content-length']));
    });
    await page.locator('#log').focus();
    await page.keyboard.press('End');
    await page.locator(`#L${lines}:not(.waits)`).waitFor();
    assert.equal(await textOfLine(page, lines), '^^^ +++');
    assert.equal(await textOfLine(page, lines - 1), '🚨 Error: The command exited with status 1');
    await page.keyboard.press('Home');
    await page.locator('#L1:not(.waits)').waitFor();
    assert.ok(bytes.length > 0 && bytes.reduce((sum, each) => sum + each, 0) < 3e6, `${bytes.length} ranges`);
    assert.ok((await page.locator('#log *').count()) < 2000);
    assert.deepEqual(seen, []);
    await page.close();
  });

  it('moves by pages, and leaves no line out', async () => {
    const { page } = await open(large.url);
    await page.getByRole('button', { name: 'Fold all' }).click();
    await page.getByRole('button', { name: 'Unfold all' }).click();
    await page.goto(`${large.url}#L1000000`);
    await page.locator('#L1000000.on:not(.waits)').waitFor();
    // The first line in view, once it has been the same for so many frames that no movement can be under way.
    const seenFirst = `new Promise((done) => {
      let before = 0, same = 0;
      const look = () => {
        const top = document.querySelector('#log').getBoundingClientRect().top;
        const line = [...document.querySelectorAll('#log .line')].find((each) => each.getBoundingClientRect().top >= top);
        const now = Number(line.id.slice(1));
        same = now === before ? same + 1 : 0;
        before = now;
        if (same > 20) done(now); else requestAnimationFrame(look);
      };
      look();
    })`;
    const inView = await page.evaluate<number>("document.querySelector('#log').clientHeight / 20");
    await page.locator('#log').focus();
    for (let step = 0; step < 5; step += 1) {
      const before = await page.evaluate<number>(seenFirst);
      await page.keyboard.press('PageDown');
      let now = before;
      await until('another page', async () => (now = await page.evaluate<number>(seenFirst)) > before);
      assert.ok(now - before <= inView, `from line ${before} to ${now}, ${inView} at once`);
    }
    await page.close();
  });

  it('finds a line anywhere, through colours, and brings it to the middle', async () => {
    const { page, seen } = await open(large.url);
    await page.keyboard.press('/');
    await page.keyboard.type('the NEEDLE was');
    await page.keyboard.press('Enter');
    await page.locator('.line.on:not(.waits)').waitFor({ timeout: 60_000 });
    assert.equal(await page.locator('.line.on > span').innerText(), needle);
    await page.getByText('1 of 1 lines', { exact: true }).waitFor({ timeout: 90_000 });
    assert.deepEqual(seen, []);
    await page.close();
  });

  it('leads to the failing line, and an address to the lines it names', async () => {
    const { page } = await open(large.url);
    await page.getByRole('link', { name: 'Failing line' }).click();
    await page.locator('.line.on:not(.waits)').waitFor();
    assert.equal(await page.locator('.line.on > span').innerText(), needle);
    await page.goto(`${large.url}#L4500-L4503`);
    await page.locator('#L4501.on:not(.waits)').waitFor();
    assert.equal(await page.locator('.line.on').count(), 4);
    await page.locator('#L4505 > a').click({ modifiers: ['Shift'] });
    assert.match(page.url(), /#L4500-L4505$/);
    await page.close();
  });

  it('marks what is chosen by the rows that are seen, however much is folded between them', async () => {
    const { page } = await open(`${large.url}#L2-L1000000`);
    await page.locator('#L2.on:not(.waits)').waitFor();
    await page.evaluate(`{
      const byId = document.getElementById;
      document.asked = 0;
      document.getElementById = (id) => ((document.asked += 1), byId.call(document, id));
    }`);
    await page.getByRole('button', { name: 'Fold all' }).click();
    await page.locator('#L3.on').waitFor();
    const asked = await page.evaluate<number>('document.asked');
    assert.ok(asked < 1000, `${asked} lines were looked for`);
    assert.ok((await page.locator('.line.on').count()) > 10);
    await page.close();
  });

  for (const [view, options] of views) {
    it(`has no barrier and no fault, and fits: ${view}`, async () => {
      const { page, seen } = await open(`${large.url}#L1000003`, options);
      await page.locator('#L1000003.on:not(.waits)').waitFor();
      assert.deepEqual(await barriers(page), []);
      await page.getByRole('button', { name: 'Fold all' }).click();
      assert.deepEqual(await barriers(page), [], 'folded');
      assert.ok((await tooWide(page)) <= 0, `${await tooWide(page)} px too wide`);
      assert.deepEqual(seen, []);
      await page.close();
    });
  }

  it('is read in parts of 5,000 lines and searched without a script', async () => {
    const { page, seen } = await open(large.url, { javaScriptEnabled: false });
    await page.getByRole('link', { name: /in parts of/ }).click();
    await page.locator('#L5000').waitFor({ state: 'attached' });
    assert.equal(await page.locator('.line').count(), 5000);
    await page.getByRole('link', { name: 'Next', exact: true }).click();
    await page.locator('#L5001').waitFor({ state: 'attached' });
    assert.match(page.url(), /\?from=5001$/);
    await page
      .getByRole('textbox', { name: 'Search this log' })
      .or(page.getByRole('searchbox', { name: 'Search this log' }))
      .fill('$ MAKE');
    await page.getByRole('button', { name: 'Search' }).click();
    await page.locator('.hits li').first().waitFor();
    assert.match(await page.locator('.hits mark').first().innerText(), /\$ make/);
    await page.goto(large.url);
    await page.getByRole('link', { name: 'Failing line', exact: true }).click();
    const failing = page.locator('.line:target');
    await failing.waitFor();
    assert.equal(await failing.locator('> span').innerText(), needle);
    assert.deepEqual(seen, []);
    await page.close();
  });
});

describe('a log whose lines are all in its page', { skip, timeout: 120_000 }, () => {
  it('is searched as soon as others have been answered', async () => {
    const { page } = await open(small.url);
    const refusals = [429, 503];
    await page.route(/\?q=/, async (route) => {
      const status = refusals.shift();
      if (status === undefined) return route.continue();
      return route.fulfill({ status, headers: { 'Retry-After': '1' }, json: { message: 'many ask for the like now' } });
    });
    await page.keyboard.press('/');
    await page.keyboard.type('a');
    await page.keyboard.press('Enter');
    await page.getByText(/^1 of \d+ lines$/).waitFor();
    assert.deepEqual(refusals, []);
    await page.close();
  });

  it('is searched where a letter is longer when it is small', async () => {
    const { page } = await open(small.url);
    await page.keyboard.press('/');
    await page.keyboard.type('kebab');
    await page.keyboard.press('Enter');
    await page.getByText(/^1 of 1 lines$/).waitFor();
    assert.deepEqual(await page.evaluate<string[]>("[...CSS.highlights.get('found')].map(String)"), ['Kebab']);
    await page.close();
  });

  for (const [view, options] of views) {
    it(`runs nothing of a job's, and fits: ${view}`, async () => {
      const { page, seen } = await open(small.url, options);
      for (const summary of await page.locator('summary').all()) await summary.click({ position: { x: 200, y: 8 } });
      for (const link of await page.locator('.line a').all()) await link.dispatchEvent('mouseover');
      await page.getByText('click me').click({ force: true });
      assert.deepEqual(seen, []);
      assert.equal(await page.locator('#log script, #log iframe, #log img').count(), 0);
      assert.ok((await tooWide(page)) <= 0, `${await tooWide(page)} px too wide`);
      await page.close();
    });

    it(`can be read in its groups and colours, chosen and found lines too: ${view}`, async () => {
      const { page, seen } = await open(`${coloured.url}#L1-L4`, options);
      await page.keyboard.press('t');
      assert.deepEqual(await barriers(page), [], 'folded');
      await page.getByRole('link', { name: 'Line 3', exact: true }).click();
      await page.locator('#L3.on').waitFor();
      const ground = await page.evaluate<string>("getComputedStyle(document.querySelector('#L3')).backgroundColor");
      assert.equal(ground, 'rgb(47, 41, 14)', 'a header that is chosen shows it');
      assert.equal(await page.locator('#log details[open]').count(), 1, 'a number leads to its line and folds nothing');
      await page.getByRole('link', { name: 'Line 1', exact: true }).click({ modifiers: ['Shift'] });
      assert.match(page.url(), /#L1-L3$/);
      await page.keyboard.press('g');
      await page.keyboard.press('g');
      assert.equal(await page.locator('#log details[open]').count(), 3);
      await page.keyboard.press('/');
      await page.keyboard.type('colour 90');
      await page.keyboard.press('Enter');
      await page.getByText(/ of 6 lines$/).waitFor();
      assert.deepEqual(await barriers(page), [], 'unfolded and searched');
      assert.deepEqual(seen, []);
      assert.ok((await tooWide(page)) <= 0);
      await page.close();
    });
  }

  it('is folded as Buildkite folds it, and opens where an address leads', async () => {
    const { page } = await open(small.url);
    const opened = (): Promise<boolean[]> =>
      page.evaluate<boolean[]>("[...document.querySelectorAll('#log details')].map((group) => group.open)");
    assert.deepEqual(await opened(), [false, false, true]);
    await page.goto(`${small.url}#L4`);
    await page.locator('#L4.on').waitFor();
    assert.equal(await textOfLine(page, 4), 'done');
    assert.deepEqual(await opened(), [false, true, true]);
    await page.keyboard.press('t');
    assert.match(
      await page.evaluate<string>("getComputedStyle(document.querySelector('#L4'), '::before').content"),
      /^"\d\d:\d\d:\d\d"$/,
    );
    await page.keyboard.press('f');
    await page.locator('#L8.on').waitFor();
    assert.match(await textOfLine(page, 8), /AssertionError/);
    await page.close();
  });
});

describe('what is asked of a log', { skip }, () => {
  it('that cannot be is refused with its name', async () => {
    const path = new URL(large.url).pathname;
    const json = { accept: 'application/json' };
    for (const [question, status] of [
      ['?from=0', 400],
      ['?from=x', 400],
      [`?q=${'a'.repeat(201)}`, 400],
      ['?from=99999999999', 404],
    ] as const) {
      assert.equal((await ask(scene.site.port, path + question, { headers: json })).status, status, question);
    }
  });
  it('in JSON is answered in JSON, with the lines around', async () => {
    const path = new URL(small.url).pathname;
    const { body } = await ask(scene.site.port, `${path}?q=assertionerror&format=json`);
    const { matches, next, lines } = JSON.parse(String(body)) as {
      matches: { line: number; before: string[] }[];
      next: null;
      lines: number;
    };
    assert.deepEqual([matches.map(({ line }) => line), next, lines], [[8], null, 10]);
    assert.equal(matches[0]?.before[1], 'click me a link');
  });
});
