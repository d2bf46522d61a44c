import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { documentedLimits } from '../../demo/standin/limits.ts';
import { ask } from './ask.ts';
import { askLinks, askPortal, messageOf, portal, query, withBuild } from './ask-graphql.ts';

describe('points of the GraphQL API in the stand-in', () => {
  it('counts as in the documentation, before and after', async (t) => {
    const [standIn, build] = await withBuild(t, { limits: documentedLimits });
    const example = `{ build(uuid: "${build.id}") { jobs(first: 500) { edges { node { ... on JobTypeCommand {
      artifacts { edges { node { path } } } } } } } } }`;
    const refused = await query(standIn, example);
    assert.equal(refused.status, 200);
    assert.equal(messageOf(refused), 'Query has complexity of 251503, which exceeds max complexity of 50000');
    assert.equal(refused.headers.get('ratelimit-user-remaining'), '5000', 'what is refused costs nothing');
    const small = `{ build(uuid: "${build.id}") { jobs(first: 500) { edges { node { __typename } } } } }`;
    const headers = { 'buildkite-include-query-stats': 'true' };
    const answer = await query(standIn, small, {}, headers);
    assert.deepEqual(answer.reply.stats, { requestedComplexity: 503, actualComplexity: 5 });
    assert.equal(answer.headers.get('ratelimit-complexity-requested'), '503');
    assert.equal(answer.headers.get('ratelimit-complexity-actual'), '5');
    const told = ['', '-user'].map((kind) =>
      ['scope', 'remaining', 'limit'].map((name) => answer.headers.get(`ratelimit${kind}-${name}`)),
    );
    assert.deepEqual(told, [
      ['graphql', '19995', '20000'],
      ['graphql_user', '4995', '5000'],
    ]);
    assert.equal(answer.headers.get('ratelimit-reset'), '300');
  });

  it('counts fragments, objects beside the edges, and what a directive leaves out', async (t) => {
    const [standIn, build] = await withBuild(t);
    const text = `query Cost($with: Boolean!) { build(uuid: "${build.id}") { ...Jobs pipeline { slug } } }
      fragment Jobs on Build { jobs(first: 10) { pageInfo { endCursor } edges { cursor node {
        ... on JobTypeCommand { step { key } artifacts(first: 5) @include(if: $with) { edges { node { path } } } }
        ... on JobTypeBlock { label }
      } } } }`;
    const complexity = async (withArtifacts: boolean): Promise<string | null> =>
      (await query(standIn, text, { with: withArtifacts })).headers.get('ratelimit-complexity-requested');
    assert.equal(await complexity(false), String(1 + 1 + 1 + 1 + 1 + 10 + 10));
    assert.equal(await complexity(true), String(1 + 1 + 1 + 1 + 1 + 10 + 10 + 10 * (1 + 1 + 5)));
  });

  it('refuses by user and by organization until the window ends, and too deep queries at once', async (t) => {
    let now = Date.UTC(2026, 0, 1);
    const limits = { organization: 40, user: 16, query: null, depth: 15 };
    const [standIn, build] = await withBuild(t, { now: () => now, graphql: { limits } });
    assert.equal((await askLinks(standIn, build)).headers.get('ratelimit-user-remaining'), '0');
    now += 113_000;
    const user = await askLinks(standIn, build);
    assert.equal(user.status, 429);
    const perUser = 'You have exceeded your per-user limit of 16 complexity points. Please try again in 187 seconds.';
    assert.equal(messageOf(user), perUser);
    assert.equal(user.headers.get('ratelimit-user-reset'), '187');
    standIn.points.spend('somebody@acme.example', 24);
    const organization = 'Your organization has exceeded the limit of 40 complexity points.';
    assert.equal(messageOf(await askLinks(standIn, build)), `${organization} Please try again in 187 seconds.`);
    now += 187_000;
    assert.equal((await askLinks(standIn, build)).status, 200);
    now += 300_000;
    const turn = 'build { jobs { edges { node { ... on JobTypeCommand { ';
    const deep = `{ job(uuid: "x") { ... on JobTypeCommand { ${turn.repeat(4)} uuid ${'} '.repeat(4 * 5)} } } }`;
    assert.match(messageOf(await query(standIn, deep)) ?? '', /^Query has depth of 18, which exceeds max depth of 15$/);
  });

  it('tells fractions of seconds where windows are short, if it is told to', async (t) => {
    const now = Date.UTC(2026, 0, 1);
    const short = { windowMs: 1234, resetDigits: 1 };
    const limits = { organization: 10, user: null, ...short };
    const portalLimits = { requests: 10, ...short };
    const [standIn, build] = await withBuild(t, {
      now: () => now,
      limits,
      graphql: { limits: short },
      portals: [portal],
      portalLimits,
    });
    const answers = [await askLinks(standIn, build), await askPortal(standIn, build), await ask(standIn, '/v2/x')];
    assert.deepEqual(
      answers.map(({ headers }) => headers.get('ratelimit-reset')),
      ['1.3', '1.3', '1.3'],
    );
  });
});
