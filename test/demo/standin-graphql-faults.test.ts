import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { artifactsOf, askLinks, askPortal, portal, withBuild } from './ask-graphql.ts';

describe('faults of GraphQL in the stand-in', () => {
  it('answers errors without data, other statuses, and bodies that cannot be read', async (t) => {
    const [standIn, build] = await withBuild(t, { portals: [portal] });
    for (const at of ['graphql', 'portal'] as const) {
      const asked = () => (at === 'graphql' ? askLinks(standIn, build) : askPortal(standIn, build));
      standIn.faults.add({ at, kind: 'graphqlErrors', message: 'Timeout on Query.build' });
      const errors = await asked();
      assert.deepEqual(
        [errors.status, errors.reply],
        [200, { errors: [{ message: 'Timeout on Query.build' }], data: null }],
      );
      standIn.faults.add({ at, kind: 'status', status: 502 });
      assert.equal((await asked()).status, 502);
      standIn.faults.add({ at, kind: 'status', status: 429, seconds: 7 });
      assert.equal((await asked()).status, 429);
      standIn.faults.add({ at, kind: 'malformed' });
      await assert.rejects(asked(), SyntaxError);
      standIn.faults.add({ at, kind: 'html' });
      await assert.rejects(asked(), SyntaxError);
      standIn.faults.add({ at, kind: 'reset' });
      await assert.rejects(asked(), TypeError);
      assert.equal(artifactsOf(await asked()).length, 6);
    }
  });

  it('leaves single artifacts null, without a link, or out', async (t) => {
    const [standIn, build] = await withBuild(t);
    const spoiled = async (as: 'null' | 'error' | 'noUrl' | 'emptyUrl' | 'absent') => {
      standIn.faults.add({ at: 'graphql', kind: 'partial', as, artifacts: 'out/0/file-1' });
      const answer = await askLinks(standIn, build);
      const found = artifactsOf(answer);
      return { answer, found, hit: found.find((each) => each === null || each.path === 'out/0/file-1.bin') };
    };
    assert.equal((await spoiled('null')).hit, null);
    const { answer, found, hit } = await spoiled('error');
    assert.deepEqual([hit, found.length, answer.reply.errors?.[0]?.path?.at(-1)], [null, 6, 'downloadURL']);
    assert.ok(!('downloadURL' in ((await spoiled('noUrl')).hit ?? {})));
    assert.equal((await spoiled('emptyUrl')).hit?.downloadURL, '');
    assert.equal((await spoiled('absent')).found.length, 5);
  });

  it('leads to other bytes than the artifact has', async (t) => {
    const [standIn, build] = await withBuild(t);
    standIn.faults.add({ at: 'graphql', kind: 'wrongUrl', artifacts: /file-0/ });
    const [wrong, right] = artifactsOf(await askLinks(standIn, build, { jobs: 1 }));
    assert.equal(wrong?.downloadURL, right?.downloadURL);
    standIn.faults.add({ at: 'graphql', kind: 'wrongUrl', to: 'http://10.0.0.1/x' });
    const [elsewhere] = artifactsOf(await askLinks(standIn, build));
    assert.equal(elsewhere?.downloadURL, 'http://10.0.0.1/x');
  });
});
