/** Tests as a table: failures first, unfolded, with what they said; then the others, each attempt beside the next. */

import { formatDuration } from '../durations.ts';
import type { TestRow } from '../reports/attempts.ts';
import { isFailure, type TestCase } from '../reports/junit.ts';
import { counted, formatCount } from './format.ts';
import { type Html, html, raw } from './html.ts';
import { nameHtml } from './names.ts';
import { factList, pill } from './parts.ts';

const shownRows = 3000;
/** More unfolded failures than this are a wall. */
const unfolded = 10;
/** Of markup, for what tests said: each may have said 48 KiB in each attempt. The last that has room may go beyond it. */
const mostSaid = 4 * 1024 * 1024;
/** Of markup, for all rows with what they said: names alone may be long, and escaped they are longer. Likewise for the last. */
const mostMarkup = 10 * 1024 * 1024;
const longestName = 300;

export interface TestedJob {
  readonly name: string;
  /** Its page. */
  readonly href: string;
}

export interface TestsContent {
  readonly rows: readonly TestRow[];
  /** Of which jobs the rows are, by id; empty where they are of one. */
  readonly jobs: ReadonlyMap<string, TestedJob>;
  /** What was not read, and why. */
  readonly notices: readonly string[];
}

/** What the rows of one page share. */
interface Sheet extends Pick<TestsContent, 'jobs'> {
  /** Of `mostSaid`. */
  room: number;
  /** Of `mostMarkup`. */
  rowRoom: number;
}

export function renderTests({ rows, jobs, notices }: TestsContent): Html {
  const sheet: Sheet = { jobs, room: mostSaid, rowRoom: mostMarkup };
  const failed = rows.filter(({ test }) => isFailure(test.outcome));
  const flaky = rows.filter((row) => row.flaky && !isFailure(row.test.outcome));
  const count = (outcome: TestCase['outcome']): number => rows.filter(({ test }) => test.outcome === outcome).length;
  const seconds = rows.reduce((sum, { test }) => sum + (test.seconds ?? 0), 0);
  const facts: [string, string][] = [
    ['Tests', formatCount(rows.length)],
    ['Failed', formatCount(failed.length)],
    ['Flaky', formatCount(flaky.length)],
    ['Passed', formatCount(count('passed'))],
    ['Skipped', formatCount(count('skipped'))],
    ['Time in tests', formatDuration(seconds * 1000)],
  ];
  return html`${notices.map((notice) => html`<p class="notice">${notice}</p>`)}<div class="card">${factList(facts)}</div>
${failures(failed, sheet)}
${table('Flaky', flaky, sheet)}
${table(
  'Passed',
  rows.filter((row) => row.test.outcome === 'passed' && !row.flaky),
  sheet,
)}
${table(
  'Skipped',
  rows.filter((row) => row.test.outcome === 'skipped' && !row.flaky),
  sheet,
)}`;
}

function failures(rows: readonly TestRow[], sheet: Sheet): Html | null {
  if (rows.length === 0) return null;
  const shown = fitting(rows, sheet, (row, index) => failure(row, sheet, index < unfolded));
  return html`<h2>Failed <small>${counted(rows.length, 'test')}</small></h2>${shown}${more(rows.length - shown.length)}`;
}

/** As many rows as there is room for. */
function fitting(rows: readonly TestRow[], sheet: Sheet, print: (row: TestRow, index: number) => Html): Html[] {
  const shown: Html[] = [];
  for (const row of rows.slice(0, shownRows)) {
    if (sheet.rowRoom <= 0) break;
    const printed = print(row, shown.length);
    sheet.rowRoom -= printed.text.length;
    shown.push(printed);
  }
  return shown;
}

