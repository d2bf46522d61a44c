import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findHtmlReports } from '../../src/reports/html-reports.ts';

test('reports are found by what their tools write, under whatever name', () => {
  const paths = [
    'e2e/out/index.html',
    'e2e/out/trace/index.html',
    `e2e/out/data/${'a'.repeat(40)}.zip`,
    'allure-report/index.html',
    'allure-report/widgets/summary.json',
    'ui/index.html',
    'ui/iframe.html',
    'ui/sb-manager/runtime.js',
    'coverage/lcov-report/index.html',
    'coverage/lcov-report/prettify.js',
    'coverage/lcov-report/src/index.html',
    'mochawesome-report/mochawesome.html',
    'mochawesome-report/assets/app.js',
    'docs/site/index.html',
    'docs/site/guide/index.html',
    'notes/readme.html',
    'constructor/x.txt',
  ];
  assert.deepEqual(findHtmlReports(paths), [
    { title: 'Playwright report', path: 'e2e/out/' },
    { title: 'Allure report', path: 'allure-report/' },
    { title: 'Storybook', path: 'ui/' },
    { title: 'Coverage', path: 'coverage/lcov-report/' },
    { title: 'Mochawesome report', path: 'mochawesome-report/mochawesome.html' },
    { title: 'site', path: 'docs/site/' },
  ]);
});

test('a report in the very root is one, with its own pages below it', () => {
  const playwright = ['index.html', 'trace/index.html', `data/${'b'.repeat(40)}.png`];
  assert.deepEqual(findHtmlReports(playwright), [{ title: 'Playwright report', path: '' }]);
  assert.deepEqual(findHtmlReports(['index.html', 'a/index.html']), [
    { title: 'Report', path: '' },
    { title: 'a', path: 'a/' },
  ]);
  assert.deepEqual(findHtmlReports(['a.txt']), []);
});
