/** Real reports, each made by its own tool. Every function fills the folder that it is given. */
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import istanbulCoverage from 'istanbul-lib-coverage';
import istanbulReport from 'istanbul-lib-report';
import istanbulReports from 'istanbul-reports';

const require = createRequire(import.meta.url);
const cli = join(require.resolve('@playwright/test/package.json'), '..', 'cli.js');
const config = join(import.meta.dirname, 'playwright-project', 'playwright.config.ts');

/** Playwright Test's own HTML report of two tests, one of which fails, with traces and screenshots. */
export async function makePlaywrightReport(folder: string, chromium: string): Promise<void> {
  const env = { PATH: process.env['PATH'], HOME: folder, REPORT_FOLDER: folder, REPORT_CHROMIUM: chromium };
  const said = await new Promise<string>((resolve) => {
    execFile(process.execPath, [cli, 'test', '-c', config], { env, timeout: 120_000 }, (_error, out, err) =>
      resolve(`${out}${err}`),
    );
  });
  // One of the tests is to fail, so the exit code says nothing.
  if (!/1 failed[\s\S]*1 passed/.test(said)) throw new Error(`Playwright did not run as it should: ${said}`);
}

/** Istanbul's HTML report of two files, with lcov.info and cobertura-coverage.xml beside it. */
export function makeCoverageReport(folder: string): void {
  const sources = join(folder, 'src');
  mkdirSync(sources, { recursive: true });
  const map = istanbulCoverage.createCoverageMap({});
  for (const [name, hits] of [
    ['basket.js', 3],
    ['checkout.js', 0],
  ] as const) {
    const path = join(sources, name);
    writeFileSync(path, `export function total(things) {\n  return things.length;\n}\n`);
    const at = (line: number, column: number, end: number) => ({ start: { line, column }, end: { line, column: end } });
    const span = { start: { line: 1, column: 7 }, end: { line: 3, column: 1 } };
    map.addFileCoverage({
      path,
      statementMap: { 0: at(2, 2, 23) },
      s: { 0: hits },
      fnMap: { 0: { name: 'total', decl: at(1, 16, 21), loc: span, line: 1 } },
      f: { 0: hits },
      branchMap: {},
      b: {},
    });
  }
  const context = istanbulReport.createContext({ dir: folder, coverageMap: map, defaultSummarizer: 'nested' });
  for (const kind of ['html', 'lcovonly', 'cobertura'] as const) istanbulReports.create(kind).execute(context);
}

/** What mochawesome's report generator is given by its reporter, with one test in it. */
const run = {
  stats: {
    suites: 1,
    tests: 1,
    passes: 1,
    pending: 0,
    failures: 0,
    start: '2025-11-25T10:00:00.000Z',
    end: '2025-11-25T10:00:01.000Z',
    duration: 1000,
    testsRegistered: 1,
    passPercent: 100,
    pendingPercent: 0,
    other: 0,
    hasOther: false,
    skipped: 0,
    hasSkipped: false,
  },
  results: [
    {
      uuid: '0190a1b2-0000-4000-8000-00000000000a',
      title: '',
      fullFile: '',
      file: '',
      beforeHooks: [],
      afterHooks: [],
      tests: [],
      suites: [
        {
          uuid: '0190a1b2-0000-4000-8000-00000000000b',
          title: 'Checkout',
          fullFile: '/shop/checkout.spec.js',
          file: '/checkout.spec.js',
          beforeHooks: [],
          afterHooks: [],
          tests: [
            {
              title: 'takes a card',
              fullTitle: 'Checkout takes a card',
              timedOut: false,
              duration: 12,
              state: 'passed',
              speed: 'fast',
              pass: true,
              fail: false,
              pending: false,
              context: null,
              code: 'expect(1).to.equal(1);',
              err: {},
              uuid: '0190a1b2-0000-4000-8000-00000000000c',
              parentUUID: '0190a1b2-0000-4000-8000-00000000000b',
              isHook: false,
              skipped: false,
            },
          ],
          suites: [],
          passes: ['0190a1b2-0000-4000-8000-00000000000c'],
          failures: [],
          pending: [],
          skipped: [],
          duration: 12,
          root: false,
          rootEmpty: false,
          _timeout: 2000,
        },
      ],
      passes: [],
      failures: [],
      pending: [],
      skipped: [],
      duration: 0,
      root: true,
      rootEmpty: true,
      _timeout: 2000,
    },
  ],
  meta: {
    mocha: { version: '11.0.0' },
    mochawesome: { options: {}, version: '8.0.0' },
    marge: { options: {}, version: '6.3.0' },
  },
};

/** Mochawesome's report: a page, and its scripts, style and fonts beside it. */
export async function makeMochawesomeReport(folder: string): Promise<void> {
  // It has no types of its own.
  const generator = require('mochawesome-report-generator') as {
    create(data: unknown, options: Record<string, unknown>): Promise<unknown>;
  };
  await generator.create(run, { reportDir: folder, reportFilename: 'index', reportTitle: 'Shop', saveJson: true });
}
