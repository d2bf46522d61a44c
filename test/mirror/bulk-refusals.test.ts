/** Sources of links that may not answer, or answer nothing of use: found out, said once, and done without. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { defaultToken, graphqlToken } from '../../demo/standin/tokens.ts';
import type { Mirror } from './harness.ts';
import { newBuild } from './samples.ts';
import { asked, checkBytes, mirrored, portal, spentAttempts, started } from './ways.ts';

describe('who may not, or says nothing of use', () => {
  /** Tokens, signatures and portals' tokens. */
  const secrets = [defaultToken.token, graphqlToken.token, portal.token, 'X-Amz-Signature'];

  function noted(mirror: Mirror, text: string): string[] {
    for (const secret of secrets) assert.ok(!mirror.output.some((line) => line.includes(secret)), secret);
    return mirror.output.filter((line) => line.includes(text));
  }

  it('is found out once where nobody asked for it: a token without the permission', async (t) => {
    const env = { BUILDKITE_GRAPHQL: 'auto', BUILDKITE_API_TOKEN: defaultToken.token };
    const mirror = await started(t, 'graphql', { env });
    for (const build of [newBuild({ jobs: 2, artifactsPerJob: 4 }), newBuild({ jobs: 2, artifactsPerJob: 4 })]) {
      assert.equal((await mirrored(mirror, build)).complete, true);
    }
    assert.deepEqual([asked(mirror).graphql, asked(mirror).links], [1, 16]);
    const [line, ...more] = noted(mirror, 'may not use GraphQL');
    assert.match(line ?? '', /"level":"info"/);
    assert.deepEqual(more, []);
  });

  it('is passed over: a portal that refuses its token leaves it to GraphQL', async (t) => {
    const mirror = await started(t, 'both', { env: { BUILDKITE_PORTAL_TOKEN: 'bkpat_another' } });
    const build = newBuild({ jobs: 3, artifactsPerJob: 4 });
    assert.equal((await mirrored(mirror, build)).complete, true);
    const { links, portal: byPortal, graphql } = asked(mirror);
    assert.deepEqual([links, byPortal], [0, 1]);
    assert.ok(graphql >= 1);
    assert.match(noted(mirror, 'each is asked for by REST')[0] ?? '', /"level":"warn".*"api":"portal"/);
  });

  it('costs requests, and nothing else: a portal that answers errors', async (t) => {
    const mirror = await started(t, 'portal');
    mirror.standIn.faults.add({ at: 'portal', kind: 'graphqlErrors', message: `no ${portal.token} here`, times: 99 });
    const build = newBuild({ jobs: 3, artifactsPerJob: 4 });
    assert.equal((await mirrored(mirror, build)).complete, true);
    assert.equal(asked(mirror).links, 12);
    assert.equal(noted(mirror, 'each is asked for by REST').length, 1);
    assert.deepEqual(spentAttempts(mirror), []);
    checkBytes(mirror, build);
  });

  it('is our own clock: an hour ahead, links and limits are kept to all the same', async (t) => {
    const ahead = encodeURIComponent('const now = Date.now; Date.now = () => now() + 3_600_000;');
    const limits = { user: 60, organization: 240, windowMs: 2000, resetDigits: 2 };
    const mirror = await started(t, 'portal', {
      standIn: { limits },
      env: { NODE_OPTIONS: `--import=data:text/javascript,${ahead}` },
    });
    const build = newBuild({ jobs: 60, artifactsPerJob: 3 });
    assert.equal((await mirrored(mirror, build)).complete, true);
    assert.equal(asked(mirror).links, 0);
    assert.ok(asked(mirror).refused <= 1, `${asked(mirror).refused} refused`);
  });
});
