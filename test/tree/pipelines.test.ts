import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { type DataPaths, dataPaths } from '../../src/tree/paths.ts';
import { claimFolder, type Move, openFolder, placeOf } from '../../src/tree/pipelines.ts';
import { lockInMemory, temporaryFolder } from './folder.ts';

const organization = 'acme';
const a = 'aaaaaaaa-0000-4000-8000-000000000001';
const b = 'bbbbbbbb-0000-4000-8000-000000000002';
const c = 'cccccccc-0000-4000-8000-000000000003';
/** Made in the same minute as `b`: its first eight are the same. */
const b2 = 'bbbbbbbb-ffff-4000-8000-000000000004';

interface House {
  readonly paths: DataPaths;
  readonly moves: Move[];
  claim(pipelineId: string, slug: string): Promise<string>;
  /** Writes a build of that pipeline, as a task would. */
  build(pipelineId: string, number: number): Promise<void>;
  /** The pipelines whose builds are in each folder, by what is written in them. */
  holders(): Record<string, string[]>;
  pointer(slug: string): string | null;
}

function house(t: TestContext): House {
  const paths = dataPaths(join(temporaryFolder(t), 'data'));
  for (const folder of [paths.tree, paths.pages]) mkdirSync(folder, { recursive: true });
  const lock = lockInMemory();
  const moves: Move[] = [];
  const files = (root: string, folder: string): string[] => {
    const builds = join(root, organization, folder, 'builds');
    return existsSync(builds)
      ? readdirSync(builds).map((number) => readFileSync(join(builds, number, 'who'), 'utf8'))
      : [];
  };
  return {
    paths,
    moves,
    claim: (pipelineId, slug) =>
      claimFolder(paths, lock, { organization, slug, pipelineId }, async (move) => void moves.push(move)),
    build: async (pipelineId, number) => {
      const place = await placeOf(paths, pipelineId, number);
      await openFolder(paths, pipelineId, place, paths.build(place));
      for (const root of [paths.tree, paths.pages]) {
        const file = join(root, organization, place.folder, 'builds', String(number), 'who');
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, pipelineId, { flag: 'wx' });
      }
    },
    holders: () => {
      const folders = readdirSync(join(paths.tree, organization), { withFileTypes: true }).filter((each) =>
        each.isDirectory(),
      );
      const all = folders.map(({ name }) => {
        assert.deepEqual(files(paths.pages, name), files(paths.tree, name), 'pages go with the builds');
        return [name, files(paths.tree, name)] as const;
      });
      return Object.fromEntries(all.filter(([, of]) => of.length > 0));
    },
    pointer: (slug) => {
      const file = paths.movedPointer(organization, slug);
      return existsSync(file) ? readFileSync(file, 'utf8').trim() : null;
    },
  };
}

describe("a pipeline's folder", () => {
  it('is its slug, once and for all claims', async (t) => {
    const { claim, moves, paths } = house(t);
    assert.equal(await claim(a, 'web'), 'web');
    assert.equal(await claim(a, 'web'), 'web');
    assert.equal(await claim(b, 'api'), 'api');
    assert.deepEqual(moves, []);
    assert.deepEqual(await placeOf(paths, a, 7), { organization, folder: 'web', number: 7 });
    await assert.rejects(placeOf(paths, c, 1), { code: 'ERR_TREE_MOVED' });
  });

  it('of a pipeline that was recreated under its slug goes aside, and nothing is overwritten', async (t) => {
    const { claim, build, holders, moves, pointer } = house(t);
    await claim(a, 'web');
    await build(a, 1);
    assert.equal(await claim(b, 'web'), 'web');
    await build(b, 1);
    assert.deepEqual(holders(), { web: [b], 'web~aaaaaaaa': [a] });
    await build(a, 2);
    assert.deepEqual(holders(), { web: [b], 'web~aaaaaaaa': [a, a] });
    assert.deepEqual(moves, [{ from: 'web', to: 'web~aaaaaaaa' }]);
    assert.equal(pointer('web'), null);
  });

  it('goes with a rename and leaves a pointer', async (t) => {
    const { claim, build, holders, pointer } = house(t);
    await claim(a, 'web');
    await build(a, 1);
    assert.equal(await claim(a, 'shop'), 'shop');
    await build(a, 2);
    assert.deepEqual(holders(), { shop: [a, a] });
    assert.equal(pointer('web'), 'shop');
    await claim(a, 'store');
    assert.equal(pointer('web'), 'store', 'no chain of redirects grows');
    assert.equal(pointer('shop'), 'store');
  });

  it('is left alone when another takes the slug that it had before its rename', async (t) => {
    const { claim, build, holders, pointer, paths } = house(t);
    await claim(a, 'web');
    await build(a, 1);
    await claim(a, 'shop');
    await claim(b, 'web');
    await build(b, 1);
    assert.equal((await placeOf(paths, a, 1)).folder, 'shop');
    assert.deepEqual(holders(), { shop: [a], web: [b] });
    assert.equal(pointer('web'), null, 'the name holds builds of its own now');
  });

  it('is the same whichever of a rename and its successor is heard of first', async (t) => {
    const { claim, build, holders } = house(t);
    await claim(a, 'web');
    await build(a, 1);
    await claim(b, 'web');
    await claim(a, 'shop');
    await build(b, 1);
    assert.deepEqual(holders(), { shop: [a], web: [b] });
  });

  it('comes back under a name that it had, and no pointer leads away from it', async (t) => {
    const { claim, build, holders, pointer } = house(t);
    await claim(a, 'web');
    await build(a, 1);
    await claim(a, 'shop');
    await claim(a, 'web');
    assert.deepEqual(holders(), { web: [a] });
    assert.equal(pointer('web'), null);
    assert.equal(pointer('shop'), 'web');
  });

  it('that goes aside takes along what pointed to it', async (t) => {
    const { claim, build, pointer } = house(t);
    await claim(a, 'old');
    await build(a, 1);
    await claim(a, 'web');
    await claim(b, 'web');
    assert.equal(pointer('old'), 'web~aaaaaaaa');
  });

  it('has a name of its own also where the first eight of two uuids are the same', async (t) => {
    const { claim, build, holders } = house(t);
    for (const each of [b, b2, c]) {
      await claim(each, 'web');
      await build(each, 1);
    }
    assert.deepEqual(holders(), { web: [c], 'web~bbbbbbbb': [b], [`web~${b2}`]: [b2] });
  });

  it('is joined with what stands in its way', async (t) => {
    const { claim, build, holders, paths } = house(t);
    await claim(a, 'web');
    await build(a, 1);
    await build(a, 2);
    // As a task leaves it that was at work while the builds were moved.
    for (const name of ['builds/1/jobs/x', 'builds/9'])
      mkdirSync(join(paths.pipeline(organization, 'shop'), name), { recursive: true });
    writeFileSync(join(paths.pipeline(organization, 'shop'), 'builds/9/who'), a);
    mkdirSync(join(paths.pages, organization, 'shop/builds/9'), { recursive: true });
    writeFileSync(join(paths.pages, organization, 'shop/builds/9/who'), a);
    await claim(a, 'shop');
    assert.deepEqual(holders(), { shop: [a, a, a] });
    assert.ok(!existsSync(paths.pipeline(organization, 'web')));
  });

  it('is not begun anew where the builds were moved from', async (t) => {
    const { claim, paths } = house(t);
    await claim(a, 'web');
    const place = await placeOf(paths, a, 5);
    await claim(a, 'shop');
    await assert.rejects(openFolder(paths, a, place, join(paths.build(place), 'jobs')), { code: 'ERR_TREE_MOVED' });
    assert.ok(!existsSync(paths.pipeline(organization, 'web')), 'what it made on trial is gone again');
  });

  it('is decided one claim at a time', async (t) => {
    const { claim, build, holders } = house(t);
    await claim(a, 'web');
    await build(a, 1);
    await Promise.all([claim(a, 'shop'), claim(b, 'web'), claim(b, 'web'), claim(a, 'shop')]);
    await build(b, 1);
    assert.deepEqual(holders(), { shop: [a], web: [b] });
  });
});

