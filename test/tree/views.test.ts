import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import fc from 'fast-check';
import type { ArtifactRecord, JobRecord, ViewEntry } from '../../src/model.ts';
import { type DataPaths, encodePath } from '../../src/tree/paths.ts';
import { linkView, mergeJobs, mergeSteps } from '../../src/tree/views.ts';
import { preparedData } from './folder.ts';

function job(id: string, paths: readonly string[], change: Partial<JobRecord> = {}): JobRecord {
  const artifacts = paths.map((path, index) => artifact(id, path, { id: `${id}-${index}` }));
  return {
    id,
    step_key: 's',
    retried: false,
    finished_at: '2026-01-01T00:00:00.000Z',
    artifacts,
    ...change,
  } as JobRecord;
}

function artifact(of: string, path: string, change: Partial<ArtifactRecord> = {}): ArtifactRecord {
  const url = encodePath(`jobs/${of}/artifacts/${path}`);
  const file = {
    id: 'a',
    path,
    url,
    size: 1,
    sha1: null,
    sha256: hash('sha256', `${of} ${path}`),
    mime_type: 'text/plain',
  };
  return { ...file, state: 'present', upstream_state: 'finished', reason: null, merged: true, ...change };
}

const winners = (jobs: readonly JobRecord[]): Record<string, string> =>
  Object.fromEntries(mergeJobs(jobs).map(({ path, job: id }) => [path, id]));

const path = fc
  .array(fc.constantFrom('a', 'b', 'c', 'with space', '100%'), { minLength: 1, maxLength: 3 })
  .map((parts) => parts.join('/'));
const jobs = fc
  .uniqueArray(fc.uniqueArray(path, { maxLength: 5 }), { maxLength: 5 })
  .chain((all) =>
    fc.tuple(
      fc.constant(all),
      fc.array(fc.record({ retried: fc.boolean(), minute: fc.nat(3) }), { minLength: 5, maxLength: 5 }),
    ),
  )
  .map(([all, facts]) =>
    all.map((paths, index) => {
      const { retried = false, minute = 0 } = facts[index] ?? {};
      return job(`job-${index}`, paths, { retried, finished_at: `2026-01-01T00:0${minute}:00.000Z` });
    }),
  );

