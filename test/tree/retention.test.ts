import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import fc from 'fast-check';
import { parseAge, parseLimit, type RetentionPolicy, type RetentionRule } from '../../src/config/retention.ts';
import { parseGlobs } from '../../src/config/values.ts';
import { type BuildSummary, isEligible } from '../../src/model.ts';
import { type Candidate, outlookOf, ruleFor, selectDrops } from '../../src/tree/retention.ts';

const now = Date.parse('2026-06-01T00:00:00Z');
const dayMs = 86_400_000;
const never = { ageMs: null, count: null };
const base: RetentionRule = {
  name: 'KITEMIRROR_RETENTION',
  pipelines: parseGlobs('*'),
  branches: parseGlobs('*'),
  states: null,
  artifacts: never,
  logs: never,
  builds: never,
  keepLatest: 1,
};
const days = (count: number) => ({ ageMs: count * dayMs, count: null });

function policy(change: Partial<RetentionRule> = {}, ...rules: Partial<RetentionRule>[]): RetentionPolicy {
  const first = { ...base, ...change };
  return {
    rules: [first, ...rules.map((rule, index) => ({ ...first, name: `rules[${index}]`, ...rule }))],
    maxBytes: null,
  };
}

function build(number: number, age: number, change: Partial<BuildSummary> = {}): BuildSummary {
  return {
    version: 1,
    organization: 'acme',
    pipeline: 'web',
    pipeline_id: '019a0000-0000-7000-8000-000000000001',
    pipeline_name: 'Web',
    number,
    id: `019a0000-0000-7000-8000-${String(number).padStart(12, '0')}`,
    state: 'passed',
    blocked: false,
    branch: 'main',
    tag: null,
    commit: 'abc',
    message: null,
    author: null,
    source: null,
    pull_request: null,
    created_at: null,
    started_at: null,
    finished_at: new Date(now - age * dayMs).toISOString(),
    web_url: null,
    learned_from: 'webhook',
    mirrored_at: new Date(now).toISOString(),
    expected: 3,
    present: 3,
    bytes: 110,
    stored: { artifacts: 2, artifact_bytes: 100, logs: 1, log_bytes: 10 },
    settled: true,
    complete: true,
    ...change,
  };
}

function candidate(summary: BuildSummary, change: Partial<Candidate> = {}): Candidate {
  return { folder: summary.pipeline, summary, pinned: false, unsettled: false, ...change };
}

function select(all: readonly Candidate[], by: RetentionPolicy, storedBytes = 0) {
  const { drops, kept } = selectDrops(all, by, { now, storedBytes });
  return {
    drops: drops.map(({ candidate: of, parts, reason }) => [of.summary.number, parts.join(), reason]),
    kept: kept.map(({ candidate: of, because }) => [of.summary.number, because]),
    texts: drops.map(({ text }) => text),
  };
}

