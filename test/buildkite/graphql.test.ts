import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { generateBuild } from '../../demo/samples/generate.ts';
import { documentedLimits } from '../../demo/standin/limits.ts';
import type { StandIn, StandInOptions } from '../../demo/standin/standin.ts';
import { defaultToken } from '../../demo/standin/tokens.ts';
import { unlimited } from '../../src/buildkite/budget.ts';
import { bulkDocument, choosePage, parsePage, requestedNodes } from '../../src/buildkite/bulk-query.ts';
import type { Graphql, GraphqlRequest } from '../../src/buildkite/graphql.ts';
import { checkPortal } from '../../src/buildkite/portal-check.ts';
import { started } from '../demo/ask.ts';
import { client, notedBudget, portal } from './queries.ts';

const signal = AbortSignal.timeout(200_000);
const build = generateBuild({ jobs: 3, artifactsPerJob: 2 });

async function upstream(t: TestContext, options: StandInOptions = {}): Promise<StandIn> {
  const standIn = await started(t, { portals: [portal], ...options });
  standIn.put(build);
  return standIn;
}

function askBuild(api: Graphql, more: Partial<GraphqlRequest> = {}) {
  const variables = { build: build.id, jobs: 10, artifacts: 50 };
  return api.ask({ document: bulkDocument, variables, points: 20, workClass: 'live', signal, ...more });
}

