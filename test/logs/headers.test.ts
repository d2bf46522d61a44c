import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createIndexer } from '../../src/logs/build-index.ts';
import { foldedHtml } from '../../src/logs/folding.ts';
import { lineHtml } from '../../src/logs/line-html.ts';

const at = (ms: number): string => `\u001b_bk;t=${1787227200000 + ms}\u0007`;

function folded(log: string): string {
  const rows: string[] = [];
  const indexer = createIndexer((line, number) => rows.push(lineHtml(line, number)));
  indexer.write(Buffer.from(log));
  return foldedHtml(rows, 1, indexer.finish());
}

/** Of a group, by its title. */
function headerOf(log: string, title: string): string {
  const header = folded(log)
    .split('<summary>')
    .find((part) => part.includes(title));
  return header?.split('</summary>')[0] ?? '';
}

test('an emoji in a header is shown: a character, or a tile for what Buildkite alone has', () => {
  assert.match(headerOf('--- :package: Build\n', 'Build'), />--- <i class="emoji" title=":package:">📦<\/i> Build</);
  assert.match(
    headerOf('+++ :docker: Push\n', 'Push'),
    /<i class="tile" role="img" aria-label="docker".*?>D<\/i> Push/,
  );
  assert.match(
    headerOf('~~~ \u001b[33m:rocket:\u001b[0m go\n', ' go'),
    /<b class="f3"><i class="emoji".*?>🚀<\/i><\/b>/,
  );
});

test('what is no emoji stays as it is, and so do lines that are no header', () => {
  assert.match(headerOf('--- at 12:package:34 :unknown-one: end\n', 'end'), />--- at 12:package:34 :unknown-one: end</);
  assert.match(folded('plain :package:\n--- x\n'), /<span>plain :package:<\/span>/);
  assert.match(headerOf('--- :constructor: :__proto__: end\n', 'end'), /:constructor: :__proto__: end/);
});

test('what a header says stays text, and its addresses stay whole', () => {
  const hostile = headerOf('--- <b>:package:</b> "\'> end\n', 'end');
  assert.match(hostile, /&lt;b&gt;<i class="emoji"[^>]*>📦<\/i>&lt;\/b&gt; &quot;&#39;&gt; end/);
  const link = headerOf('--- see \u001b]8;;https://x.test/:package:/a\u0007:package:\u001b]8;;\u0007 end\n', 'end');
  assert.match(link, /href="https:\/\/x\.test\/:package:\/a"/);
});

test('the number of a header is a link beside what folds and not within it', () => {
  const html = folded('first\n--- one\nx\n');
  assert.match(html, /<a class="over" href="#L2" aria-label="Line 2"><\/a><details[^>]*><summary>/);
  const header = headerOf('first\n--- one\nx\n', 'one');
  assert.match(header, /<i class="number" aria-hidden="true">2<\/i>/);
  assert.doesNotMatch(header, /<a /);
});

test('a group tells how long it took, the last up to the last time of the log', () => {
  const log = `${at(0)}--- one\n${at(100)}x\n${at(500)}--- two\n${at(1000)}y\n${at(126_000)}--- three\n${at(129_000)}z\nnone\n`;
  assert.doesNotMatch(headerOf(log, 'one'), /took/);
  assert.match(headerOf(log, 'two'), /<i class="took">2m 6s<\/i><\/div>$/);
  assert.match(headerOf(log, 'three'), /<i class="took">3s<\/i>/);
  assert.doesNotMatch(folded('--- without times\nx\n'), /took/);
});
