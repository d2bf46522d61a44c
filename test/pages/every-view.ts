/** The pages of single files, of pictures and of tests, for `everyPage`; and a file's content of each kind that is shown. */
import type { BuildRecord, JobRecord } from '../../src/model.ts';
import { type Html, html } from '../../src/pages/html.ts';
import { renderPage } from '../../src/pages/layout.ts';
import { segment } from '../../src/pages/links.ts';
import { renderView } from '../../src/pages/view.ts';
import { renderCoverage } from '../../src/pages/view-coverage.ts';
import { renderJson } from '../../src/pages/view-json.ts';
import { renderMarkdown } from '../../src/pages/view-markdown.ts';
import { renderGallery, renderMedia } from '../../src/pages/view-media.ts';
import { renderTests, type TestsContent } from '../../src/pages/view-tests.ts';
import { renderText } from '../../src/pages/view-text.ts';
import { joinAttempts } from '../../src/reports/attempts.ts';
import type { TestCase, TestOutcome } from '../../src/reports/junit.ts';

/** A test for each way to end, and for each way to end after another. */
function testsOf(jobs: readonly JobRecord[], text: string): TestsContent {
  const outcomes: readonly TestOutcome[] = ['failed', 'passed', 'errored', 'skipped'];
  const reportOf = (attempt: number, shift: number): Parameters<typeof joinAttempts>[0] =>
    jobs.map(({ id }) => ({
      job: id,
      attempt,
      path: text,
      report: {
        cases: outcomes.map((_, index): TestCase => {
          const outcome = outcomes[(index + shift) % outcomes.length] ?? 'passed';
          const said = { message: `message ${text}`, detail: text, output: text };
          return {
            suite: text,
            className: null,
            name: `${index} ${text}`,
            file: text,
            seconds: index,
            outcome,
            ...said,
          };
        }),
        truncated: true,
      },
    }));
  return {
    rows: joinAttempts([...reportOf(1, 0), ...reportOf(2, 1)]),
    jobs: new Map(jobs.map(({ id, name }) => [id, { name: name ?? '', href: `jobs/${id}/` }])),
    notices: [text],
  };
}

/** @param text the names of files and folders, too */
export function everyView(
  { build, jobs }: { build: BuildRecord; jobs: JobRecord[] },
  text: string,
): [string, string][] {
  const crumbs = [
    { name: build.organization, href: '../../../' },
    { name: text, href: './?list' },
  ];
  const tests = renderTests(testsOf(jobs, text));
  const part = { found: 3, hit: 1 };
  const contents: [string, string, Html | null][] = [
    ['a text', text, renderText({ text: `${text}\n${text}`, at: 8, firstLine: 7, next: 9 }, segment(text))],
    ['an empty file', text, renderText({ text: '', at: 0, firstLine: 1, next: null }, segment(text))],
    ['JSON', `${text}.json`, renderJson(JSON.stringify({ [text]: text, list: [text, { [text]: null }], number: 1 }))],
    ['Markdown', `${text}.md`, renderMarkdown(`# ${text}\n\n[${text}](${segment(text)}.md)\n\n> ${text}`)],
    [
      'coverage',
      `${text}.info`,
      renderCoverage({ files: [{ path: text, lines: part, branches: part, functions: part }], truncated: true }),
    ],
    ['tests in a file', `${text}.xml`, tests],
    ...(['image', 'video', 'audio'] as const).map((kind): [string, string, Html | null] => [
      `a file of ${kind}`,
      `${text}.${kind}`,
      renderMedia(kind, segment(`${text}.${kind}`), text),
    ]),
  ];
  return [
    ...contents.map(([kind, name, content]): [string, string] => {
      if (content === null) throw new Error(`${kind} is not shown`);
      const file = { name, size: 1, type: text, sha256: text };
      const address = `http://mirror.test/${segment(name)}`;
      return [
        kind,
        renderView({ title: text, crumbs, file, opens: 'Open report', address, content, notice: text, wide: true }),
      ];
    }),
    [
      'pictures',
      renderGallery({
        title: text,
        crumbs,
        images: [`${text}.png`, `a/${text}/${text}.png`].map((path) => ({ path, size: 7 })),
        total: 9,
        next: '?gallery&from=2',
      }),
    ],
    ['no pictures', renderGallery({ title: text, crumbs, images: [], total: 0, next: null })],
    ['tests', renderPage({ title: text, crumbs, styles: ['view.css'], body: html`<h1>Tests</h1>${tests}` })],
  ];
}
