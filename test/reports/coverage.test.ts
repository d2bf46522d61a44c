import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parseCobertura, parseLcov, total } from '../../src/reports/coverage.ts';
import { makeCoverageReport } from './make.ts';

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'kitemirror-coverage-'));
  makeCoverageReport(folder);
});
after(() => rmSync(folder, { recursive: true }));

test('what Istanbul writes as lcov and as Cobertura is read as the same', () => {
  const lcov = parseLcov(readFileSync(join(folder, 'lcov.info'), 'utf8'));
  const cobertura = parseCobertura(readFileSync(join(folder, 'cobertura-coverage.xml'), 'utf8'));
  assert.deepEqual(lcov, cobertura);
  assert.equal(lcov?.files.length, 2);
  assert.deepEqual(total(lcov.files, 'lines'), { found: 2, hit: 1 });
  assert.deepEqual(total(lcov.files, 'functions'), { found: 2, hit: 1 });
});

test('a file that two tests cover counts once, by the better of each line', () => {
  const text = ['TN:a', 'SF:x.c', 'FN:1,5,f', 'DA:1,0', 'DA:2,4', 'BRDA:2,0,0,-', 'end_of_record'].join('\n');
  const more = ['TN:b', 'SF:x.c', 'FNDA:2,f', 'DA:1,1', 'DA:2,0', 'BRDA:2,0,0,1', 'end_of_record'].join('\r\n');
  assert.deepEqual(parseLcov(`${text}\n${more}\n`)?.files, [
    {
      path: 'x.c',
      lines: { found: 2, hit: 2 },
      branches: { found: 1, hit: 1 },
      functions: { found: 1, hit: 1 },
    },
  ]);
});

test('what is neither is neither', () => {
  assert.equal(parseLcov('DA:1,1\nnothing'), null);
  assert.equal(parseCobertura('<testsuites/>'), null);
  assert.equal(parseCobertura('<!DOCTYPE coverage [<!ENTITY a "b">]><coverage/>'), null);
  assert.deepEqual(parseCobertura('<!DOCTYPE coverage SYSTEM "http://x/y.dtd"><coverage/>')?.files, []);
});
