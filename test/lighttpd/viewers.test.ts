/** What is shown of artifacts, in a browser behind the real Lighttpd: without barriers, on a phone and in the dark; badges. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { deflateSync } from 'node:zlib';
import { type Browser, chromium, type Page } from 'playwright-core';
import { renderBadge } from '../../src/pages/badge.ts';
import { chromiumNeed, findCommand } from '../../src/programs.ts';
import { writeBadge, writePointer } from '../../src/tree/pointers.ts';
import { barriers } from '../pages/barriers.ts';
import { sampleArtifact, sampleBuild, sampleJob, uuid } from '../pages/samples.ts';
import { ask } from './ask.ts';
import { type ReaderSite, startReaderSite } from './reader-site.ts';
import { put } from './site.ts';

const executablePath = findCommand(chromiumNeed.commands, '/usr/local/bin:/usr/bin:/bin');
const skip = executablePath === null ? 'no Chromium on this machine' : false;

/** A grey square with a red corner of `corner` × `corner` pixels. @see https://www.w3.org/TR/png/ */
function picture(side: number, corner: number): Buffer {
  const rows = Array.from({ length: side }, (_, y) => [
    0,
    ...Array.from({ length: side }, (__, x) => (x < corner && y < corner ? [200, 0, 0] : [128, 128, 128])).flat(),
  ]);
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc(body));
    return Buffer.concat([length, body, sum]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header.set([8, 2], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const bytes = Buffer.from(rows.flat());
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(bytes)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function crc(bytes: Buffer): number {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit += 1) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
  }
  return (sum ^ 0xffffffff) >>> 0;
}

const files: Record<string, string | Buffer> = {
  'shot.png': picture(20, 10),
  'same.png': picture(8, 0),
  'film.webm': 'no film',
  'notes.md': '# Title\n\nSome *words*, a [link](other.md) and `code`.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n',
  'data.json': '{"id":1,"list":[1,2,{"deep":null}],"text":"words"}',
  'lcov.info': 'TN:\nSF:src/a.js\nDA:1,1\nDA:2,0\nend_of_record\n',
  'cobertura.xml':
    '<coverage><packages><package><classes><class filename="b.py"><lines><line number="1" hits="2"/></lines></class></classes></package></packages></coverage>',
  'junit.xml':
    '<testsuite name="s"><testcase name="adds" time="0.1"/><testcase name="breaks"><failure message="no">trace</failure></testcase></testsuite>',
  'long.log': 'a line of words\n'.repeat(200),
  'data.bin': Buffer.from([0, 1, 2]),
  'report.html': '<h1>report</h1>',
};
const asked = [
  ...Object.keys(files).map((name) => `artifacts/${name}?view`),
  'artifacts/?gallery',
  'artifacts/?tests',
  'artifacts/?list',
  'artifacts/?list&match=notes',
  'compare/?with=41',
];

let reader: ReaderSite;
let browser: Browser;
before(async () => {
  if (executablePath === null) return;
  reader = await startReaderSite();
  for (const [number, changed] of [
    [41, { 'shot.png': picture(20, 0) }],
    [42, {}],
  ] as const) {
    const content: Record<string, string | Buffer> = { ...files, ...changed };
    const job = uuid(number);
    const artifacts = Object.entries(content).map(([name, bytes], at) =>
      sampleArtifact(job, at, name, {
        size: bytes.length,
        sha256: name === 'shot.png' ? String(number).padStart(64, '0') : String(at).padStart(64, 'a'),
      }),
    );
    // Names as people give them: emoji, colours, and what only looks like one.
    const name = ':rocket: \u001b[32mDeploy\u001b[0m :node: 12:30:45';
    const jobs = [sampleJob(number, { name, artifacts })];
    const place = await reader.add(sampleBuild(jobs, { number, id: uuid(900 + number) }), jobs);
    for (const [file, bytes] of Object.entries(content)) {
      for (const path of [`artifacts/${file}`, `jobs/${job}/artifacts/${file}`])
        put(reader.site.paths, reader.site.paths.shown(place, path), bytes);
    }
  }
  const quiet = ['--disable-background-networking', '--no-first-run', '--disable-component-update', '--disable-sync'];
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', ...quiet] });
});
after(async () => {
  await browser?.close();
  await reader?.close();
});

