import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { array, assert as check, constantFrom, oneof, property, string } from 'fast-check';
import { addressOf, safeLink } from '../../src/pens/links.ts';
import { htmlOf, textsOf } from './print.ts';

const esc = '\u001b';
const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==';
const osc = (text: string): string => `${esc}]${text}\u0007`;

describe('links', () => {
  it('lead to http, to https and to files of this build alone', () => {
    assert.equal(safeLink('https://example.com/a?b=c#d'), 'https://example.com/a?b=c#d');
    assert.equal(safeLink('artifact://log/a b?.txt'), '../../../artifacts/log/a%20b%3F.txt');
    assert.equal(safeLink('artifact://./x.txt'), '../../../artifacts/x.txt');
    const unsafe = [
      'javascript:alert(1)',
      'JaVaScRiPt:x',
      'data:text/html,x',
      'file:///etc/passwd',
      '//x.test',
      'vbscript:x',
      '/-/healthz',
    ];
    const tricky = [
      'https://user:word@x.test/',
      'artifact://../../job.json',
      'artifact://',
      'https://',
      `https://x.test/${'a'.repeat(3000)}`,
    ];
    for (const address of [...unsafe, ...tricky]) assert.equal(safeLink(address), null, address);
  });
  it('have an address that leads to the same again', () => {
    const longName = `artifact://./${'漢'.repeat(600)}//%41 b?.html`;
    const addresses = ['artifact://r.html', 'artifact://a;b/%2e%2e/\u009b.txt', longName, 'https://x.test/漢?a=b c#d'];
    for (const address of addresses) {
      const link = safeLink(address);
      assert.ok(link !== null && safeLink(addressOf(link)) === link, address);
    }
    assert.equal(safeLink(`https://x.test/${'漢'.repeat(600)}`), null, 'it would be too long when it is read again');
  });
  it('are Buildkite’s own and those of terminals', () => {
    assert.match(
      htmlOf(osc("1339;url='https://x.test/a;b';content='see; this'")),
      /<a href="https:\/\/x\.test\/a;b" rel="noreferrer nofollow ugc">see; this<\/a>/,
    );
    assert.match(
      htmlOf(`${osc('8;id=1;https://x.test')}here${osc('8;;')} there`),
      /<a href="https:\/\/x\.test\/"[^>]*>here<\/a> there/,
    );
    assert.match(htmlOf(osc('1339;url=javascript:alert(1);content=click')), /<span>click<\/span>/);
  });
});

describe('pictures', () => {
  it('are raster images within the log, told by their bytes, on a line of their own', () => {
    const html = htmlOf(`before${osc(`1337;File=name=YS5zdmc=;inline=1:${png}`)}after`);
    assert.match(
      html,
      new RegExp(
        `id="L2"><a href="#L2">2</a><span><img src="data:image/png;base64,${png.replaceAll('+', '\\+')}" alt="a.svg"`,
      ),
    );
    assert.deepEqual(textsOf(`before${osc(`1337;File=inline=1:${png}`)}after`), ['before', '\ufffc', 'after']);
  });
  it('of this build are shown, those of other hosts are links', () => {
    assert.match(
      htmlOf(osc("1338;url='artifact://shots/a.png';alt='A shot'")),
      /<img src="\.\.\/\.\.\/\.\.\/artifacts\/shots\/a\.png" alt="A shot"/,
    );
    assert.match(htmlOf(osc('1338;url=https://x.test/a.png;alt=A')), /<a href="https:\/\/x\.test\/a\.png"[^>]*>A<\/a>/);
  });
  it('that could act, that are too large, or that are none, are told in words', () => {
    const svg = Buffer.from('<svg onload="alert(1)"/>').toString('base64');
    const shown = [
      osc(`1337;File=name=YQ==;inline=1:${svg}`),
      osc(`1338;url=data:image/svg+xml;base64,${svg};alt=x`),
      osc(`1337;File=inline=1:${png.slice(0, 20)}${'A'.repeat(360_000)}`),
    ];
    for (const sequence of shown) assert.doesNotMatch(htmlOf(sequence), /<img|svg\+xml/);
    assert.equal(htmlOf(osc(`1337;File=name=YQ==:${png}`)), '');
    assert.deepEqual(textsOf(`a${osc(`1337;File=inline=1:${'A'.repeat(1_000_000)}`)}b`), ['ab']);
  });
});

const nasty = constantFrom(
  '<',
  '>',
  '"',
  "'",
  '&',
  ';',
  ':',
  '=',
  '\\',
  '\u202e',
  '\ud800',
  '\u0000',
  'url=',
  'content=',
  'alt=',
  'name=',
  'inline=1',
  'javascript:',
  'https://',
  'artifact://',
  '1337;File=',
  '1338;',
  '1339;',
  '8;;',
  png,
);
const text = array(
  oneof(
    nasty,
    string({ unit: 'binary', maxLength: 6 }),
    constantFrom(`${esc}]`, `${esc}_bk;`, `${esc}[`, '\u0007', '\n', '\r', `${esc}\\`),
  ),
  { maxLength: 25 },
);

test('whatever is printed, only our own elements come out, and no line is another’s', () => {
  check(
    property(text, (parts) => {
      const html = htmlOf(parts.join(''));
      const left = html
        .replaceAll(
          /<div class="line" id="L\d+"(?: data-t="\d\d:\d\d:\d\d")?><a href="#L\d+">\d+<\/a><span>|<\/span><\/div>/g,
          '',
        )
        .replaceAll(
          /<img src="(?:data:image\/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+|\.\.\/\.\.\/\.\.\/artifacts\/[^"<>]*)" alt="[^"<>]*" loading="lazy">/g,
          '',
        )
        .replaceAll(
          /<a href="(?:https?:\/\/|\.\.\/\.\.\/\.\.\/artifacts\/)[^"<>]*" rel="noreferrer nofollow ugc">|<\/a>/g,
          '',
        )
        .replaceAll(/<b(?: class="[a-z0-9 ]+")?(?: style="[a-z:#;0-9]+")?>|<\/b>/g, '');
      assert.doesNotMatch(left, /[<>"]/);
      assert.doesNotMatch(html, /[^\P{Cc}\t]|[\u202a-\u202e\u2066-\u2069]/u);
      assert.ok(html.isWellFormed());
    }),
    { numRuns: 600 },
  );
});
