/** What a comparison leaves on disk: gaps first, the mark last, and where the next one begins. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { pino } from 'pino';
import { type BuildList, type BuildQuery, buildsPerPage, type ListedBuild } from '../../src/buildkite/build-list.ts';
import { MirrorError } from '../../src/errors.ts';
import { type CompareParts, compareStep, type StepResult } from '../../src/reconcile/compare.ts';
import {
  markOverlapMs,
  type ReconcileState,
  readReconciledUntil,
  readReconcileState,
  writeReconcileState,
} from '../../src/tree/reconcile-state.ts';
import { listOpenGaps, openUnsettled } from '../../src/tree/unsettled.ts';
import { preparedData } from '../tree/folder.ts';

const never = new AbortController().signal;
const hourMs = 3_600_000;
const iso = (ms: number): string => new Date(ms).toISOString();

function listed(index: number, createdAt: number): ListedBuild {
  const id = `00000000-0000-4000-8000-${index.toString(16).padStart(12, '0')}`;
  const at = iso(createdAt);
  return { id, number: index + 1, state: 'passed', branch: 'main', pipeline: 'web', created_at: at, finished_at: at };
}

interface Upstream {
  readonly builds: ListedBuild[];
  /** Items of each page that cannot be read. */
  unreadable: number;
  readonly asked: BuildQuery[];
  /** Whether pages are counted: the list does not mind bounds. */
  ignoresBounds: boolean;
  /** Before each answer. */
  change: (request: number) => void;
}

interface Scene {
  readonly upstream: Upstream;
  readonly parts: CompareParts;
  /** Steps until one says that the comparison is complete. */
  complete(): Promise<StepResult[]>;
  state(): Promise<ReconcileState>;
  gaps(): Promise<number>;
}

const start = Date.now();

async function open(
  t: TestContext,
  builds: readonly ListedBuild[],
  enqueue: () => Promise<void> = async () => undefined,
): Promise<Scene> {
  const paths = await preparedData(t);
  const upstream: Upstream = {
    builds: [...builds],
    unreadable: 0,
    asked: [],
    ignoresBounds: false,
    change: () => undefined,
  };
  const list: BuildList = async (query) => {
    upstream.asked.push(query);
    upstream.change(upstream.asked.length);
    const { createdTo, finishedFrom = '', page = 1 } = query;
    const shown = upstream.builds
      .filter(({ created_at: at, finished_at: end }) => {
        const isBounded = upstream.ignoresBounds || createdTo === undefined || (at ?? '') <= createdTo;
        return isBounded && (end ?? '') >= finishedFrom;
      })
      .toSorted((left, right) => ((left.created_at ?? '') < (right.created_at ?? '') ? 1 : -1));
    const end = page * buildsPerPage;
    const { unreadable } = upstream;
    return { builds: shown.slice(end - buildsPerPage, end), unreadable, at: start, hasNext: shown.length > end };
  };
  const parts: CompareParts = {
    paths,
    list,
    queue: { enqueue },
    organization: 'acme',
    catalog: { known: () => new Map() },
    rules: { includesPipeline: () => true, includesBranch: () => true },
    log: pino({ level: 'silent' }),
  };
  const state = async (): Promise<ReconcileState> => {
    const found = await readReconcileState(paths);
    assert.ok(found);
    return found;
  };
  return {
    upstream,
    parts,
    state,
    complete: async () => {
      const steps: StepResult[] = [];
      do steps.push(await compareStep(parts, never));
      while (steps.at(-1)?.isComplete === false && steps.length < 20);
      return steps;
    },
    gaps: async () => (await listOpenGaps(paths)).length,
  };
}

const recent = (count: number): ListedBuild[] =>
  Array.from({ length: count }, (_, index) => listed(index, start - (count - index) * 1500));

