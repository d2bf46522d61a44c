import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { pathMatcher } from '../../src/globs.ts';
import type { ArtifactFacts, ArtifactRecord, JobFacts } from '../../src/model.ts';
import type { Settings } from '../../workers/context.ts';
import { type PlannedArtifact, planJob } from '../../workers/plan-job.ts';

const settings: Settings = {
  organization: 'acme',
  includesPipeline: () => true,
  includesBranch: () => true,
  includesArtifact: pathMatcher([{ pattern: '**', include: true }]),
  logs: true,
  maxArtifactBytes: null,
  unseenDays: 90,
  url: 'http://127.0.0.1:8080',
  ruleFor: () => {
    throw new Error('to plan a job takes no policy');
  },
};
const job = { id: '019a0000-0000-7000-8000-000000000000', retried: false } as JobFacts;
const sha1 = 'a'.repeat(40);

const path = fc.oneof(
  fc.constantFrom('a', 'a/b', 'a/b/c', './a', 'A', '..', '../a', 'x/../y', '\n', 'a\u0000', '', '.hidden'),
  fc.string({ unit: 'binary', maxLength: 8 }),
);
const state = fc.constantFrom('finished', 'finished', 'finished', 'new', 'error', 'expired', 'deleted', 'someday');
const facts: fc.Arbitrary<ArtifactFacts[]> = fc
  .array(fc.record({ path, state, size: fc.nat(9), sha1: fc.constantFrom(sha1, sha1, null) }), { maxLength: 8 })
  .map((all) =>
    all.map((each, at) => ({ ...each, id: `id-${at}`, job_id: job.id, mime_type: 'text/plain', sha256: null })),
  );

const plan = (listed: readonly ArtifactFacts[], known: readonly ArtifactRecord[] = []): PlannedArtifact[] =>
  planJob({ job, listed, known, uploadsGivenUp: false, isStored: () => true }, settings);
const recordsOf = (planned: readonly PlannedArtifact[]): ArtifactRecord[] => planned.map(({ record }) => record);
/** As after a run in which each fetch went well. */
const fetched = (planned: readonly PlannedArtifact[]): ArtifactRecord[] =>
  recordsOf(planned).map((record) =>
    record.state === 'pending' && record.reason !== 'its upload has not ended'
      ? { ...record, state: 'present', reason: null, sha256: 'f'.repeat(64) }
      : record,
  );

describe("a job's plan", () => {
  it('has each artifact once, whatever it is called, and says why for all that is not to be there', () => {
    fc.assert(
      fc.property(facts, (listed) => {
        const records = recordsOf(plan(listed));
        assert.deepEqual(records.map(({ id }) => id).toSorted(), listed.map(({ id }) => id).toSorted());
        for (const { state, reason, url } of records) {
          assert.notEqual(state, 'excluded', 'the default leaves nothing out');
          assert.ok(reason !== null);
          assert.equal(url === null, state !== 'pending');
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('is the same in whatever order upstream lists', () => {
    const two = facts.chain((all) =>
      fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length })),
    );
    fc.assert(
      fc.property(two, ([some, others]) => assert.deepEqual(plan(others), plan(some))),
      { numRuns: 1000 },
    );
  });

  it('gives no two files of one time the same place', () => {
    fc.assert(
      fc.property(facts, (listed) => {
        const urls = fetched(plan(listed))
          .filter(({ state }) => state === 'present')
          .map(({ url }) => url);
        assert.equal(new Set(urls).size, urls.length);
      }),
      { numRuns: 1000 },
    );
  });

  it('comes to the same end in one look or in several', () => {
    const looks = facts.chain((all) => fc.tuple(fc.constant(all), fc.subarray(all), fc.subarray(all)));
    fc.assert(
      fc.property(looks, ([all, first, second]) => {
        // Uploads end between two looks, and nothing is lost upstream meanwhile.
        const early = first.map((each) => ({ ...each, state: 'new' }));
        const middle = all.filter((each) => first.includes(each) || second.includes(each));
        const steps = [early, middle, all].reduce<ArtifactRecord[]>(
          (known, listed) => fetched(plan(listed, known)),
          [],
        );
        const atOnce = fetched(plan(all));
        const shown = (records: readonly ArtifactRecord[]): unknown =>
          records.map(({ id, state, url }) => ({ id, state, url }));
        assert.deepEqual(shown(steps), shown(atOnce));
      }),
      { numRuns: 1000 },
    );
  });

  it('never takes back what is stored, whatever upstream says later', () => {
    let seen = 0;
    const later = fc.tuple(facts, fc.array(state, { minLength: 8, maxLength: 8 }), fc.boolean());
    fc.assert(
      fc.property(later, ([listed, states, forgets]) => {
        const before = fetched(plan(listed));
        const now = listed.map((each, at) => ({
          ...each,
          state: states[at] ?? 'finished',
          size: 7777,
          sha1: 'b'.repeat(40),
        }));
        const after = new Map(recordsOf(plan(forgets ? [] : now, before)).map((each) => [each.id, each]));
        for (const record of before.filter((each) => each.state === 'present')) {
          const kept = after.get(record.id);
          assert.ok(kept);
          assert.equal(kept.sha256, record.sha256);
          if (kept.state === 'superseded') continue;
          const { state, size, sha1: sum, url } = kept;
          assert.deepEqual([state, size, sum, url !== null], ['present', record.size, record.sha1, true]);
          seen += 1;
        }
      }),
      { numRuns: 1000 },
    );
    assert.ok(seen > 100);
  });

  it('never calls stored what was not, though upstream states its SHA-256', () => {
    const stated = { ...fact('1', 'a'), sha256: 'e'.repeat(64) };
    const [first, second] = [stated, fact('2', 'a')];
    const before = recordsOf(plan([first, second]));
    const now = recordsOf(plan([first, { ...second, state: 'expired' }], before));
    assert.deepEqual(
      now.map(({ state }) => state),
      ['pending', 'lost'],
    );
    assert.equal(now[0]?.sha256, null);
  });
});

function fact(id: string, name: string): ArtifactFacts {
  return { id, path: name, job_id: job.id, state: 'finished', size: 1, sha1, sha256: null, mime_type: 'text/plain' };
}
