/** What a 404 below a pipeline means, by what is seen of the pipeline. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createSight, type Sight, type UpstreamRef } from '../../src/buildkite/sight.ts';
import { MirrorError } from '../../src/errors.ts';

const uuid = (last: number): string => `019a0000-0000-7000-8000-00000000000${last}`;
const [ours, other] = [uuid(1), uuid(2)];
const ref: UpstreamRef = { organization: 'acme', pipeline: 'web', number: 7, build: uuid(9), pipelineId: ours };
const { signal } = new AbortController();

interface Scene {
  readonly sight: Sight;
  /** Slug → uuid, as the token sees them. */
  readonly seen: Map<string, string>;
  /** Slug → uuid of the pipelines whose builds are listed; the token may see these and no pipelines. */
  readonly built: Map<string, string>;
  readonly asked: string[];
  now: number;
  /** Before each answer about a pipeline. */
  gate: () => Promise<void>;
}

function open(seen: Record<string, string>): Scene {
  const scene: Omit<Scene, 'sight'> = {
    seen: new Map(Object.entries(seen)),
    built: new Map(),
    asked: [],
    now: 1_800_000_000_000,
    gate: async () => undefined,
  };
  const sight = createSight({
    pipelineAt: async (_, pipeline) => {
      scene.asked.push(pipeline);
      const found = scene.seen.get(pipeline) ?? null;
      await scene.gate();
      return found;
    },
    pipelines: async () => {
      scene.asked.push('all');
      return new Map(Array.from(scene.seen, ([slug, id]) => [id, slug]));
    },
    builtAt: async (_, pipeline) => scene.built.get(pipeline) ?? null,
    now: () => scene.now,
  });
  return Object.assign(scene, { sight });
}

describe('a 404', () => {
  it('counts where the pipeline is seen, with its own uuid where that is known', async () => {
    const { sight } = open({ web: ours });
    assert.deepEqual(await sight.look(ref, signal), { counts: true });
    assert.deepEqual(await sight.look({ ...ref, pipelineId: null }, signal), { counts: true });
  });

  it('does not count where the pipeline is not seen', async () => {
    const { sight } = open({ shop: other });
    assert.deepEqual(await sight.look(ref, signal), { counts: false, slug: null });
    assert.deepEqual(await sight.look({ ...ref, pipelineId: null }, signal), { counts: false, slug: null });
  });

  it('counts where builds of the pipeline are listed: a token may see them and no pipelines', async () => {
    const { sight, built } = open({});
    built.set('web', ours);
    assert.deepEqual(await sight.look(ref, signal), { counts: true });
    assert.deepEqual(await sight.look({ ...ref, pipelineId: null }, signal), { counts: true });
    assert.deepEqual(await sight.look({ ...ref, pipeline: 'shop' }, signal), { counts: false, slug: null });
    built.set('web', other);
    assert.deepEqual(await sight.look(ref, signal), { counts: false, slug: null });
  });

  it('leads to the name that the pipeline has now, also where another one has taken its old name', async () => {
    for (const seen of [{ www: ours }, { www: ours, web: other }])
      assert.deepEqual(await open(seen).sight.look(ref, signal), { counts: false, slug: 'www' });
  });

  it('counts where another pipeline has the name, and ours has none', async () => {
    assert.deepEqual(await open({ web: other }).sight.look(ref, signal), { counts: true });
  });

  it('is not explained by what was asked before it; those that wait share what is asked next', async () => {
    const scene = open({});
    const { promise, resolve } = Promise.withResolvers<void>();
    scene.gate = () => promise;
    const { pipelineId: _, ...plain } = ref;
    const first = scene.sight.look(plain, signal);
    scene.seen.set('web', ours);
    const rest = Array.from({ length: 1000 }, () => scene.sight.look(plain, signal));
    resolve();
    assert.deepEqual(await first, { counts: false, slug: null });
    assert.deepEqual(new Set((await Promise.all(rest)).map(({ counts }) => counts)), new Set([true]));
    assert.deepEqual(scene.asked, ['web', 'web']);
  });

  it('is told to all where Buildkite does not answer, and to nobody who has left', async () => {
    const scene = open({ web: ours });
    const leaving = new AbortController();
    const { promise, reject } = Promise.withResolvers<void>();
    scene.gate = () => promise;
    const left = scene.sight.look(ref, leaving.signal);
    leaving.abort(new Error('left'));
    await assert.rejects(left, /left/);
    const waits = scene.sight.look(ref, signal);
    scene.gate = async () => undefined;
    reject(new MirrorError('ERR_UPSTREAM_UNAVAILABLE', 'away'));
    assert.deepEqual(await waits, { counts: true });
  });
});

describe('a look in vain', () => {
  it('is believed for a while, which grows with the time that it lasts and ends with the pipeline’s return', async () => {
    const scene = open({});
    assert.equal(scene.sight.isUnseen(ref), false);
    await scene.sight.look(ref, signal);
    assert.equal(scene.sight.isUnseen(ref), true);
    scene.now += 3000;
    assert.equal(scene.sight.isUnseen(ref), false);
    scene.now += 3_600_000;
    await scene.sight.look(ref, signal);
    scene.now += 14 * 60_000;
    assert.equal(scene.sight.isUnseen(ref), true);
    scene.now += 2 * 60_000;
    assert.equal(scene.sight.isUnseen(ref), false);
    scene.seen.set('web', ours);
    await scene.sight.look(ref, signal);
    scene.seen.clear();
    await scene.sight.look(ref, signal);
    scene.now += 3000;
    assert.equal(scene.sight.isUnseen(ref), false, 'it begins anew');
  });

  it('counts for nothing once something of the pipeline was answered', async () => {
    const { sight } = open({});
    const { pipelineId: _, ...plain } = ref;
    await sight.look(ref, signal);
    await sight.look(plain, signal);
    sight.saw(ref);
    assert.deepEqual([sight.isUnseen(ref), sight.isUnseen(plain)], [false, false]);
  });
});
