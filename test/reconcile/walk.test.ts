/** A list of builds that changes while it is walked, is not shown beyond a depth, or does not mind bounds. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type BuildList, type BuildQuery, buildsPerPage, type ListedBuild } from '../../src/buildkite/build-list.ts';
import { walkBuilds, walkStart } from '../../src/reconcile/walk.ts';

const start = Date.UTC(2026, 10, 1);
const never = new AbortController().signal;

function listed(index: number, createdAt: number): ListedBuild {
  const id = `00000000-0000-4000-8000-${index.toString(16).padStart(12, '0')}`;
  const created_at = new Date(createdAt).toISOString();
  return {
    id,
    number: index + 1,
    state: 'passed',
    branch: 'main',
    pipeline: 'web',
    created_at,
    finished_at: created_at,
  };
}

interface Rules {
  readonly deepest?: number;
  readonly ignoresBounds?: boolean;
  readonly boundIsExclusive?: boolean;
  /** Before each answer. */
  readonly change?: (request: number, builds: ListedBuild[]) => void;
}

/** Newest created first, as Buildkite lists them. */
function listOf(all: ListedBuild[], rules: Rules = {}): { list: BuildList; asked: BuildQuery[] } {
  const asked: BuildQuery[] = [];
  const list: BuildList = async (query) => {
    asked.push(query);
    rules.change?.(asked.length, all);
    const { createdTo, createdFrom, page = 1 } = query;
    const isShown = ({ created_at: at }: ListedBuild): boolean =>
      rules.ignoresBounds === true ||
      ((createdFrom === undefined || (at ?? '') >= createdFrom) &&
        (createdTo === undefined || (rules.boundIsExclusive ? (at ?? '') < createdTo : (at ?? '') <= createdTo)));
    const shown = all
      .filter(isShown)
      .toSorted((left, right) => ((left.created_at ?? '') < (right.created_at ?? '') ? 1 : -1));
    if (page * buildsPerPage > (rules.deepest ?? Number.POSITIVE_INFINITY)) return 'too deep';
    const end = page * buildsPerPage;
    return { builds: shown.slice(end - buildsPerPage, end), unreadable: 0, at: start, hasNext: shown.length > end };
  };
  return { list, asked };
}

const query: BuildQuery = { organization: 'acme', finishedFrom: new Date(start).toISOString() };

async function walk(list: BuildList) {
  const found: string[] = [];
  let hasHole = false;
  for await (const page of walkBuilds(list, query, walkStart, never)) {
    found.push(...page.builds.map(({ id }) => id));
    hasHole ||= page.hasHole;
  }
  return { found, hasHole };
}

const many = (count: number, everyMs: number): ListedBuild[] =>
  Array.from({ length: count }, (_, index) => listed(index, start + index * everyMs));

describe('a walk through a list of builds', () => {
  it('is one request where one page holds all', async () => {
    const { list, asked } = listOf(many(99, 1000));
    assert.equal((await walk(list)).found.length, 99);
    assert.equal(asked.length, 1);
  });

  it('sees each build once, and asks little more than there are pages', async () => {
    for (const boundIsExclusive of [true, false]) {
      const { list, asked } = listOf(many(1000, 60_000), { boundIsExclusive });
      const { found, hasHole } = await walk(list);
      assert.deepEqual([found.length, new Set(found).size, hasHole], [1000, 1000, false]);
      assert.ok(asked.length <= 11, `${asked.length} requests`);
    }
  });

  it('gets past the depth that a list is shown to', async () => {
    const { list } = listOf(many(1000, 60_000), { deepest: 200 });
    assert.equal((await walk(list)).found.length, 1000);
  });

  it('halves the time where even one page is too deep', async () => {
    const all = many(450, 3_600_000);
    const { list: plain } = listOf(all);
    const list: BuildList = async (asked, signal) => {
      const span =
        Date.parse(asked.createdTo ?? new Date().toISOString()) - Date.parse(asked.createdFrom ?? '2026-09-01');
      return span > 7 * 86_400_000 ? 'too deep' : plain(asked, signal);
    };
    assert.equal((await walk(list)).found.length, 450);
  });

  it('gives up where even a moment is too deep, rather than ask for ever', async () => {
    await assert.rejects(
      walk(async () => 'too deep'),
      /does not list all builds/,
    );
  });

  it('reads more builds of one moment than a page holds', async () => {
    const { list } = listOf(many(350, 0));
    assert.equal((await walk(list)).found.length, 350);
  });

  it('counts pages where the list does not mind bounds', async () => {
    const { list, asked } = listOf(many(550, 60_000), { ignoresBounds: true });
    assert.deepEqual(await walk(list), { found: (await walk(listOf(many(550, 60_000)).list)).found, hasHole: false });
    assert.ok(asked.length <= 8, `${asked.length} requests`);
  });

  it('says so when the build that the next page must begin with has left the list', async () => {
    const leaves = (request: number, builds: ListedBuild[]): void => {
      if (request === 2) builds.splice(builds.length - 100, 1);
    };
    const { hasHole } = await walk(listOf(many(300, 60_000), { change: leaves }).list);
    assert.equal(hasHole, true);
  });

  it('overlooks no build that stays, whatever enters and leaves meanwhile', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 5000 }), { minLength: 150, maxLength: 600 }),
        fc.array(fc.tuple(fc.boolean(), fc.nat()), { maxLength: 40 }),
        fc.boolean(),
        async (gaps, changes, boundIsExclusive) => {
          let at = start;
          const all = gaps.map((gap, index) => listed(index, (at += gap)));
          const gone = new Set<string>();
          const change = (request: number, builds: ListedBuild[]): void => {
            for (const [enters, where] of changes.slice(request * 4, request * 4 + 4)) {
              if (enters) builds.push(listed(10_000 + request * 10 + builds.length, start + where));
              else gone.add(builds.splice(where % builds.length, 1)[0]?.id ?? '');
            }
          };
          const staying = all.map(({ id }) => id);
          const { found } = await walk(listOf(all, { boundIsExclusive, change }).list);
          const seen = new Set(found);
          assert.deepEqual(
            staying.filter((id) => !seen.has(id) && !gone.has(id)),
            [],
          );
        },
      ),
      { numRuns: 60, endOnFailure: true },
    );
  });
});
