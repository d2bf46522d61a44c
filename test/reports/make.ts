/** Real reports, each made by its own tool. Every function fills the folder that it is given. */
import { execFile } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import istanbulCoverage from 'istanbul-lib-coverage';
import istanbulReport from 'istanbul-lib-report';
import istanbulReports from 'istanbul-reports';
import { toolsFolder } from './tools.ts';

const require = createRequire(import.meta.url);
const cli = join(require.resolve('@playwright/test/package.json'), '..', 'cli.js');
const config = join(import.meta.dirname, 'playwright-project', 'playwright.config.ts');

const toolTimeoutMs = 120_000;

/** @returns all that it said, and how it ended (0: well; null: not by itself) */
async function runTool(
  script: string,
  args: readonly string[],
  { cwd, env }: { readonly cwd?: string; readonly env: Readonly<Record<string, string>> },
): Promise<{ said: string; code: number | null }> {
  const options = { cwd, env: { PATH: process.env['PATH'], ...env }, timeout: toolTimeoutMs };
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [script, ...args], options, (_error, out, err) =>
      resolve({ said: `${out}${err}`, code: child.exitCode }),
    );
  });
}

/** Playwright Test's own HTML report of two tests, one of which fails, with traces and screenshots. */
export async function makePlaywrightReport(folder: string, chromium: string): Promise<void> {
  const env = { HOME: folder, REPORT_FOLDER: folder, REPORT_CHROMIUM: chromium };
  const { said } = await runTool(cli, ['test', '-c', config], { env });
  // One of the tests is to fail, so the exit code says nothing.
  if (!/1 failed[\s\S]*1 passed/.test(said)) throw new Error(`Playwright did not run as it should: ${said}`);
}

/** Storybook's own build of two stories (test/reports/tools/stories). */
export async function makeStorybook(folder: string): Promise<void> {
  const storybook = join(toolsFolder, 'node_modules', 'storybook', 'dist', 'bin', 'dispatcher.js');
  // Out of reach of what it would like to tell and to ask.
  const env = { CI: '1', HOME: folder, STORYBOOK_DISABLE_TELEMETRY: '1' };
  const args = ['build', '--output-dir', folder, '--quiet', '--disable-telemetry'];
  const { said, code } = await runTool(storybook, args, { cwd: toolsFolder, env });
  if (code !== 0) throw new Error(`Storybook did not build: ${said}`);
}

/** What Allure is given by a test framework: a test that failed, and what it saw. */
const allureResult = {
  uuid: '0190a1b2-0000-4000-8000-00000000000d',
  historyId: 'checkout takes a card',
  name: 'takes a card',
  fullName: 'checkout.spec.js#takes a card',
  status: 'failed',
  stage: 'finished',
  statusDetails: { message: 'expected 3 to equal 4', trace: 'Error: expected 3 to equal 4' },
  start: Date.parse('2025-11-25T10:00:00Z'),
  stop: Date.parse('2025-11-25T10:00:01Z'),
  labels: [{ name: 'suite', value: 'Checkout' }],
  steps: [],
  attachments: [{ name: 'what the page said', type: 'text/plain', source: 'said-attachment.txt' }],
  parameters: [],
  links: [],
};

/** Allure's own report of one test that failed, with an attachment. */
export async function makeAllureReport(folder: string): Promise<void> {
  const results = `${folder}-results`;
  mkdirSync(results, { recursive: true });
  writeFileSync(join(results, `${allureResult.uuid}-result.json`), JSON.stringify(allureResult));
  writeFileSync(join(results, 'said-attachment.txt'), 'the till is closed\n');
  const allure = join(toolsFolder, 'node_modules', 'allure', 'cli.js');
  const env = { HOME: results };
  const { said, code } = await runTool(allure, ['generate', results, '--output', folder], { cwd: results, env });
  rmSync(results, { recursive: true });
  if (code !== 0) throw new Error(`Allure made no report: ${said}`);
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
