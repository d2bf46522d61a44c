import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lineHtml } from '../../src/logs/line-html.ts';
import { bold, plainPen } from '../../src/pens/pen.ts';

const strong = { ...plainPen, styles: bold };

test('a line is shown as far as a browser lays it out at once, and says how much more there is', () => {
  const runs = [
    { text: 'x'.repeat(49_999), pen: plainPen },
    // A pair of units is cut between characters.
    { text: `😀${'y'.repeat(4_000_000)}`, pen: strong },
    { text: 'the end', pen: plainPen },
  ];
  const html = lineHtml({ runs, time: null }, 7);
  assert.ok(html.length < 51_000, `${html.length} characters`);
  assert.match(html, /<i class="cut">… 4,000,008 more characters, in the raw log<\/i><\/span><\/div>$/);
  assert.ok(html.isWellFormed() && !html.includes('the end'));
});

test('a line of that length is shown whole', () => {
  const html = lineHtml({ runs: [{ text: 'z'.repeat(50_000), pen: plainPen }], time: null }, 7);
  assert.ok(html.includes('z'.repeat(50_000)) && !html.includes('class="cut"'));
});
