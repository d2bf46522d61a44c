import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import type { SampleBuild } from '../../demo/standin/sample.ts';
import type { PointerKind, PointerState } from '../../src/tree/paths.ts';
import { type Mirror, startMirror } from './harness.ts';
import { buildOf, scriptOf, textArtifact, withScript } from './samples.ts';
import { until } from './until.ts';

let mirror: Mirror;
before(async () => {
  mirror = await startMirror();
});
after(() => mirror.stop());

/** A build of one pipeline a test; what is not told is a passed build of main. */
const made = (pipeline: string, number: number, change: Partial<SampleBuild> = {}): SampleBuild => ({
  ...buildOf([[textArtifact('a.txt', `${pipeline} ${number}`)]], { pipeline, number }),
  ...change,
});

async function mirrored(...builds: SampleBuild[]): Promise<void> {
  for (const build of builds) {
    mirror.standIn.put(build);
    await mirror.tell(build);
  }
  for (const build of builds) await mirror.settled(build);
}

function pointer(pipeline: string, kind: PointerKind, name: string, state: PointerState = 'passed'): number | null {
  const file = mirror.paths.pointer('acme', pipeline, kind, name, state);
  return existsSync(file) ? Number(readFileSync(file, 'utf8')) : null;
}

const latest = (pipeline: string, branch = 'main'): (number | null)[] =>
  (['passed', 'failed', 'any'] as const).map((state) => pointer(pipeline, 'latest', branch, state));

describe('the latest build of a branch', () => {
  it('is the one of the greatest number, by state, whatever ends first', async () => {
    await mirrored(
      made('order', 3),
      made('order', 1),
      made('order', 4, { state: 'failed' }),
      made('order', 2, { state: 'canceled' }),
    );
    assert.deepEqual(latest('order'), [3, 4, 4]);
    await mirrored(made('order', 5, { state: 'canceled' }), made('order', 6, { branch: 'release/1.x' }));
    assert.deepEqual(latest('order'), [3, 4, 5]);
    assert.deepEqual(latest('order', 'release/1.x'), [6, null, 6]);
  });

  it('is none that is blocked, or still runs', async () => {
    const running = made('gate', 3, { state: 'running', finishedAt: null });
    await mirrored(made('gate', 1), made('gate', 2, { blocked: true }));
    mirror.standIn.put(running);
    await mirror.tell(running, scriptOf(running));
    await mirror.jobSettled(running, scriptOf(running).id);
    await mirror.idle();
    assert.deepEqual(latest('gate'), [1, null, 1]);
    await mirrored({ ...running, state: 'passed', finishedAt: Date.now() });
    assert.deepEqual(latest('gate'), [3, null, 3]);
    await mirrored(made('gate', 2, { blocked: false, finishedAt: Date.now() }));
    assert.deepEqual(latest('gate'), [3, null, 3]);
  });

  it("is none of a pull request from another repository, whose branch has our branch's name", async () => {
    const pull = (repository: string, id: string): Partial<SampleBuild> => ({
      pullRequest: { id, base: 'main', repository },
    });
    await mirrored(
      made('forks', 1),
      made('forks', 2, pull('git@github.com:mallory/forks.git', '7')),
      made('forks', 3, { branch: 'feature', ...pull('https://github.com/acme/forks', '8') }),
    );
    assert.deepEqual(latest('forks'), [1, null, 1]);
    assert.equal(pointer('forks', 'latest', 'feature'), 3, 'a pull request of our own is a branch of ours');
    assert.deepEqual([pointer('forks', 'pulls', '7'), pointer('forks', 'pulls', '8')], [2, 3]);
  });

  it('is another when a build that had passed fails on a retry, and is it again when it passes', async () => {
    const [one, two] = [made('retry', 1), made('retry', 2)];
    await mirrored(one, two);
    assert.deepEqual(latest('retry'), [2, null, 2]);
    const rerun = { ...withScript(two, 0, { state: 'running', finishedAt: null }), state: 'running', finishedAt: null };
    mirror.standIn.put(rerun);
    await mirror.queue.enqueue({
      name: 'read-build',
      payload: {
        ...{ organization: 'acme', pipeline: 'retry', number: 2, build: two.id, job: null },
        ...{ heardAt: null, finishedAt: null, learnedFrom: 'webhook' },
      },
    });
    await mirror.idle();
    assert.deepEqual(latest('retry'), [1, null, 1], 'while it runs it is none');
    const end = Date.now();
    await mirrored({ ...withScript(two, 0, { state: 'failed', finishedAt: end }), state: 'failed', finishedAt: end });
    assert.deepEqual(latest('retry'), [1, 2, 2]);
    await mirrored({ ...withScript(two, 0, { finishedAt: end + 2000 }), finishedAt: end + 2000 });
    assert.deepEqual(latest('retry'), [2, null, 2]);
  });

  it('goes over to another branch with its build', async () => {
    const build = made('switch', 1);
    await mirrored(build);
    await mirrored({ ...build, branch: 'renamed', finishedAt: Date.now() });
    assert.deepEqual(
      [latest('switch'), latest('switch', 'renamed')],
      [
        [null, null, null],
        [1, null, 1],
      ],
    );
  });
});

describe('the badge of a branch', () => {
  it('shows how its latest build ended, whatever its state, and goes over with it', async () => {
    const badge = (branch: string): string | null => {
      const file = mirror.paths.badge('acme', 'badges', branch);
      return existsSync(file) ? (/<title>build: (.*?)<\/title>/.exec(readFileSync(file, 'utf8'))?.[1] ?? '') : null;
    };
    await mirrored(made('badges', 1));
    assert.deepEqual([badge('main'), badge('feature/x')], ['passed', null]);
    const failed = made('badges', 2, { state: 'failed' });
    await mirrored(failed);
    assert.equal(badge('main'), 'failed');
    await mirrored({ ...failed, branch: 'feature/x', finishedAt: Date.now() });
    assert.deepEqual([badge('main'), badge('feature/x')], ['passed', 'failed']);
  });
});

describe('the address of a commit', () => {
  it('leads to the last build of that commit', async () => {
    const commit = 'c0ffee'.padEnd(40, '0');
    await mirrored(made('commit', 1, { commit }), made('commit', 2, { commit }), made('commit', 3));
    assert.equal(pointer('commit', 'commits', commit), 2);
    assert.equal(pointer('commit', 'commits', 'f'.repeat(40)), null);
  });
});

describe('a build beside which another one comes', () => {
  it('gets a page that leads there, and nothing else of it is written again', async () => {
    const first = made('beside', 1);
    await mirrored(first);
    await mirror.idle();
    const page = mirror.paths.page('acme', 'beside', 'builds', '1');
    const written = (): number[] =>
      [
        mirror.paths.buildFile({ organization: 'acme', folder: 'beside', number: 1 }, 'build.json'),
        mirror.paths.pointer('acme', 'beside', 'commits', first.commit, 'passed'),
      ].map((file) => statSync(file).ino);
    const before = written();
    await mirrored(made('beside', 2));
    await until(() => readFileSync(page, 'utf8').includes('href="../2/"'), 'the page to lead to the next build');
    assert.deepEqual(written(), before);
    assert.deepEqual(latest('beside'), [2, null, 2]);
  });
});
