import assert from 'node:assert/strict';
import { test } from 'node:test';
import { array, assert as check, constantFrom, oneof, property, string } from 'fast-check';
import { everyPage } from './every-page.ts';
import { hostileBuild, hostileTexts } from './samples.ts';

/** Every element our pages are made of, and every attribute that these have. */
const elements = new Set(
  (
    'html head meta title link style body a header main footer nav ol ul li h1 h2 p div span section dl dt dd table thead tbody tr th td' +
    ' time code pre bdi small strong details summary form label input select option button br i svg path script kbd mark b noscript img h3 figure figcaption h4 h5 h6 blockquote del div em hr i ins ol q s samp sub sup tfoot tt u var' +
    ' article video audio'
  ).split(' '),
);
const attributes = new Set(
  (
    'lang charset name content rel href class id title style datetime scope colspan method action value maxlength autocomplete' +
    ' spellcheck type selected open tabindex role aria-label aria-current aria-hidden focusable viewBox width height fill opacity d' +
    ' stroke stroke-width stroke-linecap data-label src placeholder hidden data-keys required data-lines data-t http-equiv data-read' +
    ' data-filter data-load data-path data-more data-up download property alt inputmode pattern data-difference loading' +
    ' controls preload decoding'
  ).split(' '),
);
const tag = /<(\/?)([A-Za-z][A-Za-z0-9]*)((?:\s+[^\s=<>"'/]+(?:="[^"<]*")?)*)\s*\/?>/g;

/** Reads a page as a parser would if nothing got out of its place; throws at what does not fit. */
function checkPage(name: string, page: string): void {
  const body = page.replace(/^<!doctype html>/, '');
  const left = body.replaceAll(tag, (_all, _end, element: string, rest: string) => {
    assert.ok(elements.has(element), `${name}: <${element}>`);
    for (const [, key = '', value = ''] of rest.matchAll(/([^\s=]+)(?:="([^"]*)")?/g))
      checkAttribute(name, element, key, value);
    return '';
  });
  assert.doesNotMatch(left, /[<>]/, `${name}: a bracket outside of a tag`);
  assert.doesNotMatch(page, /[^\P{Cc}\n\t]|[\u202a-\u202e\u2066-\u2069]/u, `${name}: a control character`);
  assert.ok(page.isWellFormed(), `${name}: half a character`);
}

function checkAttribute(page: string, element: string, key: string, value: string): void {
  assert.ok(attributes.has(key), `${page}: attribute ${key}`);
  if (key === 'style') assert.match(value, /^width:\d+%$/);
  // Scripts are ours; whatever else is loaded is a file of the same build, or of one beside it.
  if (key === 'src' && element === 'script') assert.match(value, /^\/-\/assets\/[a-z]+\.js$/, page);
  else if (key === 'src') assert.match(value, /^(?:[^/\\:]|\.)[^:\\]*$/, page);
  if (key !== 'href' && key !== 'action') return;
  const target = new URL(
    value.replaceAll('&amp;', '&').replaceAll('&#39;', "'"),
    'http://mirror.test/acme/web/builds/42/',
  );
  const isOurs = target.host === 'mirror.test' || (target.protocol === 'https:' && target.host === 'buildkite.com');
  assert.ok(isOurs || value.startsWith('data:image/svg+xml,'), `${page}: leads to ${value}`);
}

for (const text of hostileTexts) {
  test(`no page lets ${JSON.stringify(text)} out of its place`, () => {
    for (const [name, page] of everyPage(hostileBuild(text), text)) checkPage(name, page);
  });
}

test('no text at all gets out of its place', () => {
  const nasty = constantFrom(
    '<',
    '>',
    '"',
    "'",
    '&',
    '/',
    ':',
    '?',
    '#',
    '%',
    '\\',
    '`',
    '\u202e',
    '\u0000',
    '\ud800',
    '\u2028',
    '-->',
    'javascript:',
  );
  const text = array(oneof(nasty, string({ unit: 'binary' })), { minLength: 1, maxLength: 12 }).map((parts) =>
    parts.join(''),
  );
  check(
    property(text, (each) => {
      for (const [name, page] of everyPage(hostileBuild(each), each)) checkPage(name, page);
    }),
    { numRuns: 150 },
  );
});
