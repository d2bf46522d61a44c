/** However little of a log it takes to make much HTML of it: what a reader is sent is bounded, and says what it leaves out. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createIndexer } from '../../src/logs/build-index.ts';
import { readPart } from '../../src/logs/log-part.ts';
import { tailHtml } from '../../src/logs/tail-html.ts';
import { htmlOf } from './print.ts';

const esc = '\u001b';
const [KiB, MiB] = [1024, 1024 * 1024];
const longLink = `${esc}]8;;https://x.test/?${'&'.repeat(2000)}\u0007`;
const inverseAndNot = `${esc}[7mx${esc}[mx`;
const folder = mkdtempSync(join(tmpdir(), 'kitemirror-bounded-'));
after(() => rmSync(folder, { recursive: true }));

test('runs of one link are in one element, whatever their styles', () => {
  const html = htmlOf(
    `${esc}]8;;https://x.test/\u0007a${esc}[1mb${esc}[mc${esc}]8;;\u0007d${esc}]8;;https://y.test/\u0007e\n`,
  );
  const attributes = 'rel="noreferrer nofollow ugc"';
  assert.match(
    html,
    new RegExp(
      `<span><a href="https://x.test/" ${attributes}>a<b class="sb">b</b>c</a>d<a href="https://y.test/" ${attributes}>e</a></span>`,
    ),
  );
});

test('one long link costs its length once a line', () => {
  const html = htmlOf(longLink + inverseAndNot.repeat(2000));
  assert.equal(html.match(/x\.test/g)?.length, 1);
  assert.ok(html.length < 100 * KiB, `${html.length} characters`);
});

test('a line is shown as far as its HTML is bounded, and says how much more there is', () => {
  // Each second blank lies out of the link, so that it begins anew behind it.
  const html = htmlOf(`${longLink}${'x'.repeat(8000)}\r${`${esc}[X${esc}[2C`.repeat(4000)}`);
  assert.ok(html.length < 300 * KiB, `${html.length} characters`);
  assert.match(html, /<\/a><i class="cut">… 7,\d{3} more characters, in the raw log<\/i><\/span><\/div>$/);
});

test('the end of a log that grows is its last lines, and says how many are left out', () => {
  const lines = 7000;
  const html = tailHtml(longLink + 'x\n'.repeat(lines), true);
  assert.ok(html.length < 3 * MiB, `${html.length} characters`);
  const shown = html.match(/<div class="line" id=/g)?.length ?? 0;
  assert.ok(shown > 100 && html.includes(`<a href="#L${lines}">`));
  assert.ok(
    html.startsWith(`<div class="line"><span><i class="cut">${(lines - shown).toLocaleString('en-US')} lines before`),
  );
});

test('a part has fewer lines where they are long, and the next goes on behind them', async () => {
  const file = join(folder, 'links.txt');
  const lines = 5000;
  const bytes = Buffer.from(longLink + 'x\n'.repeat(lines));
  writeFileSync(file, bytes);
  const indexer = createIndexer();
  indexer.write(bytes);
  const index = indexer.finish();
  const first = await readPart({ file, index, from: 1, count: lines, bytes: MiB });
  assert.ok(first.html.length < 17 * MiB && first.shown < lines, `${first.html.length} characters`);
  const next = await readPart({ file, index, from: first.shown + 1, count: 10, bytes: MiB });
  assert.ok(next.shown === 10 && next.html.startsWith(`<div class="line" id="L${first.shown + 1}"`));
});