describe('a retention policy', () => {
  it('without a limit removes nothing', () => {
    const all = [candidate(build(1, 9999)), candidate(build(2, 1))];
    assert.deepEqual(select(all, policy()).drops, []);
  });

  it('by age removes artifacts, logs and whole builds at ages of their own', () => {
    const all = [400, 200, 40, 1].map((age, index) => candidate(build(index + 1, age)));
    const { drops, kept, texts } = select(all, policy({ artifacts: days(30), logs: days(100), builds: days(365) }));
    assert.deepEqual(drops, [
      [3, 'artifacts', 'age'],
      [2, 'artifacts,logs', 'age'],
      [1, 'build', 'age'],
    ]);
    assert.deepEqual(kept, []);
    assert.match(texts[0] ?? '', /older than 30d \(KITEMIRROR_RETENTION, artifacts\)/);
  });

  it('by count leaves the newest builds of each branch theirs', () => {
    const all = [1, 2, 3, 4].map((number) => candidate(build(number, 5)));
    const other = candidate(build(5, 5, { branch: 'next' }));
    assert.deepEqual(select([...all, other], policy({ artifacts: { ageMs: null, count: 2 } })).drops, [
      [2, 'artifacts', 'count'],
      [1, 'artifacts', 'count'],
    ]);
  });

  it('by size removes the oldest first and no more than it must', () => {
    const all = [1, 2, 3, 4].map((number) => candidate(build(number, 10 - number)));
    assert.deepEqual(select(all, { ...policy(), maxBytes: 250 }, 400).drops, [
      [1, 'artifacts', 'bytes'],
      [2, 'artifacts', 'bytes'],
    ]);
    assert.deepEqual(select(all, { ...policy(), maxBytes: 400 }, 400).drops, []);
  });

  it('keeps what is pinned, latest, unsettled or has no end, and says so', () => {
    const all = [
      candidate(build(1, 90), { pinned: true }),
      candidate(build(2, 90), { unsettled: true }),
      candidate(build(3, 90, { settled: false })),
      candidate(build(4, 90, { state: 'failed' })),
      candidate(build(5, 90)),
      candidate(build(6, 90, { state: 'canceled' })),
      candidate(build(7, 90, { branch: 'odd', finished_at: null })),
    ];
    const { drops, kept } = select(all, policy({ artifacts: { ageMs: 30 * dayMs, count: 0 } }));
    assert.deepEqual(drops, []);
    assert.deepEqual(
      new Map(kept as [number, string][]),
      new Map([
        [1, 'pinned'],
        [2, 'unsettled'],
        [3, 'unsettled'],
        [4, 'latest'],
        [5, 'latest'],
        [6, 'latest'],
        [7, 'undated'],
      ]),
    );
  });

  it('keeps as many of the latest as it is told, and none when told none', () => {
    const all = [1, 2, 3].map((number) => candidate(build(number, 90)));
    assert.deepEqual(select(all, policy({ artifacts: days(1), keepLatest: 2 })).drops, [[1, 'artifacts', 'age']]);
    assert.equal(select(all, policy({ artifacts: days(1), keepLatest: 0 })).drops.length, 3);
  });

  it("does not take a fork's build for the latest of the branch that it is called after", () => {
    const fork = { pull_request: { id: '7', base: 'main', repository: 'them/web', fork: true } };
    const all = [candidate(build(1, 90)), candidate(build(2, 90, fork))];
    const { kept } = select(all, policy({ artifacts: days(1) }));
    assert.deepEqual(
      kept.find(([number]) => number === 1),
      [1, 'latest'],
    );
  });

  it('has rules for some pipelines, branches and states: the last that fits decides', () => {
    const all = [
      candidate(build(1, 50, { branch: 'feature/x' })),
      candidate(build(2, 50, { branch: 'feature/x', state: 'failed' })),
      candidate(build(3, 50, { pipeline: 'release' })),
    ];
    const by = policy(
      { artifacts: days(90), keepLatest: 0 },
      { branches: parseGlobs('feature/*'), artifacts: days(14) },
      { states: ['failed'], artifacts: days(60) },
      { pipelines: parseGlobs('release'), artifacts: never },
    );
    const { drops, texts } = select(all, by);
    assert.deepEqual(drops, [[1, 'artifacts', 'age']]);
    assert.match(texts[0] ?? '', /rules\[0\]/);
  });

  it('removes again nothing of what it has removed', () => {
    const gone = build(1, 90, { stored: { artifacts: 0, artifact_bytes: 0, logs: 1, log_bytes: 10 } });
    assert.deepEqual(select([candidate(gone), candidate(build(2, 1))], policy({ artifacts: days(1) })).drops, []);
  });

  it('never removes a pinned, unsettled or latest build, whatever it is', () => {
    const aBuild = fc.record({
      age: fc.integer({ min: 0, max: 500 }),
      state: fc.constantFrom('passed', 'failed', 'canceled', 'running'),
      branch: fc.constantFrom('main', 'next'),
      settled: fc.boolean(),
      pinned: fc.boolean(),
    });
    const aLimit = fc.record({
      ageMs: fc.option(fc.integer({ min: 1, max: 400 * dayMs })),
      count: fc.option(fc.integer({ min: 1, max: 5 })),
    });
    const aPolicy = fc.record({ artifacts: aLimit, logs: aLimit, builds: aLimit, maxBytes: fc.option(fc.nat(500)) });
    fc.assert(
      fc.property(fc.array(aBuild, { maxLength: 12 }), aPolicy, (builds, { maxBytes, ...limits }) => {
        const all = builds.map(({ age, pinned, ...change }, index) =>
          candidate(
            build(index + 1, age, {
              ...change,
              finished_at: change.state === 'running' ? null : build(1, age).finished_at,
            }),
            { pinned },
          ),
        );
        const { drops } = selectDrops(all, { ...policy(limits), maxBytes }, { now, storedBytes: 1000 });
        for (const { candidate: of } of drops) {
          assert.ok(!of.pinned && of.summary.settled);
          const rivals = all.filter((each) => isEligible(each.summary) && each.summary.branch === of.summary.branch);
          for (const state of ['passed', 'failed', 'any']) {
            const able = rivals.filter(({ summary }) => state === 'any' || summary.state === state);
            assert.notEqual(Math.max(...able.map(({ summary }) => summary.number)), of.summary.number, state);
          }
        }
        assert.equal(new Set(drops.map(({ candidate: of }) => of)).size, drops.length);
      }),
    );
  });
});

describe('what is told of a build beforehand', () => {
  const told = (made: ReturnType<typeof policy>, of = build(1, 10)) => outlookOf(of, ruleFor(made)(of));

  it('is when it loses what first', () => {
    const until = new Date(now + 20 * dayMs).toISOString();
    const expected = { part: 'artifacts', until, newest: null, keepLatest: 1 };
    assert.deepEqual(told(policy({ artifacts: days(30), builds: days(60) })), expected);
  });

  it('is what goes next once the first is gone', () => {
    const stored = { artifacts: 0, artifact_bytes: 0, logs: 0, log_bytes: 0 };
    const seen = told(policy({ artifacts: days(30), builds: days(60) }), { ...build(1, 10), stored });
    assert.equal(seen?.part, 'build');
    assert.equal(seen?.until, new Date(now + 50 * dayMs).toISOString());
  });

  it('is how many newer builds may come', () => {
    const seen = told(policy({ artifacts: { ageMs: null, count: 20 } }));
    assert.deepEqual(seen, { part: 'artifacts', until: null, newest: 20, keepLatest: 1 });
  });

  it('is nothing where nothing limits it, or where its end is not known', () => {
    assert.equal(told(policy()), null);
    assert.equal(told(policy({ builds: days(1) }), { ...build(1, 10), finished_at: null }), null);
  });
});

describe('an age', () => {
  it('is a number of hours, days, weeks or years, or never', () => {
    assert.deepEqual(['12h', '90d', '2w', '1y', 'never'].map(parseAge), [
      dayMs / 2,
      90 * dayMs,
      14 * dayMs,
      365 * dayMs,
      null,
    ]);
  });

  it('that is no age is refused, and one of nothing too', () => {
    for (const wrong of ['90', 'd', '-1d', '1.5d', '0d', 'soon', '']) assert.throws(() => parseAge(wrong), wrong);
  });
});

test('a size of nothing at all is no limit of bytes, but a slip', () => {
  assert.deepEqual([parseLimit('none'), parseLimit('2KiB')], [null, 2048]);
  for (const wrong of ['0', '0GiB']) assert.throws(() => parseLimit(wrong), /would remove everything/);
});
