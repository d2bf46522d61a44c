import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { generateBuild } from '../../demo/samples/generate.ts';
import { bucketObjects, inBucket } from '../../demo/standin/bucket.ts';
import { firstArtifact, firstJob, linkOf, started } from './ask.ts';
import { artifactsOf, askLinks } from './ask-graphql.ts';

describe('buckets of an organization in the stand-in', () => {
  it('are told by plain addresses, by REST and by GraphQL, in all three styles', async (t) => {
    const standIn = await started(t);
    const plain = generateBuild({ path: () => 'a b/ü?.txt' });
    const key = `web/1/${firstJob(plain).id}`;
    const path = 'a%20b/%C3%BC%3F.txt';
    const base = 'http://127.0.0.1:9000';
    const styles = {
      virtual: `http://artifacts.127.0.0.1:9000/${key}/${path}`,
      path: `${base}/artifacts/${key}/${path}`,
      access: `${base}/${key}/${path}`,
    } as const;
    for (const style of ['virtual', 'path', 'access'] as const) {
      const bucket = { name: 'artifacts', style, base };
      const build = inBucket(plain, bucket);
      standIn.put(build);
      assert.equal(await linkOf(standIn, build), styles[style]);
      const [artifact] = artifactsOf(await askLinks(standIn, build));
      assert.equal(artifact?.downloadURL, styles[style]);
      const [object] = bucketObjects(build, bucket);
      assert.deepEqual([object?.key, object?.content], [`${key}/a b/ü?.txt`, firstArtifact(plain).content]);
    }
    const own = inBucket(plain, { name: 'b', style: 'path', base, prefix: () => 'team/web' });
    assert.equal(firstArtifact(own).location, `${base}/b/team/web/${path}`);
  });
});
