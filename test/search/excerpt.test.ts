import assert from 'node:assert/strict';
import { test } from 'node:test';
import { excerptOf } from '../../src/search/excerpt.ts';

const marked = (text: string): string => text.replaceAll('[', '\u0001').replaceAll(']', '\u0002');
const excerpt = (text: string): string | undefined =>
  excerptOf(marked(text))?.replaceAll('\u0001', '[').replaceAll('\u0002', ']');

test('the lines that hold most of what was looked for are shown, at most three, and none where nothing was found', () => {
  assert.equal(excerptOf('a\nb'), null);
  const paths = ['a/[cart].html', 'b.html', 'c/[cart]-[test].html', 'd/[cart].html', 'e/[cart].html'];
  assert.equal(excerpt(paths.join('\n')), 'c/[cart]-[test].html\na/[cart].html\nd/[cart].html');
});

test('a long line is cut around the first word that was found, and no mark is left open', () => {
  const text = excerpt(`${'word '.repeat(200)}the [cart] ${'tail '.repeat(200)}`);
  assert.match(text ?? '', /^…word [^[]{1,40}the \[cart\] (tail )+t?a?i?l?…$/);
  assert.ok((text ?? '').length < 170);
  const open = excerpt(`[${'x'.repeat(500)}]`);
  assert.match(open ?? '', /^\[x{159}\]…$/);
});
