import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { documentedLimits } from '../../demo/standin/limits.ts';
import type { Row } from './ask.ts';
import {
  artifactsOf,
  askLinks,
  askPortal,
  links,
  messageOf,
  portal,
  portalAuthorization,
  post,
  withBuild,
} from './ask-graphql.ts';

describe('portals in the stand-in', () => {
  it('run their own document with the body as its variables, for their own token alone', async (t) => {
    const [standIn, build] = await withBuild(t, { portals: [portal] });
    assert.equal(standIn.portalUrl('links'), `${standIn.address.apiUrl}/organizations/acme/portals/links`);
    const answer = await askPortal(standIn, build);
    assert.equal(artifactsOf(answer).length, 6);
    const missing = await post(standIn.portalUrl('links'), { variables: { build: build.id } }, portalAuthorization);
    assert.match(messageOf(missing) ?? '', /\$build/, 'the body itself is the variables');
    assert.equal((await post(standIn.portalUrl('links'), {})).status, 401, 'an API token opens no portal');
    assert.equal((await post(standIn.portalUrl('other'), {}, portalAuthorization)).status, 404);
    assert.equal((await fetch(standIn.portalUrl('links'), { headers: portalAuthorization })).status, 404);
    assert.equal((await post(standIn.address.graphqlUrl, { query: links }, portalAuthorization)).status, 401);
  });

  it('choose one of several operations by name, and take no document that does not fit', async (t) => {
    const [standIn, build] = await withBuild(t);
    standIn.putPortal({ ...portal, document: `${links} query Me { viewer { id } }` });
    const url = standIn.portalUrl('links');
    const named = await post(`${url}?operation_name=Me`, {}, portalAuthorization);
    assert.deepEqual(named.reply.data, { viewer: null });
    assert.equal(messageOf(await askPortal(standIn, build)), 'An operation name is required');
    assert.throws(() => standIn.putPortal({ ...portal, document: '{ nothing }' }), /portal links: Cannot query field/);
  });

  it('have a limit of requests together, and use no points unless told', async (t) => {
    let now = Date.UTC(2026, 0, 1);
    const [standIn, build] = await withBuild(t, { now: () => now, limits: documentedLimits, portals: [portal] });
    const first = await askPortal(standIn, build);
    const told = ['scope', 'remaining', 'limit', 'reset'].map((name) => first.headers.get(`ratelimit-${name}`));
    assert.deepEqual(told, ['portal', '199', '200', '60']);
    assert.equal(first.headers.get('ratelimit-complexity-actual'), '16');
    standIn.portalLimiter.spend(199);
    now += 18_000;
    const refused = await askPortal(standIn, build);
    assert.equal(refused.status, 429);
    const { scope, limit, current, reset } = refused.reply as Row;
    assert.deepEqual([scope, limit, current, reset], ['portal', 200, 201, 42]);
    assert.equal((await askLinks(standIn, build)).headers.get('ratelimit-remaining'), String(20_000 - 16));

    const limits = { organization: 16 };
    const [costly] = await withBuild(t, { graphql: { limits }, portals: [{ ...portal, points: true }] });
    assert.equal((await askPortal(costly, build)).status, 200);
    const spent = await askPortal(costly, build);
    assert.match(messageOf(spent) ?? '', /^Your organization has exceeded the limit of 16 complexity points\./);
    assert.deepEqual([spent.status, spent.headers.get('ratelimit-scope')], [429, 'graphql']);
  });
});