function failure(row: TestRow, sheet: Sheet, isOpen: boolean): Html {
  const { test } = row;
  const job = sheet.jobs.get(row.job);
  // A summary is pressed as a whole: the link to the job stands below it.
  return html`<details class="card test"${isOpen && raw(' open')}><summary>${pill('failed', test.outcome)} <strong><bdi>${short(test.name)}</bdi></strong> <span class="quiet">${job !== undefined && html`${nameHtml(job.name)} · `}<bdi>${suiteOf(test)}</bdi> ${time(test)}</span> ${attempts(row)}</summary>
${job !== undefined && html`<p class="quiet">Job <a href="${job.href}">${nameHtml(job.name)}</a></p>`}${said(test, sheet)}${row.attempts.slice(0, -1).map(({ attempt, test: earlier }) => isFailure(earlier.outcome) && sheet.room > 0 && html`<h3 class="quiet">Attempt ${attempt}</h3>${said(earlier, sheet)}`)}</details>`;
}

function said(test: TestCase, sheet: Sheet): Html {
  if (sheet.room <= 0)
    return html`<p class="quiet">What it said is in the raw file: this page has no room for more.</p>`;
  const words = wordsOf(test);
  sheet.room -= words.text.length;
  return words;
}

function wordsOf({ file, message, detail, output }: TestCase): Html {
  return html`${file !== null && html`<p class="quiet"><bdi class="mono">${file}</bdi></p>`}${
    message !== null && !(detail ?? '').includes(message) && html`<pre class="said"><bdi>${message}</bdi></pre>`
  }${detail !== null && html`<pre class="said"><bdi>${detail}</bdi></pre>`}${
    output !== null &&
    html`<details><summary class="quiet">Output</summary><pre class="said"><bdi>${output}</bdi></pre></details>`
  }`;
}

function table(title: string, rows: readonly TestRow[], sheet: Sheet): Html | null {
  if (rows.length === 0) return null;
  const shown = fitting(rows, sheet, (row) => line(row, sheet));
  return html`<h2>${title} <small>${counted(rows.length, 'test')}, the slowest first</small></h2>
<div class="card scroll"><table class="stack"><thead><tr><th scope="col">Test</th><th scope="col">Where</th><th scope="col" class="n">Time</th><th scope="col">Attempts</th></tr></thead>
<tbody>${shown}</tbody></table></div>
${more(rows.length - shown.length)}`;
}

function more(hidden: number): Html | null {
  return hidden > 0 ? html`<p class="quiet">${counted(hidden, 'more test')} in the raw files.</p>` : null;
}

function line(row: TestRow, sheet: Sheet): Html {
  const { test } = row;
  const words = test.message ?? test.detail ?? test.output;
  const name = html`<bdi>${short(test.name)}</bdi>`;
  return html`<tr><td class="whole">${words === null ? name : html`<details><summary>${name}</summary>${said(test, sheet)}</details>`}</td><td class="quiet">${where(row, sheet)}</td><td class="n">${time(test)}</td><td>${attempts(row)}</td></tr>`;
}

function where({ job, test }: TestRow, { jobs }: Sheet): Html {
  const tested = jobs.get(job);
  return html`${tested !== undefined && html`<a href="${tested.href}">${nameHtml(tested.name)}</a> · `}<bdi>${suiteOf(test)}</bdi>`;
}

function suiteOf({ className, suite }: TestCase): string {
  return short(className ?? suite);
}

function short(name: string): string {
  return name.length <= longestName ? name : `${name.slice(0, longestName)}…`;
}

function time({ seconds }: TestCase): string {
  if (seconds === null) return '';
  return seconds < 10 ? `${seconds.toFixed(seconds < 0.1 ? 3 : 2)}s` : formatDuration(seconds * 1000);
}

const ends = { passed: 'passed', failed: 'failed', errored: 'failed', skipped: 'skipped' } as const;

/** One attempt alone is told by where the row stands. */
function attempts({ attempts: all }: TestRow): Html | null {
  if (all.length < 2) return null;
  return html`<span class="attempts">${all.map(({ attempt, test }) => pill(ends[test.outcome], `${attempt}: ${test.outcome}`))}</span>`;
}
