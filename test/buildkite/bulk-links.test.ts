import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { generateBuild } from '../../demo/samples/generate.ts';
import { documentedLimits } from '../../demo/standin/limits.ts';
import { defaultToken } from '../../demo/standin/tokens.ts';
import type { Budget } from '../../src/buildkite/budget.ts';
import { withJob } from '../demo/ask.ts';
import { factsOf, found, scene, takeAll } from './links-scene.ts';

describe('links in bulk', () => {
  it('are those of the artifacts, with their SHA-256, for one query', async (t) => {
    const it = await scene(t);
    const links = await Promise.all(it.artifacts.map((artifact) => it.find(artifact)));
    assert.equal(it.asked(), 1);
    assert.deepEqual(it.outcomes, ['ok']);
    for (const [index, link] of links.entries()) {
      const artifact = it.artifacts[index];
      assert.ok(link && artifact);
      const answer = await fetch(link.url);
      assert.equal(Number(answer.headers.get('content-length')), artifact.size);
      assert.equal(link.sha256?.length, 64);
      await answer.body?.cancel();
    }
    assert.ok(it.lines.every((line) => !line.includes('Signature')));
  });

  for (const mode of ['portal', 'graphql'] as const) {
    it(`need few requests for many small jobs (${mode})`, async (t) => {
      const it = await scene(t, { modes: [mode], generate: { jobs: 400, artifactsPerJob: 3 } });
      assert.equal(found(await takeAll(it)), 1200);
      assert.ok(it.asked() <= 25, `${it.asked()}`);
      assert.ok(it.points() < 1200 + 400 * 3 * 1.1 + 200, `${it.points()}`);
    });

    it(`need few requests for jobs with many artifacts (${mode})`, async (t) => {
      const it = await scene(t, { modes: [mode], generate: { jobs: 40, artifactsPerJob: 250 } });
      assert.equal(found(await takeAll(it)), 10_000);
      // Points count with GraphQL, requests with a portal.
      assert.ok(it.asked() <= (mode === 'portal' ? 30 : 45), `${it.asked()}`);
      assert.ok(it.points() <= 10_000 * 1.02 + 300, `${it.points()}`);
    });
  }

  it('of a job that ends while the rest of its build runs cost that job alone', async (t) => {
    const it = await scene(t, { generate: { jobs: 30, artifactsPerJob: 20 } });
    const job = it.artifacts[100]?.job_id;
    const own = it.artifacts.filter((artifact) => artifact.job_id === job);
    assert.equal(found(await Promise.all(own.map((artifact) => it.find(artifact, own.length)))), 20);
    assert.deepEqual([it.asked(), it.points()], [1, 3 + 20]);
  });

  for (const mode of ['portal', 'graphql'] as const) {
    it(`of few jobs of a large build are listed for these alone (${mode})`, async (t) => {
      const it = await scene(t, { modes: [mode], generate: { jobs: 40, artifactsPerJob: 20 } });
      const jobs = [...new Set(it.artifacts.map((artifact) => artifact.job_id))];
      const wanted = [jobs[3], jobs[30]].filter((job) => job !== undefined);
      const listed: string[] = [];
      for await (const part of it.links.list(it.ref, wanted, jobs.length, AbortSignal.timeout(60_000)))
        for (const [job, artifacts] of part) {
          listed.push(job);
          assert.equal(artifacts.length, 20);
        }
      assert.deepEqual(listed.toSorted(), wanted.toSorted());
      assert.deepEqual([it.asked(), it.points()], [2, 2 * (3 + 20)]);
    });
  }

  it('of a job that had nothing yet when its page was read are asked for again', async (t) => {
    const whole = generateBuild({ jobs: 4, artifactsPerJob: 5 });
    const it = await scene(t, { change: (build) => withJob(build, { artifacts: [] }) });
    assert.equal(found(await takeAll(it)), 15);
    it.standIn.put(whole);
    it.now += 3000;
    const late = factsOf(whole).slice(0, 5);
    assert.equal(found(await Promise.all(late.map((artifact) => it.find(artifact, 5)))), 5);
    assert.equal(it.asked(), 2);
  });

  it('of a job with more than a page has are had from both ends, and by folder beyond that', async (t) => {
    const path = (job: number, artifact: number) => `out/${job}/part-${Math.floor(artifact / 400)}/file-${artifact}`;
    const it = await scene(t, { generate: { jobs: 2, artifactsPerJob: 900, path } });
    assert.equal(found(await takeAll(it)), 1800);
    assert.ok(it.asked() <= 5, `${it.asked()}`);
    const large = await scene(t, { generate: { jobs: 1, artifactsPerJob: 1600, path } });
    assert.equal(found(await takeAll(large)), 1600);
    assert.ok(large.asked() <= 6, `${large.asked()}`);
  });

  it('are left to REST where few are missing', async (t) => {
    const it = await scene(t);
    const [first, second] = it.artifacts;
    assert.ok(first && second);
    assert.deepEqual([await it.find(first, 2), it.asked()], [null, 0]);
    await it.find(first, 20);
    assert.notEqual(await it.find(second, 1), null, 'what is there already is used');
    assert.equal(it.asked(), 1);
  });

  it('are used while they are fresh, and had again when that is over', async (t) => {
    const it = await scene(t);
    const before = await takeAll(it);
    assert.equal(it.asked(), 1);
    it.now += 7.9 * 60_000;
    assert.deepEqual(await takeAll(it), before);
    it.now += 0.2 * 60_000;
    const after = await takeAll(it);
    assert.equal(found(after), 20);
    assert.equal(it.asked(), 2);
  });

  it('that failed are not handed out again: REST is asked for that one', async (t) => {
    const it = await scene(t);
    const [first, second] = it.artifacts;
    assert.ok(first && second);
    assert.notEqual(await it.find(first), null);
    it.links.forget(first.id);
    assert.equal(await it.find(first), null);
    assert.notEqual(await it.find(second), null);
    assert.equal(it.asked(), 1);
  });

  it('are kept in bounded memory', async (t) => {
    const it = await scene(t, { bounds: { capacity: 6 } });
    assert.ok(found(await takeAll(it)) >= 6);
  });

  describe('when an answer is not what it should be', () => {
    for (const as of ['null', 'error', 'noUrl', 'emptyUrl', 'absent'] as const) {
      it(`fall back for that artifact alone (${as})`, async (t) => {
        const it = await scene(t);
        it.standIn.faults.add({ at: 'portal', kind: 'partial', as, artifacts: /file-2/, times: 99 });
        const links = await Promise.all(it.artifacts.map((artifact) => it.find(artifact)));
        const without = it.artifacts.filter((_, index) => links[index] === null);
        assert.deepEqual(
          without.map(({ path }) => /file-2/.test(path)),
          [true, true, true, true],
        );
        assert.ok(it.asked() <= 5, `${it.asked()}`);
        assert.equal(it.outcomes[0], as === 'absent' ? 'ok' : 'partial');
      });
    }

    it('fall back for an artifact that upstream tells otherwise there, and for an address that is none', async (t) => {
      const it = await scene(t);
      const [first, second, third, fourth, fifth] = it.artifacts;
      assert.ok(first && second && third && fourth && fifth);
      assert.equal(await it.find({ ...first, size: first.size + 1 }), null);
      assert.equal(await it.find({ ...second, sha1: 'f'.repeat(40) }), null);
      assert.equal(await it.find({ ...third, path: `${third.path}x` }), null);
      assert.notEqual(await it.find({ ...fourth, sha1: null }), null);
      const wrong = await scene(t);
      wrong.standIn.faults.add({ at: 'portal', kind: 'wrongUrl', to: 'javascript:alert(1)', times: 9 });
      const links = await takeAll(wrong);
      assert.equal(links.filter((link) => link === null).length, 4);
    });

    it('fall back for a build that the token does not see', async (t) => {
      const it = await scene(t);
      it.standIn.remove(it.ref.organization, it.ref.pipeline, it.ref.number);
      assert.equal(found(await takeAll(it)), 0);
      assert.ok(it.asked() <= 1, `${it.asked()}`);
    });

    for (const fault of [
      { kind: 'graphqlErrors' },
      { kind: 'html' },
      { kind: 'malformed' },
      { kind: 'status', status: 403 },
    ] as const) {
      it(`warn once, fall back and try again later (${fault.kind})`, async (t) => {
        const it = await scene(t);
        const handle = it.standIn.faults.add({ at: 'portal', times: 99, ...fault });
        assert.equal(found(await takeAll(it)), 0);
        it.now += 30_000;
        assert.equal(found(await takeAll(it)), 0);
        assert.deepEqual([it.asked(), it.lines.length], [1, 1], it.lines.join(''));
        assert.deepEqual(it.outcomes, [fault.kind === 'status' ? 'denied' : 'malformed']);
        assert.match(it.lines[0] ?? '', /"level":40.*by REST/);
        handle.remove();
        it.now += fault.kind === 'status' ? 3_600_000 : 31_000;
        assert.equal(found(await takeAll(it)), 20);
      });
    }
  });

  describe('when a token may not', () => {
    it('find it out once, say so, and look again after an hour', async (t) => {
      const it = await scene(t, { modes: ['graphql'], token: defaultToken.token, wanted: false });
      assert.equal(found(await takeAll(it)), 0);
      it.now += 3_000_000;
      assert.equal(found(await takeAll(it)), 0);
      assert.deepEqual([it.asked(), it.lines.length], [1, 1]);
      assert.match(it.lines[0] ?? '', /"level":30/, 'that was nobody’s wish');
      it.now += 700_000;
      await takeAll(it);
      assert.equal(it.asked(), 2);
    });

    it('go from a portal that refuses to GraphQL', async (t) => {
      const it = await scene(t, { modes: ['portal', 'graphql'], standIn: { portals: [] } });
      assert.equal(found(await takeAll(it)), 20);
    });

    it('come from REST where there is no source at all', async (t) => {
      const it = await scene(t, { modes: [] });
      assert.deepEqual([found(await takeAll(it)), it.asked()], [0, 0]);
    });
  });

  describe('who waits', () => {
    it('leaves when told to stop, and the others go on', async (t) => {
      const it = await scene(t);
      it.standIn.latency.apiMs = 200;
      const stop = new AbortController();
      const [first, ...others] = it.artifacts;
      assert.ok(first);
      const leaving = it.links.find(it.ref, first, 20, stop.signal);
      const staying = Promise.all(others.map((artifact) => it.find(artifact)));
      stop.abort(new Error('enough'));
      await assert.rejects(leaving, /enough/);
      assert.equal(found(await staying), 19);
    });

    it('for few artifacts does not wait for points that others use up', { timeout: 20_000 }, async (t) => {
      const budget: Budget = {
        spend: ({ signal: gone }) =>
          new Promise((_, reject) => {
            gone.addEventListener('abort', () => reject(gone.reason as Error), { once: true });
          }),
        settle: () => undefined,
      };
      const it = await scene(t, {
        modes: ['graphql'],
        budget,
        standIn: { limits: documentedLimits },
        bounds: { patienceMs: 50 },
      });
      const [first] = it.artifacts;
      assert.ok(first);
      assert.deepEqual([await it.find(first, 5), it.asked()], [null, 0]);
    });
  });
});
