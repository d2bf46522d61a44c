/** What the documents say exists: commands, metrics, error codes, dependencies, links. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { test } from 'node:test';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { type ErrorCode, policyOf } from '../../src/errors.ts';
import type { GlobalSources } from '../../src/metrics/globals.ts';
import { receiverMetrics } from '../../src/metrics/receiver.ts';
import { workerMetrics } from '../../src/metrics/worker.ts';
import { anchorsOf, codeIn, codeOf, documents, linksOf, readDocument, root, tableAfter } from './markdown.ts';

const readme = readDocument('README.md');
const packageFile = JSON.parse(readDocument('package.json')) as Record<string, Record<string, string>>;
const all = documents.map((file) => ({ file, text: readDocument(file) }));

test('every npm script that a document names exists, and the README names them all', () => {
  const scripts = Object.keys(packageFile.scripts ?? {});
  const named = new Set<string>();
  for (const { file, text } of all) {
    for (const code of codeOf(text)) {
      for (const [, , run, plain] of code.matchAll(/\bnpm (run ([\w:-]+)|(test|start)\b)/g)) {
        const name = run ?? plain ?? '';
        assert.ok(scripts.includes(name), `${file}: npm run ${name}`);
        named.add(name);
      }
    }
  }
  assert.deepEqual([...named].toSorted(), scripts.toSorted());
});

test('every bin/kitemirror command that a document names has its help, and the README names them all', () => {
  const cli = (...words: string[]): string =>
    execFileSync(process.execPath, [join(root, 'src/cli.ts'), ...words], { encoding: 'utf8' });
  const offered = Array.from(cli('--help').matchAll(/^ {2}([\w-]+) {2,}/gm), ([, name = '']) => name);
  const named = new Set(
    all.flatMap(({ text }) =>
      codeOf(text).flatMap((code) => Array.from(code.matchAll(/bin\/kitemirror (\w[\w-]*)/g), ([, name = '']) => name)),
    ),
  );
  assert.deepEqual([...named].toSorted(), offered.toSorted());
  for (const name of named) assert.match(cli(name, '--help'), new RegExp(`^Usage: kitemirror ${name}\\b`));
});

test('the README has every metric, with its kind and labels, and no other', async () => {
  const registry = new Registry();
  receiverMetrics(registry, noSources, pino({ level: 'silent' }));
  workerMetrics(registry);
  const declared = (await registry.getMetricsAsJSON()).map(({ name, type }) => {
    const metric = registry.getSingleMetric(name) as unknown as { labelNames: string[] };
    return { name, labels: metric.labelNames, kind: String(type) };
  });
  const told = tableAfter(readme, 'metrics').map(([name = '', labels = '', kind = '']) => ({
    name: codeIn(name)[0] ?? '',
    labels: codeIn(labels),
    kind,
  }));
  const byName = (left: { name: string }, right: { name: string }): number => (left.name < right.name ? -1 : 1);
  assert.deepEqual(told.toSorted(byName), declared.toSorted(byName));
});

const noSources: GlobalSources = {
  tasks: async () => [],
  budgets: async () => [],
  gaps: async () => ({ unsettled: 0, oldestSince: null }),
  totals: async () => ({ incomplete: 0, lost: 0, logicalBytes: 0, storedBytes: 0 }),
  diskFreeBytes: async () => 0,
  reconciledAt: async () => null,
  webhookHealthy: async () => null,
  grantsRightAt: async () => null,
  journalEntries: () => 0,
};

test('every error code that a document names is in the table, with the status that is told beside it', () => {
  let seen = 0;
  for (const { file, text } of all) {
    for (const [told, status, code = ''] of text.matchAll(/(?:\b(\d{3}) )?`(ERR_[A-Z_]+)`/g)) {
      const policy = policyOf(code as ErrorCode) as ReturnType<typeof policyOf> | undefined;
      assert.ok(policy !== undefined, `${file}: ${code} does not exist`);
      if (status !== undefined) assert.equal(policy.status, Number(status), `${file}: ${told}`);
      seen += 1;
    }
  }
  assert.ok(seen > 10);
});

test('every dependency has its reason, and no other is told of', () => {
  const told = readDocument('docs/dependencies.md')
    .split('\n')
    .flatMap((line) => (line.startsWith('| `') ? codeIn(line.split('|')[1] ?? '') : []));
  const { dependencies, optionalDependencies, devDependencies } = packageFile;
  const tools = JSON.parse(readDocument('test/reports/tools/package.json')) as typeof packageFile;
  const real = Object.keys({ ...dependencies, ...optionalDependencies, ...devDependencies, ...tools.dependencies });
  assert.deepEqual(told.toSorted(), real.toSorted());
});

test('every relative link leads to a file, and to a heading where it names one', () => {
  let seen = 0;
  for (const { file, text } of all) {
    for (const target of linksOf(text).filter((link) => !/^[a-z]+:/.test(link))) {
      const [path = '', anchor] = target.split('#');
      const leads = path === '' ? file : posix.join(dirname(file), path);
      assert.ok(existsSync(join(root, leads)), `${file}: ${target}`);
      if (anchor !== undefined) assert.ok(anchorsOf(readDocument(leads)).has(anchor), `${file}: ${target}`);
      seen += 1;
    }
  }
  assert.ok(seen > 50);
});

test('every source file that a document names exists', () => {
  for (const { file, text } of all) {
    const named = codeIn(text).filter((code) =>
      /^(src|workers|lighttpd|test|deploy|demo|bin)\/[\w./-]+\.\w+$/.test(code),
    );
    for (const path of named) assert.ok(existsSync(join(root, path)), `${file}: ${path}`);
  }
});
