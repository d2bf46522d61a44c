import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it, test } from 'node:test';
import type { Rule } from '../../src/identity/decide.ts';
import { answerAs, type Reader } from '../../src/readers/caller.ts';
import { scopedCatalog } from '../../src/readers/scoped-catalog.ts';
import { type Catalog, openCatalog } from '../../src/search/catalog.ts';
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

type Granted = [pipeline: string, branches: string[] | null];

function readerOf(...rules: Granted[]): Reader {
  return readerBy(...rules.map(([pipeline, branches]) => ({ pipeline, pipelineId: null, branches })));
}

function readerBy(...rules: Omit<Rule, 'organization'>[]): Reader {
  const grants = rules.map((rule) => ({ rule: { organization: 'acme', ...rule }, addresses: null }));
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

describe('a pipeline of many builds', () => {
  const [organization, folder_, last] = ['acme', 'big', 2000];
  const many = openCatalog(join(folder, 'many'));
  after(() => many.close());
  const pipelineId = summaryOfBuild(sampleBuild([])).pipeline_id;
  /** Every hundredth is of a release, every tenth of main a fork's. */
  const branchOf = (number: number): string => (number % 100 === 0 ? `release/${number / 100}` : 'main');
  const isFork = (number: number): boolean => number % 10 === 5;
  many.together(() => {
    for (let number = 1; number <= last; number += 1) {
      const pull = isFork(number) ? { id: '1', base: 'main', fork: true } : null;
      const changes = { number, pipeline: folder_, branch: branchOf(number), id: uuid(number), pull_request: pull };
      const summary = summaryOfBuild(sampleBuild([], changes as Parameters<typeof sampleBuild>[1]));
      many.put({ folder: folder_, summary, lost: 0, withheld: 0 }, () => undefined);
    }
  });
  /** Builds that were read from it, each of which is parsed and judged. */
  let read = 0;
  const counted: Catalog = {
    ...many,
    builds: (filter) => {
      const found = many.builds(filter);
      read += found.length;
      return found;
    },
    branches: (...asked) => {
      const found = many.branches(...asked);
      read += found.length;
      return found;
    },
  };
  const lists = scopedCatalog(counted);

  function look(reader: Reader, more: { before?: number; branch?: string } = {}) {
    read = 0;
    return answerAs(reader, () => ({
      builds: lists.builds({ organization, folder: folder_, limit: 3, ...more }).map(({ number }) => number),
      branches: lists.branches(organization, folder_, 3).map(({ branch }) => branch),
      beside: lists.neighbours(organization, folder_, 1000),
      pipelines: lists.pipelines(organization).map(({ builds, latest }) => [builds, latest?.number]),
    }));
  }
  const nothing = { builds: [], branches: [], beside: { previous: null, next: null }, pipelines: [] };

  it('costs who may read nothing of it no more than one that is not there', () => {
    assert.deepEqual(look(readerOf(['web', null], ['other', ['main']])), nothing);
    assert.deepEqual(look(readerBy({ pipeline: null, pipelineId: uuid(9999), branches: null })), nothing);
    assert.ok(read <= 3, `${read} builds were read`);
  });

  it('is whole for who reads it by its id', () => {
    const found = look(readerBy({ pipeline: null, pipelineId, branches: null }));
    assert.deepEqual(found.builds, [2000, 1999, 1998]);
    assert.deepEqual(found.beside, { previous: 999, next: 1001 });
    assert.deepEqual(found.pipelines, [[last, last]]);
    assert.ok(read <= 20, `${read} builds were read`);
  });

  it('tries a pattern on the branches that begin as it does, the last built first', () => {
    assert.deepEqual(many.branchNames(organization, folder_, 'release/1', 3), [
      'release/19',
      'release/18',
      'release/17',
    ]);
    assert.deepEqual(many.branchNames(organization, folder_, '', 2), ['release/20', 'main']);
    assert.deepEqual(many.branchNames(organization, folder_, 'none', 3), []);
  });

  it('shows the builds of the branches that a rule opens, none of a fork’s, and reads no others', () => {
    const main = look(readerOf([folder_, ['main', 'gone']]));
    assert.deepEqual(main, {
      builds: [1999, 1998, 1997],
      branches: ['main'],
      beside: { previous: 999, next: 1001 },
      pipelines: [[1780, 1999]],
    });
    const releases = look(readerOf([folder_, ['release/*']], [folder_, ['release/7']]));
    assert.deepEqual(releases, {
      builds: [2000, 1900, 1800],
      branches: ['release/20', 'release/19', 'release/18'],
      beside: { previous: 900, next: 1100 },
      pipelines: [[20, 2000]],
    });
    assert.ok(read <= 60, `${read} builds were read`);
    assert.deepEqual(look(readerOf([folder_, ['*']]), { before: 997 }).builds, [996, 994, 993]);
    assert.deepEqual(look(readerOf([folder_, ['release/*']]), { branch: 'release/3' }).builds, [300]);
    assert.deepEqual(look(readerOf([folder_, ['release/*']]), { branch: 'main' }).builds, []);
  });
});
