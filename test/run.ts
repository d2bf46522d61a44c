/**
 * `npm test`: installs what the tests need, runs every test/**\/*.test.ts, and closes with the totals.
 *   npm test                          all
 *   npm test -- tree start/           files whose path holds one of these words
 *   npm test -- --name 'a regex'      tests by name
 *   npm test -- --unit                those that need no Redis, Lighttpd or Chromium
 */
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { parseArgs } from 'node:util';
import { readEnv } from '../src/config.ts';
import { toMirrorError } from '../src/errors.ts';
import {
  chromiumNeed,
  lighttpdTlsNeed,
  opensslNeed,
  promtoolNeed,
  redisNeed,
  shellcheckNeed,
  unzipNeed,
} from '../src/programs.ts';
import { ensurePrograms } from '../src/supervise/install.ts';
import { ensureReportTools } from './reports/tools.ts';

const root = join(import.meta.dirname, '..');
/** Folders whose tests start nothing and write next to nothing: seconds in all. */
const unitFolders = ['bench', 'buildkite', 'commands', 'house', 'logs', 'pages', 'reconcile', 'search'];
/** A file that hangs, or leaves something open when its tests are done, is ended and has failed. */
const fileTimeoutMs = 900_000;

/** Whoever ends the run ends the file that runs with it. */
const ended = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => ended.abort());

process.exitCode = await main();

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { name: { type: 'string' }, unit: { type: 'boolean', default: false } },
  });
  const files = findFiles(values.unit ? unitFolders.map((folder) => `test/${folder}/`) : positionals);
  if (files.length === 0) {
    process.stderr.write(`no test file matches ${positionals.join(', ')}\n`);
    return 64;
  }
  try {
    if (!values.unit) await ensureTestPrograms();
    // Without them a test of one file says what it lacks, and all others say what they have to.
    if (files.some((file) => file.startsWith('test/reports/')))
      await ensureReportTools(say).catch((error: unknown) => say(toMirrorError(error).message));
  } catch (error) {
    process.stderr.write(`test: ${toMirrorError(error).message}\n`);
    return 78;
  }
  const startedAt = performance.now();
  const isPicked = positionals.length > 0 || values.name !== undefined;
  const totals = await runFiles(files, values.name, isPicked);
  process.stdout.write(`\n${files.length} files in ${secondsSince(startedAt)} s\n`);
  process.stdout.write(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped\n`);
  return totals.failed === 0 && totals.passed > 0 && !ended.signal.aborted ? 0 : 1;
}

function findFiles(words: readonly string[]): string[] {
  const all = globSync('test/**/*.test.ts', { cwd: root, exclude: ['**/node_modules/**'] }).toSorted();
  return words.length === 0 ? all : all.filter((file) => words.some((word) => file.includes(word)));
}

function say(line: string): void {
  process.stderr.write(`kitemirror: ${line}\n`);
}

async function ensureTestPrograms(): Promise<void> {
  const needs = [redisNeed, lighttpdTlsNeed, opensslNeed, chromiumNeed, promtoolNeed, shellcheckNeed, unzipNeed];
  await ensurePrograms(needs, { root, env: readEnv(root), isRoot: process.getuid?.() === 0, say });
}

interface Totals {
  passed: number;
  failed: number;
  skipped: number;
}

/** As many files at once as there are processors; each in a process of its own. */
async function runFiles(files: readonly string[], name: string | undefined, isVerbose: boolean): Promise<Totals> {
  const totals: Totals = { passed: 0, failed: 0, skipped: 0 };
  const queue = [...files];
  async function lane(): Promise<void> {
    for (let file = queue.shift(); file !== undefined && !ended.signal.aborted; file = queue.shift()) {
      const startedAt = performance.now();
      const { counts, report } = await runFile(file, name);
      totals.passed += counts.passed;
      totals.failed += counts.failed;
      totals.skipped += counts.skipped;
      const mark = counts.failed === 0 ? 'ok    ' : 'FAILED';
      const skips = counts.skipped === 0 ? '' : `, ${counts.skipped} skipped`;
      process.stdout.write(
        `${mark} ${file.padEnd(44)} ${counts.passed} passed${skips} (${secondsSince(startedAt)} s)\n`,
      );
      if (isVerbose || counts.failed + counts.skipped > 0) process.stdout.write(`${report}\n`);
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, lane));
  return totals;
}

async function runFile(file: string, name: string | undefined): Promise<{ counts: Totals; report: string }> {
  const counts: Totals = { passed: 0, failed: 0, skipped: 0 };
  const events = run({
    files: [join(root, file)],
    cwd: root,
    signal: AbortSignal.any([AbortSignal.timeout(fileTimeoutMs), ended.signal]),
    ...(name === undefined ? {} : { testNamePatterns: [new RegExp(name)] }),
  });
  // The one summary without a file is that of the whole run.
  events.on('test:summary', ({ file: of, counts: said }) => {
    if (of !== undefined) return;
    counts.passed = said.passed;
    counts.skipped = said.skipped + said.todo;
    counts.failed = said.tests - said.passed - counts.skipped;
  });
  let report = '';
  for await (const text of events.compose(spec)) report += String(text);
  return { counts, report };
}

function secondsSince(startedAt: number): string {
  return ((performance.now() - startedAt) / 1000).toFixed(1);
}