describe('a comparison', () => {
  it('moves its mark to upstream’s time at its first page, less the overlap, when each difference is a gap', async (t) => {
    const scene = await open(t, recent(5));
    await scene.complete();
    assert.equal(await scene.gaps(), 5);
    assert.equal((await scene.state()).mark, iso(start - markOverlapMs));
  });

  it('leaves its mark where it was while a difference cannot be enqueued, with the gaps on disk', async (t) => {
    let isAway = true;
    const scene = await open(t, recent(3), async () => {
      if (isAway) throw new MirrorError('ERR_QUEUE_UNAVAILABLE', 'Redis does not answer');
    });
    await assert.rejects(compareStep(scene.parts, never), /Redis/);
    assert.equal(await scene.gaps(), 3);
    assert.equal(await readReconcileState(scene.parts.paths), null);
    isAway = false;
    await scene.complete();
    assert.equal((await scene.state()).mark, iso(start - markOverlapMs));
  });

  it('of a long absence goes in steps, and goes on where the last one ended', async (t) => {
    const scene = await open(t, []);
    await scene.complete();
    const before = await scene.state();
    const old = { ...before, mark: iso(start - 3 * hourMs) };
    await writeReconcileState(scene.parts.paths, old);
    scene.upstream.builds.push(...recent(4500));
    const first = await compareStep(scene.parts, never);
    assert.deepEqual([first.isComplete, first.requests], [false, 20]);
    const between = await scene.state();
    assert.equal(between.mark, old.mark);
    assert.notEqual(between.comparison?.place.createdTo, null);
    const asked = scene.upstream.asked.length;
    await scene.complete();
    assert.equal(scene.upstream.asked[asked]?.createdTo, between.comparison?.place.createdTo);
    assert.equal(await scene.gaps(), 4500);
    assert.equal((await scene.state()).mark, iso(start - markOverlapMs));
  });

  it('during which a build left the list is repeated, with the mark where it was', async (t) => {
    const scene = await open(t, recent(250));
    // The one that the second page should begin with.
    scene.upstream.change = (request) => {
      if (request === 2) scene.upstream.builds.splice(150, 1);
    };
    const [first, ...rest] = await scene.complete();
    assert.equal(first?.isComplete, false);
    assert.equal(rest.length, 1);
    assert.equal(await scene.gaps(), 250);
  });

  it('by counted pages is made twice: who leaves moves another past the page that it was on', async (t) => {
    const scene = await open(t, recent(350));
    scene.upstream.ignoresBounds = true;
    // Behind the first two pages and before the third.
    scene.upstream.change = (request) => {
      if (request === 4) scene.upstream.builds.splice(340, 1);
    };
    assert.equal((await scene.complete()).length, 2);
    assert.equal(await scene.gaps(), 350);
  });

  it('that was shown what it cannot read goes on, and looks back there until it can', async (t) => {
    const scene = await open(t, recent(2));
    scene.upstream.unreadable = 1;
    await scene.complete();
    const { partial, mark } = await scene.state();
    assert.ok(partial !== null && partial.from < mark);
    // Not each time: an answer that stays as it is must not cost ever more.
    await scene.complete();
    assert.equal(scene.upstream.asked.at(-1)?.finishedFrom, mark);
    scene.upstream.unreadable = 0;
    scene.upstream.builds.push(listed(77, Date.parse(partial.from) + 1000));
    await scene.complete();
    assert.equal(await scene.gaps(), 2);
    assert.deepEqual((await scene.state()).partial, partial);
    const state = await scene.state();
    const longAgo = { ...partial, lookedAt: iso(Date.now() - 7 * hourMs) };
    await writeReconcileState(scene.parts.paths, { ...state, partial: longAgo });
    await scene.complete();
    assert.equal(scene.upstream.asked.at(-1)?.finishedFrom, partial.from);
    assert.equal(await scene.gaps(), 3);
    assert.equal((await scene.state()).partial, null);
  });

  it('while a pipeline is hidden goes on, and looks back there once it is seen again', async (t) => {
    const scene = await open(t, recent(2));
    const { paths } = scene.parts;
    const hidden = listed(88, start);
    const { id: build, number, pipeline } = hidden;
    const gap = { version: 1, organization: 'acme', pipeline, number, build, pipelineId: null } as const;
    const since = iso(start - 60_000);
    await openUnsettled(paths, { ...gap, since, learnedFrom: 'webhook', unseenSince: since });
    await scene.complete();
    const { partial, mark } = await scene.state();
    assert.ok(partial !== null && partial.from < mark);
    await scene.complete();
    assert.equal(scene.upstream.asked.at(-1)?.finishedFrom, mark, 'not each time');
    const state = await scene.state();
    const longAgo = { ...partial, lookedAt: iso(Date.now() - 7 * hourMs) };
    await writeReconcileState(paths, { ...state, partial: longAgo });
    await scene.complete();
    assert.ok((scene.upstream.asked.at(-1)?.finishedFrom ?? '') >= mark, 'nor now and then');
    // No webhook told of this one, and it ended before the mark.
    scene.upstream.builds.push(listed(77, Date.parse(partial.from) + 1000));
    await openUnsettled(paths, { ...gap, since, learnedFrom: 'webhook', unseenSince: null });
    await scene.complete();
    assert.equal(scene.upstream.asked.at(-1)?.finishedFrom, partial.from);
    assert.equal(await scene.gaps(), 4);
    assert.equal((await scene.state()).partial, null);
  });

  it('of several steps vouches for what was heard before its first one, and for no more', async (t) => {
    const scene = await open(t, recent(buildsPerPage * 21));
    const first = await compareStep(scene.parts, never);
    assert.equal(first.isComplete, false);
    const beganAt = Date.parse((await scene.state()).comparison?.beganAt ?? '');
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + hourMs });
    await scene.complete();
    const until = await readReconciledUntil(scene.parts.paths);
    assert.equal(until, beganAt - markOverlapMs);
  });
});