describe('the GraphQL client', () => {
  it('has the same document answered by the API and by a portal', async (t) => {
    const standIn = await upstream(t);
    for (const mode of ['graphql', 'portal'] as const) {
      const { data, error, ageMs } = await askBuild(client(t, standIn, { mode }));
      const page = parsePage(data);
      assert.equal(error, null);
      assert.ok(ageMs >= 0 && ageMs < 20_000);
      assert.equal(page?.next, null);
      assert.equal(page?.jobs.flatMap(({ links }) => links).length, 6);
      assert.ok(page?.jobs[0]?.links.every(({ url, sha256 }) => url !== null && sha256?.length === 64));
    }
  });

  it('counts what a query will return as upstream does', async (t) => {
    const standIn = await upstream(t);
    const asked = await fetch(standIn.address.graphqlUrl, {
      method: 'POST',
      headers: { authorization: `Bearer ${client(t, standIn).token()}`, 'content-type': 'application/json' },
      body: JSON.stringify({ query: bulkDocument, variables: { build: build.id, jobs: 7, artifacts: 30 } }),
    });
    assert.equal(asked.headers.get('ratelimit-complexity-requested'), String(requestedNodes(7, 30)));
    for (const mean of [0, 3, 250, 5000]) {
      for (const points of [1, 1000, 2500, 1e6]) {
        const { jobs, artifacts } = choosePage({ mean, largest: mean * 2 }, points);
        assert.ok(jobs >= 1 && requestedNodes(jobs, artifacts) <= 50_000, `${mean} ${points}`);
      }
    }
  });

  it('spends points for GraphQL and one request for a portal, and evens out what it did not foresee', async (t) => {
    const standIn = await upstream(t);
    const budget = notedBudget();
    const api = client(t, standIn, { budget });
    await askBuild(api, { points: 10 });
    await askBuild(api, { points: 10 });
    // 4 around the jobs, and of each job 3 and its 2 artifacts.
    assert.deepEqual(budget.spent, [10, 10 + (19 - 10)]);
    assert.deepEqual(budget.settled[0], { user: unlimited, organization: unlimited });
    await askBuild(client(t, standIn, { budget, mode: 'portal' }));
    assert.equal(budget.spent[2], 1);
  });

  it('asks for no more points at once than a window can grant', async (t) => {
    const standIn = await upstream(t, { graphql: { limits: { user: 100, organization: 20_000 } } });
    const budget = notedBudget();
    const api = client(t, standIn, { budget, share: 0.5 });
    await askBuild(api);
    assert.equal(budget.settled[0]?.user?.limit, 100);
    assert.equal(api.mostPoints(), 25);
    await askBuild(api, { points: 4000 });
    assert.equal(budget.spent[1], 25);
  });

  it('sends what was refused for the limit again, and tells the budget how long the refusal lasts', async (t) => {
    const standIn = await upstream(t, { limits: documentedLimits });
    for (const [mode, scope] of [
      ['graphql', 'organization'],
      ['portal', 'organization'],
    ] as const) {
      const budget = notedBudget();
      const faults = [1, 2, 3, 4, 5].map(() =>
        standIn.faults.add({ at: mode, kind: 'status', status: 429, seconds: 7 }),
      );
      await askBuild(client(t, standIn, { mode, budget }));
      assert.equal(budget.spent.length, 6, 'five refusals spend no attempt');
      assert.deepEqual(
        faults.map(({ hits }) => hits),
        [1, 1, 1, 1, 1],
      );
      assert.deepEqual([budget.settled[0]?.[scope]?.remaining, budget.settled[0]?.[scope]?.resetMs], [0, 7000], mode);
    }
  });

  it("keeps a portal's limit of requests apart from the points that it may use up", async (t) => {
    const points = { ...portal, points: true };
    const standIn = await upstream(t, {
      portals: [points],
      limits: documentedLimits,
      graphql: { limits: { organization: 5 } },
    });
    const [budget, spent] = [notedBudget(), notedBudget()];
    const api = client(t, standIn, { mode: 'portal', budget, points: spent });
    await askBuild(api);
    assert.deepEqual([budget.settled[0]?.organization?.limit, spent.settled], [200, []]);
    const gone = new AbortController();
    const waiting = askBuild({ ...api, ask: (request) => api.ask({ ...request, signal: gone.signal }) });
    while (spent.spent.length < 1) await new Promise((resolve) => setImmediate(resolve));
    gone.abort();
    await assert.rejects(waiting, { name: 'AbortError' });
    assert.deepEqual([budget.settled[1], spent.settled[0]?.organization?.remaining], [{}, 0]);
    assert.equal(spent.spent[0], 20, 'once it is known, points are asked for too');
  });

  it('tries again after a break and a 5xx, and gives up in the end', async (t) => {
    const standIn = await upstream(t);
    standIn.faults.add({ at: 'graphql', kind: 'reset' });
    standIn.faults.add({ at: 'graphql', kind: 'status', status: 502 });
    assert.ok((await askBuild(client(t, standIn))).data);
    standIn.faults.add({ at: 'portal', kind: 'status', status: 500, times: 9 });
    await assert.rejects(askBuild(client(t, standIn, { mode: 'portal' })), { code: 'ERR_UPSTREAM_UNAVAILABLE' });
  });

  it('tells a token that may not from an answer that makes no sense', async (t) => {
    const standIn = await upstream(t);
    for (const token of [defaultToken.token, 'bkua_unknown']) {
      await assert.rejects(askBuild(client(t, standIn, { token })), { code: 'ERR_UPSTREAM_DENIED' });
    }
    await assert.rejects(askBuild(client(t, standIn, { mode: 'portal', token: 'x' })), { code: 'ERR_UPSTREAM_DENIED' });
    const api = client(t, standIn);
    standIn.faults.add({ at: 'graphql', kind: 'graphqlErrors', message: 'Missing the graphql scope' });
    await assert.rejects(askBuild(api), { code: 'ERR_UPSTREAM_DENIED' });
    standIn.faults.add({ at: 'graphql', kind: 'graphqlErrors', message: 'Broken: https://x/?Signature=s bkua_1234' });
    await assert.rejects(askBuild(api), (error: Error) => error.message.endsWith('Broken: [URL] [secret]'));
    for (const kind of ['html', 'malformed'] as const) {
      standIn.faults.add({ at: 'graphql', kind });
      await assert.rejects(askBuild(api), { code: 'ERR_UPSTREAM_MALFORMED' }, kind);
    }
    standIn.faults.add({ at: 'graphql', kind: 'partial', as: 'error' });
    const partial = await askBuild(api);
    assert.match(partial.error ?? '', /Something went wrong/);
    assert.equal(
      parsePage(partial.data)?.jobs.flatMap(({ links }) => links).length,
      3,
      'the others of each job are there',
    );
  });

  it('follows no redirect', async (t) => {
    const standIn = await upstream(t);
    let followed = 0;
    const other = createServer((_, response) => {
      followed += 1;
      response.end('{"data":{}}');
    }).listen(0, '127.0.0.1');
    t.after(() => other.close());
    await new Promise((resolve) => other.once('listening', resolve));
    const to = `http://127.0.0.1:${(other.address() as AddressInfo).port}/`;
    standIn.faults.add({ at: 'graphql', kind: 'redirect', to });
    await assert.rejects(askBuild(client(t, standIn)), { code: 'ERR_UPSTREAM_MALFORMED' });
    assert.equal(followed, 0);
  });
});

describe('the check of a portal', () => {
  it('finds a good one good, with and without a build to look at', async (t) => {
    const standIn = await upstream(t);
    const api = client(t, standIn, { mode: 'portal' });
    assert.equal((await checkPortal({ portal: api, signal })).ok, true);
    const { ok, checks } = await checkPortal({ portal: api, build: build.id, signal });
    assert.deepEqual([ok, checks.at(-1)?.detail], [true, '6 of 6 artifacts have a link']);
  });

  it('names what is wrong: the token, the document, the build', async (t) => {
    const standIn = await upstream(t);
    const failing = async (token: string, id?: string) => {
      const api = client(t, standIn, { mode: 'portal', token });
      const { checks } = await checkPortal({ portal: api, signal, ...(id === undefined ? {} : { build: id }) });
      return checks.filter(({ ok }) => !ok).map(({ name }) => name);
    };
    assert.deepEqual(await failing('bkpat_other'), ['answer']);
    assert.deepEqual(await failing(portal.token, '0198c5a2-0000-7000-8000-000000000000'), ['build']);
    standIn.putPortal({ ...portal, document: '{ viewer { id } }' });
    assert.deepEqual(await failing(portal.token), ['document']);
  });
});
