import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as check, property, string } from 'fast-check';
import type { AnnotationFacts } from '../../src/model.ts';
import { renderAnnotations } from '../../src/pages/annotations.ts';
import { hostileTexts, sampleJob, summaryOfJob, uuid } from './samples.ts';

function annotation(body_html: string | null, changes: Partial<AnnotationFacts> = {}): AnnotationFacts {
  const at = '2026-11-20T09:04:00.000Z';
  const facts = { id: uuid(1), context: 'tests', style: 'error', scope: 'build', job_id: null };
  return { ...facts, body_html, created_at: at, updated_at: at, ...changes };
}

function bodyOf(body: string): string {
  const shown = renderAnnotations([annotation(body)], [], 'https://buildkite.com/acme/web/builds/42')?.text ?? '';
  return /<section[^>]*>([^]*)<\/section>/.exec(shown)?.[1] ?? '';
}

test('headings, lists, tables, code and folds come out as they went in, headings below those of the page', () => {
  assert.equal(
    bodyOf('<h1>Two failed</h1><ul><li><code>a &lt; b</code> <strong>x</strong></li></ul>'),
    '<h3>Two failed</h3><ul><li><code>a &lt; b</code> <strong>x</strong></li></ul>',
  );
  const table = '<table><tbody><tr><td colspan="2">1</td></tr></tbody></table>';
  assert.equal(bodyOf(table), table);
  assert.equal(
    bodyOf('<details open><summary>more</summary>text</details>'),
    '<details open><summary>more</summary>text</details>',
  );
  assert.equal(
    bodyOf('<pre class="term"><code><span class="term-fg31 term-fg1">no</span></code></pre>'),
    '<pre><code><span class="ansi-red ansi-bold">no</span></code></pre>',
  );
});

test('artifact:// is an address in this build, and only https leads out of it', () => {
  assert.equal(
    bodyOf('<a href="artifact://coverage/my report.html">r</a>'),
    '<a href="artifacts/coverage/my%20report.html">r</a>',
  );
  assert.equal(bodyOf('<a href="artifact://a%20b.txt">r</a>'), '<a href="artifacts/a%20b.txt">r</a>');
  assert.equal(
    bodyOf('<img src="artifact://indy.png" alt="x" height=250 onerror="y">'),
    '<img src="artifacts/indy.png" alt="x" loading="lazy">',
  );
  assert.match(
    bodyOf('<a href="https://example.com/x" target="_blank" onclick="y">x</a>'),
    /^<a rel="noreferrer noopener nofollow ugc" href="https:\/\/example\.com\/x">x<\/a>$/,
  );
  assert.match(
    bodyOf('<img src="https://example.com/x.png" alt="chart">'),
    /^<a [^>]*href="https:\/\/example\.com\/x\.png"><bdi>chart<\/bdi><\/a>$/,
  );
  assert.match(bodyOf('<img class="emoji" src="https://buildkiteassets.com/emojis/x.png" alt=":rocket:">'), /🚀/);
  for (const address of [
    'javascript:alert(1)',
    'data:text/html,x',
    'http://example.com/',
    '//example.com',
    '/acme/',
    'artifact://../../x',
    '',
  ])
    assert.equal(bodyOf(`<a href="${address}">x</a>`), 'x', address);
});

test('what is not in the list never comes out', () => {
  const evil =
    '<script>alert(1)</script><style>body{}</style><iframe src="x"></iframe><svg><script>alert(2)</script></svg><math><mi>x</mi></math>' +
    '<form action="/x"><input name="q"><button>go</button></form><p id="content" style="x" class="top" onclick="y">kept</p><base href="//x"><meta http-equiv="refresh">';
  assert.equal(bodyOf(evil), 'go<p>kept</p>');
  check(
    property(string({ unit: 'binary', maxLength: 40 }), (text) => {
      for (const body of [
        text,
        `<p ${text}>`,
        `<a href='${text}'>`,
        `<${text}>`,
        `<svg><p><style>${text}`,
        `<table>${text}<td ${text}`,
      ]) {
        const tags = Array.from(bodyOf(body).matchAll(/<[^>]*>/g), ([tag]) => tag);
        for (const tag of tags)
          assert.match(tag, /^<\/?[a-z][a-z0-9]*( (rel|href|src|alt|loading|class|colspan)="[^"<>]*"| open)*>$/, body);
      }
    }),
    { numRuns: 100 },
  );
  for (const text of hostileTexts) assert.doesNotMatch(bodyOf(text), /<(script|svg|style|i?frame)|<[^>]*\son/i);
});

test('an annotation of a job names it, and more than a page can hold is said to be elsewhere', () => {
  const job = sampleJob(7, { name: ':rocket: Deploy' });
  const shown = renderAnnotations([annotation('x', { job_id: job.id, style: 'success' })], [summaryOfJob(job)], null);
  assert.match(
    shown?.text ?? '',
    new RegExp(`class="card annotation prose good"[^>]*><p class="quiet"><a href="#${job.id}">.*Deploy`),
  );
  assert.match(bodyOf('x'.repeat(200_000)), /Too long to be shown here.*upstream\.json.*on Buildkite/);
  const overlapping = Array.from({ length: 5000 }, (_, index) => `<b id=${index}><p>`).join('');
  const startedAt = performance.now();
  assert.match(bodyOf(overlapping), /Too long to be shown here/);
  assert.ok(performance.now() - startedAt < 5000);
  assert.match(
    renderAnnotations(
      Array.from({ length: 60 }, () => annotation('x')),
      [],
      null,
    )?.text ?? '',
    /10 more annotations/,
  );
  assert.equal(renderAnnotations([], [], null), null);
});