describe('a merged view', () => {
  it('shows what no later attempt replaced; of one path what finished last, at a tie the greater id', () => {
    const at = (minute: number): { finished_at: string } => ({ finished_at: `2026-01-01T00:0${minute}:00.000Z` });
    assert.deepEqual(winners([job('b', ['x'], at(1)), job('a', ['x', 'y'], at(2))]), { x: 'a', y: 'a' });
    assert.deepEqual(winners([job('b', ['x']), job('a', ['x'])]), { x: 'b' });
    assert.deepEqual(winners([job('z', ['x'], { ...at(9), retried: true }), job('a', ['x'])]), { x: 'a' });
    assert.deepEqual(winners([job('a', ['x'], { finished_at: null }), job('b', ['x'], at(0))]), { x: 'b' });
  });

  it('shows the folder where a file and a folder collide', () => {
    assert.deepEqual(winners([job('a', ['x']), job('b', ['x/y']), job('c', ['x/y/z'])]), { 'x/y/z': 'c' });
  });

  it('leaves out what is not there, and what is stored under its id', () => {
    const odd = job('a', []);
    const artifacts = [
      artifact('a', 'lost', { state: 'lost' }),
      artifact('a', 'pending', { state: 'pending' }),
      artifact('a', 'no-sum', { sha256: null }),
      artifact('a', 'by-id', { url: 'jobs/a/artifacts-by-id/1/by-id' }),
      artifact('a', 'nowhere', { url: null }),
      artifact('a', 'there'),
    ];
    assert.deepEqual(winners([{ ...odd, artifacts }]), { there: 'a' });
  });

  it('is the same in whatever order the jobs come, and has no file where it has a folder', () => {
    const two = jobs.chain((all) =>
      fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length })),
    );
    fc.assert(
      fc.property(two, ([some, others]) => {
        const view = mergeJobs(some);
        assert.deepEqual(mergeJobs(others), view);
        const paths = new Set(view.map((entry) => entry.path));
        assert.equal(paths.size, view.length);
        for (const each of paths) {
          for (let folder = dirname(each); folder !== '.'; folder = dirname(folder)) assert.ok(!paths.has(folder));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('is made for each step by itself; jobs without a key have none', () => {
    const steps = mergeSteps([
      job('a', ['x'], { step_key: 'one' }),
      job('b', ['x'], { step_key: 'one' }),
      job('c', ['x'], { step_key: 'constructor' }),
      job('d', ['x'], { step_key: null }),
      job('e', ['x'], { step_key: '' }),
    ]);
    assert.deepEqual(
      Object.entries(steps).map(([key, entries]) => [key, entries.map((entry) => entry.job)]),
      [
        ['one', ['b']],
        ['constructor', ['c']],
      ],
    );
  });
});

interface Shelf {
  readonly paths: DataPaths;
  readonly build: string;
  readonly base: string;
  link(wanted: readonly ViewEntry[], before: readonly ViewEntry[] | null): Promise<void>;
  /** path → text, of all that the view's folder holds. */
  shown(): Record<string, string>;
}

/** Every entry's bytes are stored, and are its digest's text. */
async function shelf(t: TestContext): Promise<Shelf> {
  const paths = await preparedData(t);
  const build = paths.build({ organization: 'acme', folder: 'web', number: 1 });
  mkdirSync(build, { recursive: true });
  const base = join(build, 'artifacts');
  const sourceOf = ({ sha256 }: ViewEntry): string => join(build, `source-${sha256}`);
  return {
    paths,
    build,
    base,
    link: async (wanted, before) => {
      for (const entry of wanted) {
        for (const file of [paths.blob(entry.sha256), sourceOf(entry)])
          if (!existsSync(file)) writeFileSync(file, entry.sha256);
      }
      await linkView(paths, { build, below: 'artifacts' }, wanted, before, sourceOf);
    },
    shown: () => {
      if (!existsSync(base)) return {};
      const files = readdirSync(base, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
      const texts = files.map((entry) => join(entry.parentPath, entry.name));
      return Object.fromEntries(texts.map((file) => [file.slice(base.length + 1), readFileSync(file, 'utf8')]));
    },
  };
}

const wantedOf = (view: readonly ViewEntry[]): Record<string, string> =>
  Object.fromEntries(view.map((entry) => [entry.path, entry.sha256]));

describe("a view's folder", () => {
  it('holds what is wanted and nothing else, whatever it held before, known or not', async (t) => {
    const { link, shown, base } = await shelf(t);
    let before: ViewEntry[] = [];
    await fc.assert(
      fc.asyncProperty(jobs, fc.boolean(), async (all, isKnown) => {
        const wanted = mergeJobs(all);
        await link(wanted, isKnown ? before : null);
        assert.deepEqual(shown(), wantedOf(wanted));
        before = wanted;
      }),
      { numRuns: 80 },
    );
    await link([], before);
    assert.deepEqual(readdirSync(base), [], 'no empty folder is left');
  });

  it('links again what has lost its blob', async (t) => {
    const { link, shown, paths } = await shelf(t);
    const [entry] = mergeJobs([job('a', ['x'])]);
    assert.ok(entry);
    await link([entry], []);
    unlinkSync(paths.blob(entry.sha256));
    const other = { ...entry, path: 'y' };
    const sourceOf = (): string =>
      join(paths.build({ organization: 'acme', folder: 'web', number: 1 }), 'artifacts', 'x');
    await linkView(
      paths,
      { build: dirname(dirname(sourceOf())), below: 'artifacts' },
      [entry, other],
      [entry],
      sourceOf,
    );
    assert.deepEqual(shown(), { x: entry.sha256, y: entry.sha256 });
    assert.ok(existsSync(paths.blob(entry.sha256)));
  });

  it('is not begun anew where the build was moved from', async (t) => {
    const { link, build, base, paths } = await shelf(t);
    const wanted = mergeJobs([job('a', ['x'])]);
    await link(wanted, []);
    const gone = join(dirname(build), '2');
    await assert.rejects(
      linkView(paths, { build: gone, below: 'artifacts' }, wanted, null, () => base),
      {
        code: 'ERR_TREE_MOVED',
      },
    );
    assert.ok(!existsSync(gone));
  });
});