describe('a move that was interrupted', () => {
  /** Claims again and again, each time cut off a step later, until it comes to its end by itself. */
  async function interrupted(
    { paths, moves }: House,
    [pipelineId, slug]: readonly [string, string],
    cut: number,
  ): Promise<boolean> {
    const steps = countedSteps(cut);
    const lock = lockInMemory();
    try {
      await claimFolder(steps.watch(paths), lock, { organization, slug, pipelineId }, async (move) => {
        steps.step();
        moves.push(move);
      });
      return true;
    } catch (thrown) {
      assert.match(String(thrown), /cut off/);
      return false;
    }
  }

  it('is ended by the next claim, of whichever pipeline, wherever it was cut off', async (t) => {
    const renamed = [a, 'shop'] as const;
    const recreated = [b, 'web'] as const;
    for (const first of [renamed, recreated]) {
      for (const second of [renamed, recreated]) {
        let cuts = 0;
        for (let hasEnded = false; !hasEnded; cuts += 1) {
          const home = house(t);
          await home.claim(a, 'web');
          await home.build(a, 1);
          await home.build(a, 2);
          hasEnded = await interrupted(home, first, cuts);
          for (const [pipelineId, slug] of [second, renamed, recreated]) await home.claim(pipelineId, slug);
          await home.build(b, 1);
          assert.deepEqual(home.holders(), { shop: [a, a], web: [b] });
          assert.equal(home.pointer('web'), null);
          await home.claim(c, 'web');
          await home.build(c, 1);
          assert.deepEqual(home.holders(), { shop: [a, a], web: [c], 'web~bbbbbbbb': [b] });
        }
        assert.ok(cuts > 10, `${cuts} places to cut it off at`);
      }
    }
  });

  it('keeps tasks from the builds until it has ended', async (t) => {
    const home = house(t);
    await home.claim(a, 'web');
    await home.build(a, 1);
    // The catalog is told of the move after the files: there it fails.
    const failing = claimFolder(home.paths, lockInMemory(), { organization, slug: 'shop', pipelineId: a }, () =>
      Promise.reject(new Error('cut off')),
    );
    await assert.rejects(failing, /cut off/);
    await assert.rejects(placeOf(home.paths, a, 1), { code: 'ERR_TREE_MOVED' });
    assert.equal(await home.claim(a, 'shop'), 'shop');
    assert.deepEqual(home.moves, [{ from: 'web', to: 'shop' }], 'the catalog hears of it again');
    assert.equal((await placeOf(home.paths, a, 1)).folder, 'shop');
  });
});

/** Lets so many paths be asked for, each of which is a step towards the disk, and then throws. */
function countedSteps(cut: number): { step(): void; watch(paths: DataPaths): DataPaths } {
  let left = cut;
  const step = (): void => {
    left -= 1;
    if (left < 0) throw new Error('cut off');
  };
  return {
    step,
    watch: (paths) =>
      new Proxy(paths, {
        get: (target, name: keyof DataPaths) => {
          step();
          return target[name];
        },
      }),
  };
}