async function open(options: Parameters<Browser['newPage']>[0] = {}): Promise<{ page: Page; seen: string[] }> {
  const page = await browser.newPage(options);
  const seen: string[] = [];
  page.on('console', (message) => seen.push(message.text()));
  page.on('pageerror', (error) => seen.push(error.message));
  page.on('request', (request) => {
    if (!request.url().startsWith(`${reader.url}/`) && !request.url().startsWith('data:')) seen.push(request.url());
  });
  page.setDefaultTimeout(40_000);
  return { page, seen };
}

const at = (path: string): string => `${reader.url}/acme/web/builds/42/${path}`;

describe('the pages of artifacts', { skip, timeout: 200_000 }, () => {
  for (const [view, options] of [
    ['wide and light', { viewport: { width: 1440, height: 900 }, colorScheme: 'light' }],
    ['360 px and dark', { viewport: { width: 360, height: 740 }, colorScheme: 'dark' }],
  ] as const) {
    it(`have no barrier, no fault, no request elsewhere, and fit: ${view}`, async () => {
      const { page, seen } = await open(options);
      for (const path of asked) {
        const answer = await page.goto(at(path));
        assert.equal(answer?.status(), 200, path);
        assert.deepEqual(await barriers(page), [], path);
        const over = await page.evaluate<number>(
          'document.documentElement.scrollWidth - document.documentElement.clientWidth',
        );
        assert.ok(over <= 0, `${path} is ${over} px too wide`);
        assert.deepEqual(seen, [], path);
      }
      await page.close();
    });
  }
});

describe('two pictures beside one another', { skip, timeout: 60_000 }, () => {
  it('get a third that shows in red where they differ, and how much that is', async () => {
    const { page, seen } = await open();
    await page.goto(at('compare/?with=41'));
    const block = page.locator('[data-difference]');
    assert.equal(await block.count(), 1);
    await block.scrollIntoViewIfNeeded();
    const canvas = block.locator('canvas');
    await canvas.waitFor();
    assert.match(await block.innerText(), /Difference: 25\.0 %/);
    const colour = (x: number, y: number): Promise<number[]> =>
      canvas.evaluate(
        (element, [left, top]) =>
          [...((element as never as Canvas).getContext('2d')?.getImageData(left, top, 1, 1).data ?? [])].slice(0, 3),
        [x, y] as const,
      );
    assert.deepEqual(await colour(3, 3), [214, 24, 52]);
    const [red, green, blue] = await colour(15, 15);
    assert.ok(red === green && green === blue);
    assert.deepEqual(seen, []);
    await page.close();
  });
});

/** What the test uses of it: there is no DOM in these types. */
interface Canvas {
  getContext(kind: '2d'): {
    getImageData(x: number, y: number, width: number, height: number): { data: Iterable<number> };
  } | null;
}

describe('a name', { skip }, () => {
  it('is shown with its emoji and colours, and reads as text without them', async () => {
    const { page } = await open();
    await page.goto(at(''));
    const name = page.locator('a.name').first();
    assert.match(await name.innerText(), /^🚀 Deploy N 12:30:45$/);
    assert.equal(await name.locator('.ansi-green').innerText(), 'Deploy');
    assert.equal(await name.locator('.tile').getAttribute('aria-label'), 'node');
    await page.goto(at(`jobs/${uuid(42)}/`));
    assert.match(await page.title(), /^🚀 Deploy 12:30:45 · web #42 · Kitemirror$/);
    await page.close();
  });
});

describe('a badge', { skip }, () => {
  it('is answered by Lighttpd alone, for a branch with a slash too, and follows the latest build', async () => {
    const { paths, port, gateway } = reader.site;
    for (const [branch, state] of [
      ['main', 'passed'],
      ['feature/x', 'failed'],
    ] as const) {
      writePointer(paths, paths.pointer('acme', 'web', 'latest', branch, 'any'), 42);
      writeBadge(paths, paths.badge('acme', 'web', branch), renderBadge(state));
    }
    const before = gateway.heard.length;
    const badge = (branch: string) => ask(port, `/acme/web/latest/${branch}/-/badge.svg`);
    const main = await badge('main');
    assert.deepEqual([main.status, main.headers['content-type']], [200, 'image/svg+xml']);
    assert.match(String(main.body), />passed</);
    assert.match(String((await badge('feature/x')).body), />failed</);
    writeBadge(paths, paths.badge('acme', 'web', 'main'), renderBadge('canceled'));
    const changed = await ask(port, '/acme/web/latest/main/-/badge.svg', {
      headers: { 'if-none-match': main.headers['etag'] ?? '"none"' },
    });
    assert.match(String(changed.body), />canceled</);
    assert.equal((await badge('nowhere')).status, 404);
    assert.equal(gateway.heard.length, before);
  });
});
