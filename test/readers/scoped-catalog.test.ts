import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Rule } from '../../src/identity/decide.ts';
import { answerAs, type Reader } from '../../src/readers/caller.ts';
import { scopedCatalog } from '../../src/readers/scoped-catalog.ts';
import { openCatalog } from '../../src/search/catalog.ts';
import { newestBuilds } from '../../src/search/newest.ts';
import { sampleBuild, summaryOfBuild, uuid } from '../pages/samples.ts';

const folder = mkdtempSync(join(tmpdir(), 'kitemirror-scoped-'));
after(() => rmSync(folder, { recursive: true }));
const catalog = openCatalog(join(folder, 'catalog'));
after(() => catalog.close());
const scoped = scopedCatalog(catalog);

for (const [number, pipeline, branch, hour] of [
  [1, 'web', 'main', 1],
  [2, 'web', 'secret', 4],
  [3, 'web', 'main', 2],
  [4, 'vault', 'main', 5],
  [5, 'api', 'main', 3],
] as const) {
  const finished = `2026-11-01T0${hour}:00:00.000Z`;
  const changes = { number, pipeline, branch, id: uuid(number), finished_at: finished };
  catalog.put(
    { folder: pipeline, summary: summaryOfBuild(sampleBuild([], changes)), lost: 0, withheld: 0 },
    () => undefined,
  );
}

function readerOf(...rules: [pipeline: string, branches: string[] | null][]): Reader {
  const ruleOf = ([pipeline, branches]: [string, string[] | null]): Rule => {
    return { organization: 'acme', pipeline, pipelineId: null, branches };
  };
  const grants = rules.map((rule) => ({ rule: ruleOf(rule), addresses: null }));
  const access = { grants, address: '127.0.0.1' };
  const issuer = 'https://login.example';
  return { kind: 'user', subject: 'ann', name: 'ann', issuer, session: 'one', shown: null, access };
}

function seen(reader: Reader): { newest: number[]; pipelines: [string, number][]; builds: number | null } {
  return answerAs(reader, () => {
    const pipelines = scoped.pipelines('acme');
    return {
      newest: newestBuilds(scoped, 'acme', pipelines, 3).map(({ summary }) => summary.number),
      pipelines: pipelines.map((row) => [row.folder, row.builds]),
      builds: scoped.totals('acme')?.builds ?? null,
    };
  });
}

test('who reads everything sees all pipelines, the newest builds of all, and the totals', () => {
  const everything = {
    newest: [4, 2, 5],
    pipelines: [
      ['api', 1],
      ['vault', 1],
      ['web', 3],
    ],
    builds: 5,
  };
  assert.deepEqual(seen('open'), everything);
  assert.deepEqual(seen(readerOf(['*', null])), everything);
});

test('who reads a part sees that part alone, counted as that part, and no totals', () => {
  assert.deepEqual(seen(readerOf(['web', ['main']])), { newest: [3, 1], pipelines: [['web', 2]], builds: null });
  assert.deepEqual(seen(readerOf(['web', ['main']], ['api', null])).newest, [5, 3, 1]);
  assert.deepEqual(seen(readerOf()), { newest: [], pipelines: [], builds: null });
});

test('nobody is answered past the guard', () => {
  assert.throws(() => scoped.totals('acme'), /past the guard/);
});
