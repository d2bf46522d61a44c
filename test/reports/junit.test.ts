import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as check, property, string } from 'fast-check';
import { isFailure, mayBeJunit, parseJunit, testKey } from '../../src/reports/junit.ts';
import { parseXml } from '../../src/reports/xml.ts';

const report = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="all"><testsuite name="outer" file="outer.test.ts"><testsuite name="inner">
  <testcase name="adds &lt;b&gt; &#x26; &#50;" classname="Cart" time="1,000.5"/>
  <testcase name="fails" classname="Cart" file="cart.test.ts" time="0.1">
    <failure message="1 is not &quot;2&quot;" type="AssertionError"><![CDATA[at <cart> &amp; more]]></failure>
    <system-out>said &amp; done</system-out></testcase>
  <testcase name="breaks"><error>no network</error></testcase>
  <testcase name="rests"><skipped message="later"/></testcase>
</testsuite></testsuite></testsuites>`;

test('a report is read with nested suites, outcomes, times and output', () => {
  const found = parseJunit(report);
  assert.equal(found?.truncated, false);
  assert.deepEqual(
    found.cases.map(({ name, outcome, seconds }) => [name, outcome, seconds]),
    [
      ['adds <b> & 2', 'passed', 1000.5],
      ['fails', 'failed', 0.1],
      ['breaks', 'errored', null],
      ['rests', 'skipped', null],
    ],
  );
  const [, fails] = found.cases;
  assert.deepEqual(
    [fails?.suite, fails?.file, fails?.message, fails?.detail, fails?.output],
    ['outer › inner', 'cart.test.ts', '1 is not "2"', 'at <cart> &amp; more', 'said & done'],
  );
  assert.deepEqual(
    found.cases.map(({ outcome }) => isFailure(outcome)),
    [false, true, true, false],
  );
});

test('tests of one name in two classes are two tests', () => {
  const keys = parseJunit(report)?.cases.map(testKey);
  assert.equal(new Set(keys).size, 4);
  assert.notEqual(
    testKey({ suite: 's', className: 'A', name: 'x' }),
    testKey({ suite: 's', className: 'B', name: 'x' }),
  );
});

test('a bare suite is a report; other XML, other text and unclosed XML are not', () => {
  assert.equal(parseJunit('<testsuite><testcase name="a"/></testsuite>')?.cases.length, 1);
  for (const text of ['<coverage/>', 'plain', '', '<testsuite><testcase', '{"a":1}']) {
    const found = parseJunit(text);
    assert.ok(found === null || found.cases.length === 0, text);
  }
});

test('no entity is expanded, none is fetched, and a DTD is refused', () => {
  const bomb = `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><testsuite><testcase name="&b;"/></testsuite>`;
  const external = `<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><testsuite><testcase name="&f;"/></testsuite>`;
  assert.equal(parseJunit(bomb), null);
  assert.equal(parseJunit(external), null);
  assert.equal(parseJunit('<testsuite><testcase name="&unknown;"/></testsuite>')?.cases[0]?.name, '&unknown;');
});

test('a document type is one before the outermost element; in what a test has said it is text', () => {
  const page = '<!DOCTYPE html><title>500</title>';
  const said = `<testcase name="a"><failure message="&lt;!DOCTYPE html&gt;"><![CDATA[${page}]]></failure><system-out><![CDATA[<!DOCTYPE x [<!ENTITY a "b">]>]]></system-out></testcase>`;
  const suite = `<testsuite><!-- <!DOCTYPE y [ -->${said}</testsuite>`;
  const named = '<!DOCTYPE testsuite PUBLIC "-//x//y" "https://x.test/a.dtd">';
  for (const before of [
    '',
    '\ufeff<?xml version="1.0"?>\n',
    '<?xml version="1.0"?><!-- <!DOCTYPE html> <!DOCTYPE x [ --><?pi <!DOCTYPE z [ ?>\n',
    `<?xml version="1.0"?>\n<!-- one -->\n${named}\n<!-- two -->`,
    '<!doctype testsuite>',
    `<!-- ${'x'.repeat(70_000)} -->${named}`,
  ]) {
    const [found] = parseJunit(before + suite)?.cases ?? [];
    assert.deepEqual(
      [found?.message, found?.detail, found?.output],
      ['<!DOCTYPE html>', page, '<!DOCTYPE x [<!ENTITY a "b">]>'],
      before.slice(0, 100),
    );
  }
});

test('rules of a document type are not read, wherever they stand', () => {
  const rules = '<!DOCTYPE testsuite [<!ENTITY a "expanded">]>';
  const suite = '<testsuite><testcase name="&a;"/></testsuite>';
  for (const before of [
    '',
    '<?xml version="1.0"?>',
    '<!-- one --> ',
    '<!DOCTYPE testsuite>',
    `<!-- ${'x'.repeat(70_000)} -->`,
  ])
    assert.equal(parseJunit(before + rules + suite), null, before.slice(0, 100));
  for (const odd of [`<testsuite>${rules}<testcase name="&a;"/></testsuite>`, `${suite}${rules}${suite}`]) {
    const found = parseJunit(odd);
    assert.ok(found === null || found.cases.every(({ name }) => name === '&a;'), odd);
  }
  assert.equal(parseJunit('<!-- never ended <testsuite/>'), null);
});

test('depth and the number of tests are bounded', () => {
  assert.equal(parseXml(`${'<a>'.repeat(200)}${'</a>'.repeat(200)}`), null);
  const many = parseJunit(`<testsuite>${'<testcase name="a"/>'.repeat(50_001)}</testsuite>`);
  assert.deepEqual([many?.cases.length, many?.truncated], [50_000, true]);
  const long = parseJunit(`<testsuite><testcase><failure>${'x'.repeat(100_000)}</failure></testcase></testsuite>`);
  assert.ok((long?.cases[0]?.detail?.length ?? 0) < 20_000);
});

test('names that objects have of themselves harm nobody', () => {
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty'])
    assert.doesNotThrow(() => parseXml(`<${name} ${name}="1"><${name}/></${name}>`));
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
});

test('no text at all makes the parser throw', () => {
  check(property(string(), (text) => void parseJunit(`<testsuite>${text}</testsuite>`)));
});

test('a path tells what is worth reading', () => {
  for (const path of [
    'junit.xml',
    'log/junit-3.xml',
    'reports/TEST-com.acme.Cart.xml',
    'test-results/a.xml',
    'out/results.xml',
  ])
    assert.ok(mayBeJunit(path), path);
  for (const path of ['coverage.xml', 'pom.xml', 'junit.html', 'sitemap.xml']) assert.ok(!mayBeJunit(path), path);
});
