import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { generateBuild } from '../../demo/samples/generate.ts';
import { plantedSecrets } from '../../demo/samples/team.ts';
import { defaultToken } from '../../demo/standin/tokens.ts';
import { ask, buildPath, firstJob, home, jobPath, type Row, row, rows, started, withJob } from './ask.ts';

describe('the stand-in for Buildkite', () => {
  describe('tokens and scopes', () => {
    it('knows nobody without a token, and tells the holder of one what it may do', async (t) => {
      const standIn = await started(t);
      for (const authorization of ['', 'Bearer nonsense', `Token ${defaultToken.token}`]) {
        const answer = await fetch(`${standIn.address.apiUrl}/v2/access-token`, { headers: { authorization } });
        assert.equal(answer.status, 401);
        assert.deepEqual(await answer.json(), { message: 'Authentication required' });
      }
      const token = await row(standIn, '/v2/access-token');
      assert.deepEqual(token.scopes, defaultToken.scopes);
    });

    it('answers its greeting and the webhook addresses to everyone', async (t) => {
      const standIn = await started(t);
      assert.equal((await fetch(standIn.address.apiUrl)).status, 200);
      const meta = (await (await fetch(`${standIn.address.apiUrl}/v2/meta`)).json()) as Row;
      assert.ok(Array.isArray(meta.webhook_ips));
    });

    it('forbids what the scopes do not cover, and does not find what is not there', async (t) => {
      const standIn = await started(t, { tokens: [{ ...defaultToken, scopes: ['read_builds'] }] });
      const build = generateBuild();
      standIn.put(build);
      assert.equal((await ask(standIn, buildPath(build))).status, 200);
      const refused = await ask(standIn, `${buildPath(build)}/artifacts`);
      assert.equal(refused.status, 403);
      assert.deepEqual(await refused.json(), { message: 'Forbidden' });
      for (const path of [`${home}/pipelines/web/builds/9`, '/v2/organizations/other/builds', '/v2/nothing', '/%zz']) {
        const absent = await ask(standIn, path);
        assert.equal(absent.status, 404, path);
        assert.deepEqual(await absent.json(), { message: 'Not Found' });
      }
    });
  });

  describe('builds and jobs', () => {
    it('shows a build with its jobs, hides replaced attempts unless asked, and plants secrets', async (t) => {
      const standIn = await started(t);
      const plain = generateBuild({ jobs: 2 });
      const [first, second] = plain.jobs;
      assert.ok(first && second);
      const build = withJob(plain, { retriedInJobId: second.id, state: 'failed', exitStatus: 1 });
      standIn.put(build);
      const shown = await row(standIn, buildPath(build));
      assert.deepEqual(
        (shown.jobs as Row[]).map((job) => job.id),
        [second.id],
      );
      assert.deepEqual(shown.job_state_counts, { total: 1, states: { passed: 1 } });
      const all = await row(standIn, `${buildPath(build)}?include_retried_jobs=true`);
      const [replaced] = all.jobs as Row[];
      assert.equal(replaced?.retried, true);
      assert.equal(replaced?.retried_in_job_id, second.id);
      const text = JSON.stringify(all);
      assert.ok(text.includes(plantedSecrets.pipelineEnv) && text.includes(plantedSecrets.configuration));
      assert.ok(!text.includes(plantedSecrets.webhookUrl), 'only for those who may write pipelines');
    });

    it('lists jobs by cursor, replaced ones too, and finds one by both addresses', async (t) => {
      const standIn = await started(t);
      const build = generateBuild({ jobs: 5 });
      standIn.put(build);
      const seen: unknown[] = [];
      let next: string | undefined = `${standIn.address.apiUrl}${buildPath(build)}/jobs?per_page=2`;
      while (next !== undefined) {
        const page = (await (await ask(standIn, next)).json()) as { items: Row[]; links: { next?: string } };
        assert.ok(page.items.length <= 2);
        seen.push(...page.items.map((job) => job.id));
        next = page.links.next;
      }
      assert.deepEqual(
        seen,
        build.jobs.map((job) => job.id),
      );
      assert.equal((await ask(standIn, jobPath(build))).status, 200);
      assert.equal((await ask(standIn, `${home}/jobs/${firstJob(build).id}`)).status, 200);
      const absent = await ask(standIn, `${home}/jobs/00000000-0000-4000-8000-000000000000`);
      assert.deepEqual([absent.status, await absent.json()], [404, { message: 'No job found' }]);
    });

    it('gives manual, trigger and waiter jobs the few keys that they have', async (t) => {
      const standIn = await started(t);
      const base = generateBuild({ jobs: 0 });
      const times = { createdAt: base.createdAt, startedAt: null, finishedAt: null };
      standIn.put({
        ...base,
        jobs: [
          { type: 'waiter', id: 'a0000000-0000-4000-8000-000000000000' },
          {
            type: 'manual',
            id: 'b0000000-0000-4000-8000-000000000000',
            label: 'Deploy',
            stepKey: null,
            state: 'blocked',
            unblockedBy: null,
            unblockedAt: null,
          },
          {
            type: 'trigger',
            id: 'c0000000-0000-4000-8000-000000000000',
            name: 'api',
            stepKey: null,
            state: 'scheduled',
            async: true,
            triggered: null,
            ...times,
          },
        ],
      });
      const { jobs } = (await row(standIn, buildPath(base))) as { jobs: Row[] };
      assert.deepEqual(Object.keys(jobs[0] ?? {}), ['id', 'graphql_id', 'type']);
      assert.ok(!('name' in (jobs[1] ?? {})) && jobs[1]?.unblockable === true);
      assert.ok(!('log_url' in (jobs[2] ?? {})) && jobs[2]?.triggered_build === null);
    });

    it('lists builds newest first, by pages, and through its filters', async (t) => {
      const standIn = await started(t);
      const day = 86_400_000;
      const start = Date.UTC(2026, 0, 1);
      for (let number = 1; number <= 5; number += 1) {
        const branch = number % 2 === 0 ? 'feature/x' : 'main';
        const state = number === 3 ? 'failed' : 'passed';
        standIn.put(generateBuild({ number, branch, state, finishedAt: start + number * day }));
      }
      const numbers = async (query: string): Promise<unknown[]> =>
        (await rows(standIn, `${home}/builds?${query}`)).map((build) => build.number);
      assert.deepEqual(await numbers(''), [5, 4, 3, 2, 1]);
      assert.deepEqual(await numbers('branch=feature/*'), [4, 2]);
      assert.deepEqual(await numbers('state=failed'), [3]);
      assert.deepEqual(await numbers('state[]=failed&branch[]=main&branch[]=x'), [3]);
      assert.deepEqual(await numbers(`finished_from=${new Date(start + 4 * day).toISOString()}`), [5, 4]);
      assert.deepEqual(await numbers(`created_to=${new Date(start + 2 * day).toISOString()}`), [2, 1]);
      const page = await ask(
        standIn,
        `${home}/pipelines/web/builds?page=2&per_page=2&exclude_jobs=true&exclude_pipeline=true`,
      );
      const items = (await page.json()) as Row[];
      assert.deepEqual(
        items.map((build) => build.number),
        [3, 2],
      );
      assert.ok(items.every((build) => !('jobs' in build) && !('pipeline' in build)));
      assert.match(page.headers.get('link') ?? '', /<[^>]*page=3[^>]*>; rel="next"/);
      const deep = await ask(standIn, `${home}/builds?page=101&per_page=100`);
      assert.equal(deep.status, 400);
      assert.match(((await deep.json()) as { message: string }).message, /^Listing builds this deep is not supported/);
    });

    it('renames a pipeline, and deletes the one whose slug another takes', async (t) => {
      const standIn = await started(t);
      standIn.put(generateBuild({ pipeline: 'web', pipelineSeed: 'first' }));
      standIn.put(generateBuild({ pipeline: 'shop', pipelineSeed: 'first', number: 2 }));
      assert.equal((await ask(standIn, `${home}/pipelines/web/builds/1`)).status, 404);
      const renamed = await row(standIn, `${home}/pipelines/shop/builds/1`);
      assert.match(String(renamed.url), /\/pipelines\/shop\/builds\/1$/);
      standIn.put(generateBuild({ pipeline: 'shop', pipelineSeed: 'second' }));
      const builds = await rows(standIn, `${home}/pipelines/shop/builds`);
      assert.deepEqual(
        builds.map((build) => build.number),
        [1],
      );
      assert.notEqual(builds[0]?.id, renamed.id);
    });

    it('writes dates in the older format on request', async (t) => {
      const standIn = await started(t, { dates: 'utc' });
      const build = generateBuild({ finishedAt: Date.UTC(2026, 1, 3, 4, 5, 6) });
      standIn.put(build);
      assert.equal((await row(standIn, buildPath(build))).finished_at, '2026-02-03 04:05:06 UTC');
    });
  });
});
