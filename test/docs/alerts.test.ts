/** The example alerts: well-formed, about metrics that exist, quiet when all is well, and each with its paragraph. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { findCommand, promtoolNeed } from '../../src/programs.ts';
import { codeIn, readDocument, root, tableAfter } from './markdown.ts';

const rules = readDocument('deploy/prometheus/alerts.yml');
const promtool = findCommand(promtoolNeed.commands, process.env.PATH ?? '');
const skip = promtool === null && 'promtool is not on this machine';

function run(...args: string[]): string {
  return execFileSync(promtool ?? '', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

test('promtool accepts the rules and the configuration', { skip }, () => {
  assert.match(run('check', 'rules', 'deploy/prometheus/alerts.yml'), /SUCCESS: \d+ rules found/);
  assert.match(run('check', 'config', 'deploy/prometheus/prometheus.yml'), /is valid/);
});

test('each alert fires at its trouble, and none on a quiet mirror', { skip }, () => {
  assert.match(run('test', 'rules', join('test', 'docs', 'alerts.promtool.yml')), /SUCCESS/);
});

test('the alerts name metrics of the README only', () => {
  const known = new Set(tableAfter(readDocument('README.md'), 'metrics').flatMap(([name = '']) => codeIn(name)));
  const named = Array.from(rules.matchAll(/\bkitemirror_[a-z_]+/g), ([name]) =>
    name.replace(/_(bucket|sum|count)$/, ''),
  );
  assert.ok(named.length > 8);
  assert.deepEqual(
    named.filter((name) => !known.has(name)),
    [],
  );
});

test('docs/operations.md says what to do about each alert', () => {
  const alerts = Array.from(rules.matchAll(/- alert: (\w+)/g), ([, name = '']) => name);
  const told = readDocument('docs/operations.md')
    .split('\n')
    .filter((line) => line.startsWith('| Kitemirror'));
  const names = told.flatMap((line) => (line.split('|')[1] ?? '').split(',').map((name) => name.trim()));
  assert.deepEqual(names.toSorted(), alerts.toSorted());
});
